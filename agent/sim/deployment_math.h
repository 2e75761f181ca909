// SPDX-License-Identifier: Apache-2.0
// The arithmetic of a Deployment's rollout: how many pods each ReplicaSet may have now.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/sim/object.h"

namespace rollguard::sim {

inline constexpr std::string_view kRevisionAnnotation = "deployment.kubernetes.io/revision";
inline constexpr std::string_view kDesiredAnnotation = "deployment.kubernetes.io/desired-replicas";
inline constexpr std::string_view kMaxAnnotation = "deployment.kubernetes.io/max-replicas";
inline constexpr std::string_view kHistoryAnnotation = "deployment.kubernetes.io/revision-history";

int64_t SpecReplicas(const Json& object);
int64_t StatusCount(const Json& object, std::string_view field);
int64_t SumSpecReplicas(const std::vector<ObjectPtr>& sets);
int64_t SumStatus(const std::vector<ObjectPtr>& sets, std::string_view field);
bool IsRollingUpdate(const Json& deployment);

// Pods beyond and below spec.replicas that a rolling update may have; never both zero.
int64_t MaxSurge(const Json& deployment);
int64_t MaxUnavailable(const Json& deployment);

int64_t RevisionOf(const Json& replica_set);
int64_t IntAnnotation(const Json& object, std::string_view key, int64_t fallback);

// The size the new ReplicaSet may have now.
int64_t NewSetReplicas(const Json& deployment, const std::vector<ObjectPtr>& all, int64_t current);

// The size of each of `sets` after `deployment` was resized in the middle of a rollout: what is to
// be added or taken is shared out by size, what is left over goes to the largest.
std::vector<int64_t> ProportionalSizes(const Json& deployment, const std::vector<ObjectPtr>& sets);

bool RolloutComplete(const Json& deployment, const Json& status);

}  // namespace rollguard::sim
