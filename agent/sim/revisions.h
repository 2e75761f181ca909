// SPDX-License-Identifier: Apache-2.0
// ControllerRevisions: the history of a StatefulSet's or DaemonSet's pod template.
#pragma once

#include <string>
#include <vector>

#include "agent/sim/api_server.h"

namespace rollguard::sim {

// The revision of the owner's present template, made when it is new, renumbered as the newest when
// an older one is returned to. `hash` is what pods carry as controller-revision-hash.
struct TemplateRevision {
  std::string name;
  std::string hash;
};
TemplateRevision SyncRevision(ApiServer& api, const Json& owner);

// The template a revision holds, or null.
Json RevisionTemplate(const ApiServer& api, std::string_view ns, std::string_view name);

// Deletes the oldest revisions beyond the limit that are not in `used` (names).
void TrimRevisions(ApiServer& api, const Json& owner, const std::vector<std::string>& used);

}  // namespace rollguard::sim
