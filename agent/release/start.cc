// SPDX-License-Identifier: Apache-2.0
// What keeps a revision from being released: artifacts, freeze windows, the fleet, earlier
// environments, other guards with the same concurrency key.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {
namespace {

using Kind = Block::Kind;

// Two guards that begin at once must see each other's wish before either begins.
constexpr Duration kTurn = std::chrono::seconds(2);

Block Wait(std::string reason) { return {Kind::kWait, std::move(reason), false}; }

Block Reject(Context& c, const std::string& revision, const std::string& reason) {
  if (c.observing()) return Wait(StrCat("it would be rejected: ", reason));
  Quarantine(c, revision, reason);
  Decision& decision = c.Decide(Verdict::kReject, reason);
  decision.revision = revision;
  GuardState& state = c.Edit();
  state.last = LastOutcome{"", revision, "rejected", reason, c.obs.now};
  state.seen.clear();
  state.blocked_by.clear();
  state.queued_since.reset();
  c.Enter(Phase::kIdle);
  c.Tell("rejected", spec::RuleSeverity::kHigh, StrCat("revision ", revision, ": ", reason));
  return {Kind::kRejected, reason, false};
}

const StartView::Rival* Releasing(const Context& c) {
  for (const auto& rival : c.obs.start.rivals) {
    if (!rival.release.empty()) return &rival;
  }
  return nullptr;
}

std::string Upstream(Context& c) {
  for (const auto& upstream : c.obs.start.upstream) {
    if (upstream.satisfied) continue;
    if (upstream.until) c.Wake(*upstream.until);
    return StrCat("waits for ", upstream.guard, ": ", upstream.reason);
  }
  return {};
}

std::string Alarms(const Context& c) {
  for (const Signal& signal : c.obs.signals) {
    if (signal.pre_existing && signal.state == Signal::State::kFiring &&
        signal.action == spec::TriggerAction::kRollback) {
      return StrCat(signal.name, " was firing already: ", signal.reason);
    }
  }
  return {};
}

std::string Unfit(const Context& c) {
  if (c.plan.kind != Plan::Kind::kSibling) return {};
  if (FollowsReplicas(c) && c.obs.hpa.exists) {
    return "an autoscaler and the replica ratio would fight over spec.replicas: name a router";
  }
  if (c.stable().replicas == 0) {
    return "the target is scaled to zero: there is nothing to compare with";
  }
  return {};
}

}  // namespace

// A person goes back to a revision that was stable once: what speaks against the present one, or
// against anything new, does not speak against that.
bool WayBack(const Context& c, const std::string& revision) {
  const auto& history = c.state().history;
  return c.state().retry == revision &&
         std::any_of(history.begin(), history.end(),
                     [&](const StableRecord& r) { return r.revision == revision; });
}

namespace {

Block Standing(Context& c, const std::string& revision) {
  using State = StartView::Artifacts::State;
  const StartView& start = c.obs.start;
  const bool asked = c.state().retry == revision;
  if (start.artifacts.state == State::kRefused) return Reject(c, revision, start.artifacts.reason);
  if (start.artifacts.state == State::kChecking) return Wait("images are being checked");
  if (WayBack(c, revision)) {
    const std::string reason = Unfit(c);
    return reason.empty() ? Block{} : Wait(reason);
  }
  if (!start.frozen.empty()) {
    if (start.frozen_until) c.Wake(*start.frozen_until);
    return {Kind::kWait, StrCat("frozen: ", start.frozen), true};
  }
  if (!start.fleet.empty()) return Wait(start.fleet);
  if (std::string reason = Upstream(c); !reason.empty()) return Wait(std::move(reason));
  if (!asked && !c.obs.blind.empty()) return Wait(StrCat("blind: ", c.obs.blind));
  if (std::string reason = Alarms(c); !asked && !reason.empty()) return Wait(std::move(reason));
  if (std::string reason = Unfit(c); !reason.empty()) return Wait(std::move(reason));
  return {};
}

// A place in the queue is taken in the status first; whoever has the earliest place begins.
Block Turn(Context& c, const std::string& revision) {
  if (!c.guard.concurrency) return {};
  const bool reject = c.guard.concurrency->policy == spec::Concurrency::Policy::kReject;
  const StartView::Rival* rival = Releasing(c);
  if (rival != nullptr && reject) {
    return Reject(c, revision, StrCat(rival->guard, " is releasing with the same key"));
  }
  if (!c.state().queued_since) c.Edit().queued_since = c.obs.now;
  if (rival != nullptr) return Wait(StrCat("waits for ", rival->guard));
  const Time since = *c.state().queued_since;
  for (const auto& other : c.obs.start.rivals) {
    if (other.since < since || (other.since == since && other.guard < c.guard.Id())) {
      return Wait(StrCat("waits for ", other.guard, ", which came first"));
    }
  }
  if (c.obs.now < since + kTurn) {
    c.Wake(since + kTurn);
    return {Kind::kTurn, StrCat("takes its turn among ", c.guard.concurrency->key), false};
  }
  return {};
}

}  // namespace

Block StartBlock(Context& c, const std::string& revision) {
  Block block = Standing(c, revision);
  if (block.kind == Kind::kNone) return Turn(c, revision);
  if (c.state().queued_since) c.Edit().queued_since.reset();
  return block;
}

}  // namespace rollguard::release
