// SPDX-License-Identifier: Apache-2.0
// What the API server itself recorded, held against what must never happen. The order is that of
// resourceVersions, which one store counts for all objects.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace rollguard::chaos {

struct AuditReport {
  size_t writes = 0;                     // that were accepted
  size_t refused = 0;                    // by a version that had moved on
  std::map<std::string, int> rollbacks;  // "namespace release" -> times it began to go back
  std::vector<std::string> violations;   // one sentence each
};

// A file with one JSON event a line. Held: shares sum to 100; after a release began to go back its
// share never grows; the epoch in a guard's status never goes back within a shard; a route is
// written by the replica that the guard's status names as its owner; a release goes back at most
// once; in namespaces that begin with "good" none does.
AuditReport CheckAudit(const std::string& file);

}  // namespace rollguard::chaos
