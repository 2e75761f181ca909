// SPDX-License-Identifier: Apache-2.0
#include "agent/app/track_pods.h"

#include "agent/base/text.h"

namespace rollguard::app {

std::string PodsPattern(const GuardView& view, bool candidate) {
  if (!view.state.release) return {};
  const spec::Guard& guard = view.guard;
  const release::Observation& o = view.observation;
  const std::string& wanted =
      candidate ? view.state.release->candidate : view.state.release->stable;
  std::string found;
  auto add = [&](const std::string& workload, const release::WorkloadView& in) {
    const release::RevisionView* revision = in.Find(wanted);
    if (revision == nullptr || revision->pod_hash.empty()) return;
    if (!found.empty()) found += "|";
    found += guard.target.kind == "Deployment" ? StrCat(workload, "-", revision->pod_hash, "-.*")
                                               : StrCat(workload, "-.*");
  };
  if (o.candidate.exists) add(release::CandidateName(guard), o.candidate);
  add(guard.target.name, o.target);
  return found;
}

}  // namespace rollguard::app
