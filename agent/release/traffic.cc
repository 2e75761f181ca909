// SPDX-License-Identifier: Apache-2.0
// Routes: asked for, read back, given time to spread. The way back is staged with every change.
#include <algorithm>

#include "agent/base/json_patch.h"
#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {
namespace {

constexpr size_t kMaxWayBack = 32 * 1024;

void ForgetVerified(Context& c) {
  if (c.active() && c.rel().scratch.verified_at) c.EditRelease().scratch.verified_at.reset();
}

Progress Carry(Context& c, const Expected<std::vector<routing::Change>>& changes,
               const std::string& why, std::optional<int64_t> weight) {
  if (!changes) {
    ForgetVerified(c);
    c.Wait(changes.error().message);
    c.SetCondition("RoutingFailed", true, "Unroutable", changes.error().message);
    return Progress::kFailed;
  }
  c.SetCondition("RoutingFailed", false, "Routable", "");
  if (changes->empty()) return Progress::kDone;
  ForgetVerified(c);
  for (const auto& change : *changes) c.Do(change, why, weight);
  c.Wait("routes are being changed and will be read back");
  return c.observing() ? Progress::kDone : Progress::kWaiting;
}

}  // namespace

Progress ApplySplit(Context& c, const routing::Split& split, const std::string& why) {
  if (FollowsReplicas(c)) return Progress::kDone;
  return Carry(c, routing::PlanSplit(c.plan.routing, c.tracks, split, c.view()), why,
               split.candidate);
}

Progress ApplyRest(Context& c, routing::RestAfter after) {
  if (c.plan.kind != Plan::Kind::kSibling) return Progress::kDone;
  return Carry(c, routing::PlanRest(c.plan.routing, c.tracks, after, c.view()),
               "routes return to what their owner wrote", std::nullopt);
}

bool Settled(Context& c) {
  if (!c.rel().scratch.verified_at) {
    c.EditRelease().scratch.verified_at = c.obs.now;
    const int64_t weight = MeasuredWeight(c);
    if (c.rel().weight != weight) c.EditRelease().weight = weight;
  }
  const Time until = *c.rel().scratch.verified_at + kPropagation;
  if (c.obs.now >= until) return true;
  c.Wake(until);
  c.Wait("routes were read back; waiting for every proxy to know them");
  return false;
}

int64_t MeasuredWeight(const Context& c) {
  if (c.plan.kind == Plan::Kind::kRolling) {
    const WorkloadView& w = c.obs.target;
    const RevisionView* stable = c.active() ? w.Find(c.rel().stable) : nullptr;
    const int64_t updated = w.revision == c.rel().candidate ? w.updated : 0;
    const int64_t all = std::max(w.total, updated + (stable != nullptr ? stable->replicas : 0));
    return all > 0 ? updated * 100 / all : 0;
  }
  if (FollowsReplicas(c)) {
    const int64_t theirs = c.candidate().exists ? c.candidate().available : 0;
    const int64_t all = theirs + c.stable().available;
    return all > 0 ? theirs * 100 / all : 0;
  }
  return routing::Read(c.plan.routing, c.tracks, c.view()).candidate;
}

namespace {

// A patch that needs no read: it tests what it replaces instead of the resourceVersion, so that an
// object that was changed by its owner is left alone.
Json Staged(const Json& patch, const Json& object) {
  Json out = Json::Arr();
  for (const Json& operation : patch.items()) {
    const std::string path = operation.At("path").Str(), op = operation.At("op").Str();
    if (path == "/metadata/resourceVersion") continue;
    const Json* now = ResolvePointer(object, path);
    if (op != "add" && now != nullptr) {
      out.Push(Json::Obj({{"op", "test"}, {"path", path}, {"value", *now}}));
    }
    out.Push(operation);
  }
  return out;
}

}  // namespace

void StageWayBack(Context& c) {
  if (FollowsReplicas(c)) return;
  auto changes = routing::PlanSplit(c.plan.routing, c.tracks, routing::Split{}, c.view());
  if (!changes) return;
  Json staged = Json::Arr();
  for (const auto& change : *changes) {
    const Json* object = c.obs.FindObject(change.object);
    if (change.kind != routing::Change::Kind::kPatch || object == nullptr) continue;
    staged.Push(Json::Obj({{"apiVersion", change.object.api_version},
                           {"kind", change.object.kind},
                           {"name", change.object.name},
                           {"patch", Staged(change.body, *object)}}));
  }
  if (staged.Dump().size() > kMaxWayBack) staged = Json::Arr();
  if (!(staged == c.rel().way_back)) c.EditRelease().way_back = std::move(staged);
}

}  // namespace rollguard::release
