// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/deployment_status.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/sim/deployment_math.h"

namespace rollguard::sim {
namespace {

const Json& Progressing(const Json& status) {
  static const Json none;
  for (const Json& c : status.At("conditions").items()) {
    if (Text(c.At("type")) == "Progressing") return c;
  }
  return none;
}

void SetCount(Json& status, std::string_view field, int64_t count) {
  if (count == 0)
    status.Erase(field);
  else
    status.Set(field, count);
}

bool MovedOn(const Json& before, const Json& after) {
  auto n = [](const Json& s, std::string_view f) { return s.At(f).IntOr(0); };
  int64_t old_before = n(before, "replicas") - n(before, "updatedReplicas");
  int64_t old_after = n(after, "replicas") - n(after, "updatedReplicas");
  return n(after, "updatedReplicas") > n(before, "updatedReplicas") || old_after < old_before ||
         n(after, "readyReplicas") > n(before, "readyReplicas") ||
         n(after, "availableReplicas") > n(before, "availableReplicas");
}

// How long since the Progressing condition was touched; negative when there is none.
Duration SinceProgress(const Json& condition, Time now) {
  auto since = ParseRfc3339(Text(condition.At("lastUpdateTime")));
  return since.ok() ? now - *since : Duration(-1);
}

Duration Deadline(const Json& deployment) {
  return std::chrono::seconds(deployment.At("spec", "progressDeadlineSeconds").IntOr(600));
}

}  // namespace

std::vector<ObjectPtr> SetsOf::all() const {
  std::vector<ObjectPtr> out = old;
  if (current) out.push_back(current);
  return out;
}

Json DeploymentCounts(const Json& deployment, const SetsOf& sets, Time now) {
  std::vector<ObjectPtr> all = sets.all();
  Json status = deployment.At("status");
  if (!status.is_object()) status = Json::Obj();
  int64_t available = SumStatus(all, "availableReplicas");
  status.Set("observedGeneration", Meta(deployment).At("generation").IntOr(0));
  SetCount(status, "replicas", SumStatus(all, "replicas"));
  SetCount(status, "updatedReplicas", sets.current ? StatusCount(*sets.current, "replicas") : 0);
  SetCount(status, "readyReplicas", SumStatus(all, "readyReplicas"));
  SetCount(status, "availableReplicas", available);
  SetCount(status, "unavailableReplicas", std::max<int64_t>(0, SumSpecReplicas(all) - available));
  bool enough = available >= SpecReplicas(deployment) - MaxUnavailable(deployment);
  SetCondition(status, "Available", enough ? "True" : "False",
               enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
               enough ? "Deployment has minimum availability."
                      : "Deployment does not have minimum availability.",
               now, true);
  return status;
}

void SetProgressing(Json& status, std::string_view value, std::string_view reason,
                    std::string_view message, Time now) {
  SetCondition(status, "Progressing", value, reason, message, now, true);
  for (Json& c : status["conditions"].items()) {
    if (Text(c.At("type")) == "Progressing")
      c.Set("lastUpdateTime", FormatRfc3339(std::chrono::floor<std::chrono::seconds>(now)));
  }
}

void JudgeProgress(const Json& deployment, const SetsOf& sets, Json& status, Time now) {
  const Json& before = Progressing(status);
  std::string_view reason = Text(before.At("reason"));
  bool settled = status.At("replicas").IntOr(0) == status.At("updatedReplicas").IntOr(0) &&
                 reason == "NewReplicaSetAvailable";
  if (settled) return;
  std::string what = sets.current ? StrCat("ReplicaSet ", Quote(NameOf(*sets.current)))
                                  : StrCat("Deployment ", Quote(NameOf(deployment)));
  if (RolloutComplete(deployment, status)) {
    SetProgressing(status, "True", "NewReplicaSetAvailable",
                   StrCat(what, " has successfully progressed."), now);
  } else if (MovedOn(deployment.At("status"), status)) {
    SetProgressing(status, "True", "ReplicaSetUpdated", StrCat(what, " is progressing."), now);
  } else if (!before.is_null() && reason != "NewReplicaSetAvailable" &&
             reason != "ProgressDeadlineExceeded" &&
             SinceProgress(before, now) >= Deadline(deployment)) {
    SetProgressing(status, "False", "ProgressDeadlineExceeded",
                   StrCat(what, " has timed out progressing."), now);
  }
}

Duration UntilProgressDeadline(const Json& deployment, const Json& status, Time now) {
  const Json& condition = Progressing(status);
  std::string_view reason = Text(condition.At("reason"));
  if (condition.is_null() || reason == "NewReplicaSetAvailable" ||
      reason == "ProgressDeadlineExceeded")
    return Duration(0);
  if (RolloutComplete(deployment, status)) return Duration(0);
  return std::max(Duration(1), Deadline(deployment) - SinceProgress(condition, now));
}

}  // namespace rollguard::sim
