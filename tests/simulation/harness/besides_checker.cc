// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/harness/besides_checker.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::simulation {
namespace {

using Kind = Event::Kind;
using release::Phase;

// A call may take so long; another agent may have been on its way.
constexpr Duration kOnItsWay = seconds(20);
constexpr size_t kApprovalStep = 2;  // after the first weight and its pause, without a header route

}  // namespace

void BesidesChecker::OnJob(const sim::Change& change) {
  if (change.before != nullptr || change.after == nullptr) return;
  if (++jobs_[change.key.name] > 1)
    violated_("hook", StrCat("Job ", change.key.name, " ran twice"));
}

bool BesidesChecker::Frozen(Time at, Duration late) const {
  const Besides& b = plan_.besides;
  // The window is of the day that begins with the world.
  const Time day = std::chrono::floor<std::chrono::days>(at);
  return b.frozen_for > Duration(0) && at >= day + b.frozen_from + late &&
         at < day + b.frozen_from + b.frozen_for;
}

void BesidesChecker::Began(const release::Decision& start) {
  // Where nobody holds the target there is nothing to keep back; people may go back at any time.
  const bool free = plan_.setup->strategy.find("observe") != std::string::npos ||
                    plan_.Has(Kind::kUnpause) || plan_.Has(Kind::kDelete) ||
                    plan_.Has(Kind::kCommand);
  if (!free && Frozen(start.at, seconds(1)))
    violated_("frozen", StrCat("in a freeze: ", start.reason));
}

void BesidesChecker::OnState(const std::optional<release::GuardState>& before,
                             const release::GuardState& now) {
  const bool waits = now.release && now.release->awaiting_approval;
  if (!waits) awaiting_since_.reset();
  if (waits && !awaiting_since_) awaiting_since_ = Now();
  if (!before || !before->release || !now.release || before->release->id != now.release->id) return;
  const int64_t was = before->release->wanted.candidate, is = now.release->wanted.candidate;
  if (is > was && Frozen(Now(), kOnItsWay) && !spoken_ && now.phase != Phase::kPromoting)
    violated_("frozen", StrCat("in a freeze the candidate was to get ", is, " % instead of ", was));
  const size_t asks = kApprovalStep + (plan_.besides.headers ? 1 : 0);
  if (plan_.besides.approve_step && now.phase == Phase::kProgressing && !spoken_ &&
      now.release->step > asks && !now.release->fast && !now.release->bypass) {
    violated_("approval", StrCat("step ", now.release->step, " began and nobody had approved"));
  }
}

void BesidesChecker::Wrote(const std::string& what,
                           const std::optional<release::GuardState>& state) {
  if (!state || !awaiting_since_ || Now() - *awaiting_since_ < kOnItsWay || spoken_) return;
  violated_("approval", StrCat(what, " was written while the rollback waits for approval"));
}

void BesidesChecker::CheckHooks(const release::LastOutcome& last) {
  std::vector<const char*> wanted;
  if (last.outcome == "promoted") wanted = {"before", "after"};
  if (last.outcome == "rolledBack") wanted = {"down", "check"};
  for (const char* hook : wanted) {
    const std::string name = StrCat(kApp, "-", last.release, "-", hook);
    if (!jobs_.contains(name))
      violated_("hook", StrCat("release ", last.release, " is ", last.outcome, " without ", hook));
  }
}

void BesidesChecker::CheckConfigs(const std::string& version) {
  for (const Json& wanted : {SettingsOf(version), KeysOf(version)}) {
    const std::string name = wanted.At("metadata", "name").Str();
    sim::ObjectPtr now = world_.api().Get("", ToLower(wanted.At("kind").Str()) + "s", kNs, name);
    if (now && now->At("data") == wanted.At("data")) continue;
    violated_("config", StrCat(name, " is not that of the stable version ", version, ": ",
                               now ? now->At("data").Dump() : "gone"));
  }
}

void BesidesChecker::AtRest(const release::GuardState& state, const std::string& stable_image) {
  const bool people = plan_.Has(Kind::kCommand) || plan_.Has(Kind::kUnpause) ||
                      plan_.Has(Kind::kDelete) || plan_.Has(Kind::kSecondAgent);
  if (people || state.phase != Phase::kIdle || !state.last) return;
  if (plan_.besides.hooks != Besides::Hooks::kNone && !state.last->release.empty())
    CheckHooks(*state.last);
  // Whoever sets a version again sets its configuration, too, whether it is released or not.
  std::map<std::string, int> set;
  for (const Event& event : plan_.events) {
    if (event.kind == Kind::kRelease && (++set[event.version] > 1 || event.version == "v1")) return;
  }
  if (plan_.besides.configured) CheckConfigs(stable_image.substr(stable_image.rfind(':') + 1));
}

}  // namespace rollguard::simulation
