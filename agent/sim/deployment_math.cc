// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/deployment_math.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "agent/base/text.h"

namespace rollguard::sim {
namespace {

struct Fences {
  int64_t surge = 0;
  int64_t unavailable = 0;
};

Fences ResolveFences(const Json& deployment) {
  if (!IsRollingUpdate(deployment)) return {};
  const Json& rolling = deployment.At("spec", "strategy", "rollingUpdate");
  int64_t replicas = SpecReplicas(deployment);
  Fences f{ResolveIntOrPercent(rolling.At("maxSurge"), replicas, true, 1),
           ResolveIntOrPercent(rolling.At("maxUnavailable"), replicas, false, 0)};
  if (f.surge == 0 && f.unavailable == 0) f.unavailable = 1;
  return f;
}

// How much this set's size would change if it kept its share of the Deployment.
int64_t Fraction(const Json& set, const Json& deployment) {
  int64_t size = SpecReplicas(set);
  if (SpecReplicas(deployment) == 0) return -size;
  int64_t target = SpecReplicas(deployment) + MaxSurge(deployment);
  int64_t annotated = IntAnnotation(set, kMaxAnnotation, StatusCount(deployment, "replicas"));
  if (annotated <= 0) return 0;
  double share = static_cast<double>(size * target) / static_cast<double>(annotated);
  return static_cast<int64_t>(std::llround(share)) - size;
}

}  // namespace

int64_t SpecReplicas(const Json& object) { return object.At("spec", "replicas").IntOr(1); }

int64_t StatusCount(const Json& object, std::string_view field) {
  return object.At("status", field).IntOr(0);
}

int64_t SumSpecReplicas(const std::vector<ObjectPtr>& sets) {
  return std::accumulate(sets.begin(), sets.end(), int64_t{0},
                         [](int64_t sum, const ObjectPtr& s) { return sum + SpecReplicas(*s); });
}

int64_t SumStatus(const std::vector<ObjectPtr>& sets, std::string_view field) {
  return std::accumulate(
      sets.begin(), sets.end(), int64_t{0},
      [&](int64_t sum, const ObjectPtr& s) { return sum + StatusCount(*s, field); });
}

bool IsRollingUpdate(const Json& deployment) {
  return Text(deployment.At("spec", "strategy", "type")) != "Recreate";
}

int64_t MaxSurge(const Json& deployment) { return ResolveFences(deployment).surge; }

int64_t MaxUnavailable(const Json& deployment) {
  return std::min(ResolveFences(deployment).unavailable, SpecReplicas(deployment));
}

int64_t IntAnnotation(const Json& object, std::string_view key, int64_t fallback) {
  return ParseInt(AnnotationOf(object, key)).value_or(fallback);
}

int64_t RevisionOf(const Json& set) { return IntAnnotation(set, kRevisionAnnotation, 0); }

int64_t NewSetReplicas(const Json& deployment, const std::vector<ObjectPtr>& all, int64_t current) {
  int64_t wanted = SpecReplicas(deployment);
  if (!IsRollingUpdate(deployment)) return wanted;
  int64_t room = wanted + MaxSurge(deployment) - SumSpecReplicas(all);
  if (room <= 0) return current;
  return current + std::min(room, wanted - current);
}

std::vector<int64_t> ProportionalSizes(const Json& deployment, const std::vector<ObjectPtr>& sets) {
  int64_t wanted = SpecReplicas(deployment);
  int64_t allowed = wanted > 0 ? wanted + MaxSurge(deployment) : 0;
  int64_t to_add = allowed - SumSpecReplicas(sets);
  std::vector<int64_t> sizes;
  int64_t added = 0;
  for (const ObjectPtr& set : sets) {
    int64_t size = SpecReplicas(*set);
    if (to_add != 0 && size > 0 && added != to_add) {
      int64_t share = Fraction(*set, deployment);
      int64_t rest = to_add - added;
      int64_t step = to_add > 0 ? std::min(share, rest) : std::max(share, rest);
      size += step;
      added += step;
    }
    sizes.push_back(size);
  }
  if (!sizes.empty() && to_add != 0) sizes[0] = std::max<int64_t>(0, sizes[0] + to_add - added);
  return sizes;
}

bool RolloutComplete(const Json& deployment, const Json& status) {
  int64_t wanted = SpecReplicas(deployment);
  auto is = [&](std::string_view field) { return status.At(field).IntOr(0) == wanted; };
  return is("updatedReplicas") && is("replicas") && is("availableReplicas") &&
         status.At("observedGeneration").IntOr(0) >= Meta(deployment).At("generation").IntOr(0);
}

}  // namespace rollguard::sim
