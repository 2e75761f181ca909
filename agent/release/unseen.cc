// SPDX-License-Identifier: Apache-2.0
// Objects cannot be read, so nothing new is decided on them. But what takes a release back (a
// person, an alert, a rule) needs no object, and each step has left behind the patches that return
// all traffic to stable.
#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {
namespace {

constexpr Duration kLook = std::chrono::seconds(1);  // whether it can be read again
constexpr Duration kAgain = std::chrono::seconds(5);

bool CanGoBack(const Context& c) {
  if (!c.active() || c.plan.kind != Plan::Kind::kSibling || FollowsReplicas(c)) return false;
  const Phase phase = c.state().phase;
  // Once the target rolls towards the candidate, stable may have no pods any more.
  return !c.rel().touched_target &&
         (phase == Phase::kProgressing || phase == Phase::kBaking || phase == Phase::kRollingBack);
}

// Signals that need no view of the cluster.
std::vector<Signal> Told(const Context& c) {
  std::vector<Signal> hard;
  for (const Signal& signal : c.obs.signals) {
    if (signal.state == Signal::State::kFiring && !signal.pre_existing && signal.Hard()) {
      hard.push_back(signal);
    }
  }
  return hard;
}

void SendStaged(Context& c) {
  const auto& last = c.rel().stage_at;
  if (last && c.obs.now < *last + kAgain) {
    c.Wake(*last + kAgain);
    return;
  }
  c.EditRelease().stage_at = c.obs.now;
  for (const Json& staged : c.rel().way_back.items()) {
    PatchObject patch;
    patch.object = {staged.At("apiVersion").Str(), staged.At("kind").Str(), c.guard.metadata.ns,
                    staged.At("name").Str()};
    patch.patch = staged.At("patch");
    patch.why = "traffic goes back to stable as it was staged";
    patch.weight = 0;
    patch.staged = true;
    c.Do(std::move(patch));
  }
  if (c.rel().wanted.candidate != 0 || !c.rel().wanted.headers.empty() ||
      !c.rel().wanted.mirrors.empty()) {
    c.EditRelease().wanted = {};
  }
}

}  // namespace

void StepUnseen(Context& c) {
  c.Wait("the cluster cannot be read: nothing new is decided");
  c.Wake(c.obs.now + kLook);
  if (!CanGoBack(c)) return;
  HandleCommands(c);
  if (c.state().phase != Phase::kRollingBack) {
    std::vector<Signal> hard = Told(c);
    if (!hard.empty()) {
      const std::string reason = hard.front().reason;
      BeginRollback(c, reason, "rollguard", std::move(hard), true, false);
    }
  }
  if (c.state().phase != Phase::kRollingBack || c.rel().awaiting_approval) return;
  SendStaged(c);
}

}  // namespace rollguard::release
