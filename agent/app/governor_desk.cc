// SPDX-License-Identifier: Apache-2.0
// The reason of a limit is worded once and then stays as it is: a held guard is told once, not at
// every change of a number. Stopped rollbacks start again when nothing has triggered for a while.
#include "agent/app/governor_desk.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::app {
namespace {

using release::Phase;

constexpr Duration kHour = std::chrono::hours(1);
constexpr Duration kCalm = std::chrono::minutes(10);
constexpr std::string_view kStopped = "automatic rollbacks are stopped: ";

// What Step is going to roll back for, by itself and at once.
bool WantsBack(const release::GuardState& state, const release::Observation& o) {
  if (!Releasing(state) || state.release->trigger) return false;
  if (o.candidate_pods.crash_looping || o.candidate_pods.image_pull_failing ||
      o.health.critical_failing)
    return true;
  const release::RunView* run = o.FindRun(state.release->background_run);
  using RunPhase = release::RunView::Phase;
  if (run != nullptr && (run->phase == RunPhase::kFailed || run->phase == RunPhase::kError))
    return true;
  return std::any_of(o.signals.begin(), o.signals.end(), [](const release::Signal& signal) {
    return signal.state == release::Signal::State::kFiring && !signal.pre_existing && signal.Hard();
  });
}

bool FollowsItsGroup(const release::GuardState& state, const release::Observation& o) {
  return std::any_of(o.peers.begin(), o.peers.end(), [&](const release::PeerView& peer) {
    return peer.rolled_back_at && *peer.rolled_back_at >= state.release->started;
  });
}

}  // namespace

void GovernorDesk::SetLimits(const spec::FleetLimits& limits) {
  limits_ = limits;
  governor_.SetLimits(limits);
}

std::string GovernorDesk::Stopped() const {
  return stopped_until_ && clock_.Now() < *stopped_until_ ? stopped_ : std::string();
}

std::string GovernorDesk::LimitFor(const spec::Guard& guard) {
  Time now = clock_.Now();
  const Census& census = controller_->census();
  alerts::GovernorVerdict verdict =
      governor_.Ask(now, guard.Id(), census.releasing(), census.RollbacksAfter(now - kHour));
  if (!verdict.allowed) {
    bool is_new = Stopped().empty();
    if (is_new) stopped_ = StrCat(kStopped, verdict.reason);
    stopped_until_ = now + kCalm;
    if (is_new && pager_) pager_(stopped_);
    return stopped_;
  }
  if (std::string stopped = Stopped(); !stopped.empty()) {
    stopped_until_ = now + kCalm;
    return stopped;
  }
  if (limits_.max_group_rollbacks_per_hour > 0 && !guard.group.empty() &&
      census.RollbacksAfter(now - kHour, guard.group) >= limits_.max_group_rollbacks_per_hour) {
    return StrCat("the group ", guard.group,
                  " was rolled back as often as it may within the hour (",
                  limits_.max_group_rollbacks_per_hour, ")");
  }
  return {};
}

void GovernorDesk::Contribute(const spec::Guard& guard, const release::GuardState& state,
                              release::Observation& observation) {
  if (controller_ == nullptr) return;
  if (!Releasing(state)) {
    if (std::string stopped = Stopped(); !stopped.empty()) {
      observation.start.fleet = stopped;
    } else if (limits_.max_active_releases > 0 &&
               controller_->census().releasing() >= limits_.max_active_releases) {
      observation.start.fleet =
          StrCat("as many releases run as may at one time (", limits_.max_active_releases, ")");
    }
    return;
  }
  if (guard.mode == spec::Mode::kObserve || FollowsItsGroup(state, observation)) return;
  // Who was held because of the platform waits for a person, also after the calm and after
  // restarts.
  if (state.phase == Phase::kHeld && state.release->held_reason.starts_with(kStopped)) {
    observation.rollback_limit = state.release->held_reason;
    return;
  }
  if (WantsBack(state, observation)) {
    observation.rollback_limit = LimitFor(guard);
  } else {
    observation.rollback_limit = Stopped();
  }
}

}  // namespace rollguard::app
