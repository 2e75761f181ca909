// SPDX-License-Identifier: Apache-2.0
// A StatefulSet that goes one pod at a time waits for a pod that does not become ready, for ever
// when the pod's revision never works, whatever its template says by then. Kubernetes leaves it to
// people to delete such a pod.
#include "agent/release/context.h"

namespace rollguard::release {

void DeleteBrokenPods(Context& c) {
  const WorkloadView& w = c.obs.target;
  if (w.kind != "StatefulSet") return;
  const std::string& stable = c.active() ? c.rel().stable : c.state().stable;
  for (const RevisionView& revision : w.revisions) {
    if (revision.revision == w.revision || revision.revision == stable) continue;
    for (const auto& [name, uid] : revision.broken) {
      c.Do(DeleteObject{{"v1", "Pod", c.guard.metadata.ns, name},
                        uid,
                        "it is not ready with a revision that is wanted no more"});
    }
  }
}

}  // namespace rollguard::release
