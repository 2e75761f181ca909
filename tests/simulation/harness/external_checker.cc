// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/harness/external_checker.h"

#include "agent/base/text.h"

namespace rollguard::simulation {
namespace {

using release::FlaggerHook;
using release::GuardState;
using release::Phase;

constexpr Duration kOnItsWay = std::chrono::seconds(20);

bool GoesBack(const GuardState& state) {
  return state.release && state.phase == Phase::kRollingBack && !state.release->awaiting_approval;
}

// May it be told to stand still, or to go on?
bool StandsStill(const GuardState& state) {
  return state.phase == Phase::kPending || state.phase == Phase::kHeld ||
         state.phase == Phase::kRollingBack || (state.release && state.release->paused);
}

bool IsRejected(const GuardState& state, const std::string& revision) {
  for (const release::Rejection& rejection : state.quarantine) {
    if (rejection.revision == revision) return true;
  }
  return false;
}

}  // namespace

void ExternalChecker::OnChange(const sim::Change& change) {
  const sim::ObjectPtr& now = change.after ? change.after : change.last;
  if (now->At("kind").Str() != "Rollout") return;
  before_ = change.before;
  after_ = change.after;
}

void ExternalChecker::OnState(const State& before, const GuardState& now) {
  const bool same = before && GoesBack(*before) == GoesBack(now) &&
                    StandsStill(*before) == StandsStill(now) &&
                    before->blocked_by == now.blocked_by &&
                    before->release.has_value() == now.release.has_value();
  if (!same) changed_ = Now();
}

bool ExternalChecker::Settled() const { return Now() - changed_ >= kOnItsWay; }

void ExternalChecker::Wrote(const ClusterRequest& request, const State& state) {
  const std::string what = StrCat(request.type.kind, " ", request.name);
  if (request.type.kind != "Rollout") {
    violated_("foreign", StrCat(what, " was written, which is its controller's"));
    return;
  }
  if (!before_ || !after_) return;
  CheckForeign(*before_, *after_);
  if (!state || state->decisions.empty()) {
    violated_("record", StrCat(what, " was written before any decision was durable"));
    return;
  }
  CheckWord(*before_, *after_, *state);
  before_.reset();
}

void ExternalChecker::CheckForeign(const Json& before, const Json& after) {
  auto rest = [](Json object) {
    for (const char* member : {"resourceVersion", "generation", "managedFields"})
      object["metadata"].Erase(member);
    for (const char* word : {"paused", "template"}) object["spec"].Erase(word);
    if (Json* status = object.Find("status")) {
      for (const char* word : {"abort", "pauseConditions", "promoteFull"}) status->Erase(word);
    }
    return object.Canonical();
  };
  const bool undone = !(before.At("spec", "template") == after.At("spec", "template"));
  if (undone && plan_.setup->strategy.find("undo") == std::string::npos)
    violated_("foreign", "the agent wrote another template into the Rollout");
  if (rest(before) != rest(after))
    violated_("foreign", StrCat("the agent changed what is not its to change: ", rest(after),
                                "\n  was ", rest(before)));
}

void ExternalChecker::CheckWord(const Json& before, const Json& after, const GuardState& state) {
  auto changed = [&](const char* part, const char* word) {
    return !(before.At(part).At(word) == after.At(part).At(word));
  };
  const std::string current = after.At("status", "currentPodHash").Str();
  const bool rejected = IsRejected(state, current);
  const bool back = (changed("status", "abort") && after.At("status", "abort").BoolOr(false)) ||
                    changed("spec", "template");
  if (back && !GoesBack(state) && !rejected && Settled())
    violated_("record", StrCat(current, " was taken back, and nothing durable says why"));
  const bool pause = changed("spec", "paused") && after.At("spec", "paused").BoolOr(false);
  if (pause && !StandsStill(state) && !rejected && Settled())
    violated_("record", "the Rollout was paused, and nothing durable says why");
  const bool on = changed("status", "pauseConditions") || changed("status", "promoteFull") ||
                  (changed("status", "abort") && !after.At("status", "abort").BoolOr(false));
  if (on && (rejected || GoesBack(state)) && Settled())
    violated_("quarantine", StrCat(current, " is rejected and was told to go on"));
}

void ExternalChecker::Answered(FlaggerHook hook, bool yes, const State& state) {
  // Cut off from the cluster an agent knows only what it decided itself.
  const bool apart = plan_.Has(Event::Kind::kSecondAgent) && plan_.Has(Event::Kind::kPartition);
  if (!state || !Settled() || apart) return;
  if (yes != (hook == FlaggerHook::kRollback) && GoesBack(*state)) {
    violated_("abort", yes ? "Flagger was told to go on while the release goes back"
                           : "Flagger was not told that the release goes back");
  }
  if (yes && hook == FlaggerHook::kRollback && !GoesBack(*state) && state->quarantine.empty())
    violated_("record", "Flagger was told to go back, and nothing durable says why");
}

void ExternalChecker::AtRest(const State& state) {
  if (plan_.setup->carrier != Setup::Carrier::kArgo || !state) return;
  sim::ObjectPtr rollout = world_.api().Get("argoproj.io", "rollouts", kNs, kApp);
  if (rollout->At("spec", "paused").BoolOr(false))
    violated_("foreign", "nothing is released and the Rollout is paused");
  const std::string current = rollout->At("status", "currentPodHash").Str();
  if (IsRejected(*state, current) && current != rollout->At("status", "stableRS").Str() &&
      !rollout->At("status", "abort").BoolOr(false)) {
    violated_("quarantine", StrCat(current, " is rejected and was not aborted"));
  }
}

}  // namespace rollguard::simulation
