// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/harness/plan.h"

#include <algorithm>

#include "agent/base/random.h"
#include "agent/base/text.h"

namespace rollguard::simulation {
namespace {

using Kind = Event::Kind;
using Word = release::Command::Verb;

int64_t Between(Random& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random.Below(static_cast<uint64_t>(high - low + 1)));
}

template <class T>
T OneOf(Random& random, std::initializer_list<T> choices) {
  return choices.begin()[random.Below(choices.size())];
}

Quality DrawQuality(Random& random) {
  if (random.Chance(0.4)) return Quality::kGood;
  return OneOf(random, {Quality::kFailing, Quality::kAlerted, Quality::kAlerted, Quality::kCrashing,
                        Quality::kUnready, Quality::kUnpullable});
}

sim::FaultPlan DrawFaults(Random& random) {
  if (random.Chance(0.3)) return sim::FaultPlan::None();
  sim::FaultPlan plan = sim::FaultPlan::Rough();
  if (random.Chance(0.4)) plan.error_before = plan.error_after = 0.15;
  if (random.Chance(0.3)) plan.conflict = 0.2;
  if (random.Chance(0.3)) plan.watch_stale = 0.2;
  if (random.Chance(0.3)) plan.watch_drop = plan.watch_gone = 0.05;
  return plan;
}

void DrawCrashes(Random& random, Plan& plan) {
  if (!random.Chance(0.5)) return;
  const int64_t count = Between(random, 1, 4);
  for (int64_t i = 0; i < count; ++i) {
    plan.crashes.push_back({static_cast<uint64_t>(Between(random, 1, 40)), random.Chance(0.5)});
  }
  std::sort(plan.crashes.begin(), plan.crashes.end(),
            [](const WriteCrash& a, const WriteCrash& b) { return a.nth < b.nth; });
}

Event DrawEvent(Random& random, const Setup& setup) {
  Event event;
  event.at = Duration(Between(random, 0, 200'000));
  const int64_t die = Between(random, 0, 15);
  if (die < 3) {
    event.kind = Kind::kCommand;
    event.verb = OneOf(random, {Word::kAbort, Word::kPromote, Word::kPause, Word::kResume,
                                Word::kRetry, Word::kRollBack, Word::kSkip, Word::kApprove});
    event.full = random.Chance(0.2);
  } else if (die < 5) {
    event.kind = Kind::kRelease;
    event.version = OneOf<const char*>(random, {"v1", "v2", "v3", "v3"});
  } else if (die < 7) {
    event.kind = Kind::kCrash;
    event.number = Between(random, 0, 40);
  } else if (die == 7) {
    event.kind = Kind::kPartition;
    event.number = Between(random, 5, 60);
  } else if (die == 8) {
    event.kind = Kind::kDropWatches;
    event.number = Between(random, 0, 1);
  } else if (die == 9) {
    event.kind = Kind::kMetrics;
    event.number = Between(random, 10, 90);
  } else if (die == 10) {
    event.kind = Kind::kSecondAgent;
    event.number = Between(random, 5, 120);
  } else if (die == 11 && setup.kind != "DaemonSet" && setup.max_replicas == 0) {
    event.kind = Kind::kScale;
    event.number = Between(random, 2, 7);
  } else if (die == 12) {
    event.kind = Kind::kTouchRoute;
  } else if (die == 13) {
    event.kind = Kind::kKillPod;
  } else if (die == 14 && random.Chance(0.5)) {
    event.kind = Kind::kUnpause;
  } else if (die == 15 && random.Chance(0.5)) {
    event.kind = Kind::kDelete;
    event.number = Between(random, 0, 1);
  } else {
    event.kind = Kind::kCrash;
  }
  return event;
}

void DrawEvents(Random& random, Plan& plan) {
  plan.events.push_back({.at = seconds(1), .kind = Kind::kRelease, .version = "v2"});
  const int64_t count = random.Chance(0.35) ? 0 : Between(random, 1, 5);
  for (int64_t i = 0; i < count; ++i) plan.events.push_back(DrawEvent(random, *plan.setup));
  std::stable_sort(plan.events.begin(), plan.events.end(),
                   [](const Event& a, const Event& b) { return a.at < b.at; });
}

void DrawGuard(Random& random, Plan& plan) {
  std::string& extra = plan.guard_extra;
  extra += StrCat("  bake: ", OneOf<const char*>(random, {"5s", "20s", "1m"}), "\n");
  extra += "  rollback:\n    verify: {for: 10s}\n";
  extra += StrCat("    cooldown: ", OneOf<const char*>(random, {"0s", "0s", "2m", "10m"}), "\n");
  extra += StrCat("    maxPerHour: ", OneOf<const char*>(random, {"100", "100", "1"}), "\n");
  extra +=
      StrCat("    onTrigger: ",
             OneOf<const char*>(random, {"immediate", "immediate", "immediate", "gradual"}), "\n");
}

}  // namespace

const char* ToString(Quality quality) {
  switch (quality) {
    case Quality::kGood: return "good";
    case Quality::kFailing: return "failing";
    case Quality::kAlerted: return "alerted";
    case Quality::kCrashing: return "crashing";
    case Quality::kUnready: return "unready";
    case Quality::kUnpullable: return "unpullable";
  }
  return "?";
}

bool NeverWorks(Quality quality) {
  return quality == Quality::kCrashing || quality == Quality::kUnready ||
         quality == Quality::kUnpullable;
}

Quality Plan::QualityOf(const std::string& version) const {
  auto found = versions.find(version);
  return found != versions.end() ? found->second : Quality::kGood;
}

bool Plan::Has(Event::Kind kind) const {
  return std::any_of(events.begin(), events.end(),
                     [&](const Event& event) { return event.kind == kind; });
}

bool Plan::SeesLate() const {
  return faults.error_before > 0 || faults.slow > 0 || faults.watch_stale > 0 ||
         Has(Kind::kPartition) || Has(Kind::kDropWatches);
}

bool Plan::AllIsWell() const {
  for (const auto& [version, quality] : versions) {
    if (quality != Quality::kGood) return false;
  }
  for (Kind kind : {Kind::kCommand, Kind::kDelete, Kind::kUnpause, Kind::kKillPod, Kind::kScale}) {
    if (Has(kind)) return false;
  }
  return true;
}

namespace {

// One seed in eight plays another controller's workload; the others draw what they always drew.
const Setup& DrawSetup(uint64_t seed) {
  constexpr uint64_t kEvery = 8, kWhich = 6;
  const std::vector<Setup>& external = ExternalSetups();
  if (seed % kEvery == kWhich) return external[seed / kEvery % external.size()];
  return Setups()[seed % Setups().size()];
}

}  // namespace

Plan DrawPlan(uint64_t seed, const Setup* setup) {
  Plan plan = DrawPlainPlan(seed, setup);
  plan.besides = DrawBesides(seed, *plan.setup);
  return plan;
}

Plan DrawPlainPlan(uint64_t seed, const Setup* setup) {
  Random random(seed * 7919 + 13);
  Plan plan;
  plan.seed = seed;
  plan.setup = setup != nullptr ? setup : &DrawSetup(seed);
  plan.replicas = plan.setup->kind == "DaemonSet" ? 3 : Between(random, 2, 5);
  plan.versions["v2"] = DrawQuality(random);
  plan.versions["v3"] = DrawQuality(random);
  plan.faults = DrawFaults(random);
  DrawCrashes(random, plan);
  DrawEvents(random, plan);
  DrawGuard(random, plan);
  plan.delete_at_end = random.Chance(0.25) && plan.setup->kind != "StatefulSet";
  return plan;
}

Plan OneRelease(const std::string& setup, Quality quality, const std::string& bake) {
  Plan plan;
  plan.seed = 99;
  plan.setup = FindSetup(setup);
  plan.versions["v2"] = quality;
  plan.guard_extra =
      StrCat("  bake: ", bake, "\n  rollback:\n    verify: {for: 10s}\n    cooldown: 0s\n");
  plan.events = {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"}};
  return plan;
}

sim::RevisionBehaviour BehaviourOf(Quality quality) {
  sim::RevisionBehaviour behaviour;
  behaviour.drain = seconds(10);
  behaviour.terminate_after = seconds(11);
  behaviour.error_ratio = quality == Quality::kFailing ? 0.3 : 0;
  if (quality == Quality::kCrashing) behaviour.crash_after = seconds(8);
  behaviour.never_ready = quality == Quality::kUnready;
  behaviour.image_pull_fails = quality == Quality::kUnpullable;
  return behaviour;
}

std::string Describe(const Event& event) {
  switch (event.kind) {
    case Kind::kRelease: return StrCat("somebody sets the template of ", event.version);
    case Kind::kCommand:
      return StrCat("somebody says ", release::ToString(event.verb), event.full ? " --full" : "");
    case Kind::kScale: return StrCat("somebody scales to ", event.number);
    case Kind::kCrash: return StrCat("the agent is killed for ", event.number, "s");
    case Kind::kPartition: return StrCat("the agent is cut off for ", event.number, "s");
    case Kind::kDropWatches: return event.number == 1 ? "watches are gone" : "watches are dropped";
    case Kind::kMetrics: return StrCat("metrics are down for ", event.number, "s");
    case Kind::kSecondAgent: return StrCat("a second agent runs for ", event.number, "s");
    case Kind::kUnpause: return "somebody unpauses the target";
    case Kind::kTouchRoute: return "the owner edits the routing object";
    case Kind::kKillPod: return "a pod dies";
    case Kind::kDelete:
      return StrCat("the guard is deleted", event.number == 1 ? " and created again" : "");
  }
  return "?";
}

namespace {

const char* TargetVersion(const Setup& setup) {
  switch (setup.carrier) {
    case Setup::Carrier::kAgent: return "apps/v1";
    case Setup::Carrier::kArgo: return "argoproj.io/v1alpha1";
    case Setup::Carrier::kFlagger: return "flagger.app/v1beta1";
  }
  return "?";
}

}  // namespace

std::string GuardYaml(const Plan& plan) {
  bool rules = false;
  for (const auto& [version, quality] : plan.versions) {
    rules = rules || quality == Quality::kFailing;
  }
  std::string extra = plan.guard_extra;
  if (rules) extra = ReplaceAll(extra, "  rollback:\n", "  rollback:\n    rules: [errors]\n");
  if (plan.besides.approve_back) {
    for (const char* word : {"immediate", "gradual"})
      extra = ReplaceAll(extra, StrCat("onTrigger: ", word), "onTrigger: approval");
  }
  return StrCat(
      "apiVersion: rollguard.dev/v1alpha1\nkind: Guard\n"
      "metadata: {name: checkout, namespace: shop}\nspec:\n"
      "  target: {apiVersion: ",
      TargetVersion(*plan.setup), ", kind: ", plan.setup->kind,
      ", name: checkout}\n  progressDeadline: 90s\n", BesidesYaml(plan.besides), extra,
      "    alerts: [{matchers: ['severity=\"critical\"'], action: rollback}]\n",
      "  strategy:\n    ", StrategyYaml(plan), "\n");
}

std::string Describe(const Plan& plan) {
  std::string out =
      StrCat("seed ", plan.seed, ": ", plan.setup->name, ", ", plan.replicas, " replicas");
  for (const auto& [version, quality] : plan.versions) {
    out += StrCat(", ", version, " ", ToString(quality));
  }
  if (plan.faults.error_before > 0) out += ", rough API";
  for (const WriteCrash& crash : plan.crashes) {
    out += StrCat(", killed ", crash.after_effect ? "after" : "at", " write ", crash.nth);
  }
  out += Describe(plan.besides);
  out += "\n" + plan.guard_extra;
  for (const Event& event : plan.events) {
    out += StrCat("  +", FormatShortDuration(event.at), " ", Describe(event), "\n");
  }
  return out;
}

}  // namespace rollguard::simulation
