// SPDX-License-Identifier: Apache-2.0
// Alerts about versions that are bad: they fire while such a version has traffic, are repeated, and
// resolve.
#include "agent/base/text.h"
#include "tests/simulation/harness/simulation.h"

namespace rollguard::simulation {
namespace {

using release::Phase;

constexpr Duration kAlertAfter = seconds(12);
constexpr Duration kAlertEvery = seconds(5);
constexpr Duration kFollowsIn = seconds(10);
// Until another controller was told, whatever fails on the way; what it promotes before, it does.
constexpr Duration kTellsIn = seconds(60);
constexpr Duration kDecidesIn = seconds(5);

}  // namespace

void Simulation::SendAlert(const std::string& version, bool firing) {
  alerts::Alert alert;
  alert.status = firing ? alerts::AlertStatus::kFiring : alerts::AlertStatus::kResolved;
  alert.labels = {{"alertname", StrCat("Bad", version)},
                  {"deployment", kApp},
                  {"namespace", kNs},
                  {"severity", "critical"}};
  alert.fingerprint = alerts::FingerprintOf(alert.labels);
  alert.starts_at = alerts_[version];
  if (!firing) alert.ends_at = world_.scheduler().Now();
  for (Process* process : {&main_, &second_}) {
    if (process->agent != nullptr) process->agent->alerts().Receive({alert});
  }
  if (firing) NoteHeard(version);
}

// It counts as heard by a release when the agent lives on long enough to follow it, and had not
// decided to promote it already.
void Simulation::NoteHeard(const std::string& version) {
  const auto& state = checker_->state();
  if (main_.agent == nullptr || !state || !state->release || state->phase >= Phase::kPromoting ||
      checker_->ImageOfRevision(state->release->candidate) != ImageOf(version)) {
    return;
  }
  const bool external = plan_.setup->external();
  // What another controller had begun before anybody saw it is not known to be the release's.
  if (external && alerts_[version] < state->release->started) return;
  world_.scheduler().After(
      external ? kTellsIn : kFollowsIn,
      [this, version, external, kills = report_.kills, id = state->release->id,
       heard = world_.scheduler().Now()] {
        bool decided = kills != report_.kills || !checker_->state() ||
                       (external && checker_->StableImage() == ImageOf(version));
        // Flagger asks nobody any more once it promotes; what was heard a moment before that is
        // late.
        const bool asks = plan_.setup->carrier == Setup::Carrier::kFlagger;
        decided = decided || (asks && asked_gate_at_ < heard + kDecidesIn);
        for (size_t i = 0; !decided && i < checker_->state()->decisions.size(); ++i) {
          const release::Decision& decision = checker_->state()->decisions[i];
          decided = decision.release == id && decision.at <= heard &&
                    decision.verdict == release::Verdict::kPromote;
        }
        if (!decided) heard_.insert(version);
      });
}

void Simulation::WatchAlerts() {
  for (const auto& [version, quality] : plan_.versions) {
    if (quality != Quality::kAlerted) continue;
    const double share = checker_->picture().Share(ImageOf(version));
    const bool bad = share > 0;
    auto since = alerts_.find(version);
    if (bad && since == alerts_.end()) {
      alerts_[version] = world_.scheduler().Now();
    } else if (bad && world_.scheduler().Now() - since->second >= kAlertAfter) {
      SendAlert(version, true);
    } else if (!bad && since != alerts_.end()) {
      Note(StrCat("the alert about ", version, " resolves"));
      SendAlert(version, false);
      alerts_.erase(since);
    }
  }
  world_.scheduler().After(kAlertEvery, [this] { WatchAlerts(); });
}

}  // namespace rollguard::simulation
