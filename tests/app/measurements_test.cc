// SPDX-License-Identifier: Apache-2.0
// What is kept of a release's measurements: enough to draw it, bounded however long it takes.
#include "agent/app/measurements.h"

#include <map>

#include "agent/base/text.h"
#include "agent/history/memory_history.h"
#include "agent/sim/scheduler.h"
#include "tests/support/catch.h"

namespace rollguard::app {
namespace {

using namespace std::chrono_literals;

struct Fixture {
  sim::Scheduler clock;
  history::MemoryHistory history;
  Measurements measurements{history, clock};
  spec::Guard guard;
  spec::Rule rule;
  analysis::RuleState state;
  release::GuardState release;

  Fixture() {
    guard.metadata.ns = "shop";
    guard.metadata.name = "cart";
    rule.name = "HighErrorRate";
    state.ever_evaluated = true;
    state.phase = analysis::RulePhase::kInactive;
    release.release.emplace();
    release.release->id = "r1";
  }
  void Change() {
    release::Observation observation;
    observation.now = clock.Now();
    measurements.Changed(guard, {}, release, observation);
  }
  void Look(double value) {
    state.value = value;
    state.evaluated = clock.Now();
    RuleReading reading;
    reading.guard = "shop/cart";
    reading.release = "r1";
    reading.rule = &rule;
    reading.state = &state;
    reading.threshold = analysis::Threshold{.value = 0.01};
    measurements.Observed(reading);
  }
  std::map<std::string, int> Counts() {
    std::map<std::string, int> counts;
    auto rows = history.Measurements({.limit = 100'000});
    for (const auto& row : *rows) ++counts[row.metric];
    return counts;
  }
};

}  // namespace

TEST_CASE("a day of looks every 15 s is a few hundred rows, the first minutes all of them",
          "[measurements]") {
  Fixture f;
  f.Change();
  for (int i = 0; i < 40; ++i) {
    f.Look(0.001);
    f.clock.RunFor(15s);
  }
  CHECK(f.Counts()["HighErrorRate"] == 40);
  for (int i = 40; i < 4 * 60 * 24; ++i) {
    f.Look(0.001);
    f.clock.RunFor(15s);
  }
  CHECK(f.Counts()["HighErrorRate"] > 100);
  CHECK(f.Counts()["HighErrorRate"] < 500);
  CHECK(f.Counts()["HighErrorRate|limit"] == 1);
  // A verdict that changes is kept at once.
  int before = f.Counts()["HighErrorRate"];
  f.state.phase = analysis::RulePhase::kPending;
  f.Look(0.4);
  f.Look(0.5);
  CHECK(f.Counts()["HighErrorRate"] == before + 1);
  auto newest = f.history.Measurements({.limit = 1});
  CHECK(newest->at(0).value == 0.4);
  CHECK(newest->at(0).verdict == "pending");
}

TEST_CASE("weights are kept when they change, scores thin out, and nothing outside a release",
          "[measurements]") {
  Fixture f;
  f.Look(0.5);
  CHECK(f.Counts().empty());
  f.Change();
  f.Change();
  f.release.release->weight = 20;
  f.release.scores = {0.97};
  f.Change();
  f.Change();
  CHECK(f.Counts()["|weight"] == 2);
  CHECK(f.Counts()["|score"] >= 1);
  // Lines of one release are bounded.
  for (int i = 0; i < 100; ++i) {
    f.measurements.Observed(
        AnalysisReading{"shop/cart", StrCat("metric-", i), f.clock.Now(), 1.0, "Successful"});
  }
  CHECK(f.Counts().size() <= Measurements::kMaxLines + 1);
  f.release.release.reset();
  f.Change();
  size_t lines = f.Counts().size();
  f.Look(0.5);
  CHECK(f.Counts().size() == lines);
}

}  // namespace rollguard::app
