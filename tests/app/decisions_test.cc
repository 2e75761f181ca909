// SPDX-License-Identifier: Apache-2.0
// What is kept of decisions: enough to show them and to take them again, and a row per release that
// says what took it back and whether that was right.
#include <chrono>

#include "agent/app/explain.h"
#include "agent/base/text.h"
#include "agent/history/pack.h"
#include "tests/app/sim_rig.h"
#include "tests/support/catch.h"

namespace rollguard::app {
namespace {

using namespace std::chrono_literals;
using release::Phase;
using release::Verdict;
using rollguard::testing::CanaryYaml;
using rollguard::testing::SimRig;

// Every decision in the history replays from what is kept with it. Returns the stored bytes of all.
size_t ReplayAll(History& history, size_t& decisions) {
  auto found = history.Find({.kind = "decision", .limit = 10'000});
  REQUIRE(found.ok());
  size_t bytes = 0;
  for (const StoredRecord& one : *found) {
    INFO(one.record.body.Dump());
    auto given = history.Given(one.record.body.At("given").Str());
    REQUIRE(given.ok());
    bytes += history::Pack(*given).size();
    auto record = ParseJson(*given);
    REQUIRE(record.ok());
    auto replayed = release::Replay(*record);
    REQUIRE(replayed.ok());
    CHECK(replayed->Same());
    bool has_it = false;
    for (const release::Action& action : replayed->result.actions) {
      const auto* decided = std::get_if<release::RecordDecision>(&action);
      has_it = has_it || (decided != nullptr && decided->decision.id == one.record.id);
    }
    CHECK(has_it);
  }
  decisions = found->size();
  return bytes;
}

}  // namespace

TEST_CASE("a good release and a bad one can be told and taken again", "[app]") {
  SimRig rig({CanaryYaml("checkout", "", "    verify: {for: 2m}\n")});
  rig.Release("checkout", "v2");
  REQUIRE(rig.RunToTraffic("checkout", 20, 5min));
  REQUIRE(rig.RunToEnd("checkout", 30min));
  rig.Release("checkout", "v3");
  REQUIRE(rig.RunToTraffic("checkout", 20, 5min));
  Time began = rig.scheduler().Now() - 1s;
  alerts::Alert alert = rig.Firing("TooManyErrors", "checkout", began);
  CHECK(rig.agent->alerts().Receive({alert})[0].disposition == alerts::Disposition::kTrigger);
  REQUIRE(rig.RunToPhase("checkout", Phase::kVerifying, 10min));
  alert.status = alerts::AlertStatus::kResolved;
  rig.agent->alerts().Receive({alert});
  REQUIRE(rig.RunToEnd("checkout", 30min));
  rig.scheduler().RunFor(1min);

  auto rows = rig.history.Releases({.limit = 10});
  REQUIRE(rows.ok());
  REQUIRE(rows->size() == 2);
  const ReleaseRow& bad = rows->at(0);
  CHECK(rows->at(1).outcome == "promoted");
  CHECK(bad.outcome == "rolled_back");
  CHECK(bad.trigger == "TooManyErrors");
  CHECK(bad.trigger_kind == "alert");
  CHECK(bad.trigger_at == began);
  CHECK(bad.right == true);
  REQUIRE(bad.safe_at.has_value());
  CHECK(*bad.safe_at > began);
  CHECK(*bad.safe_at < *bad.ended);

  size_t decisions = 0;
  size_t bytes = ReplayAll(rig.history, decisions);
  CHECK(decisions == rig.decisions.size());
  INFO("kept " << bytes / decisions << " bytes for each of " << decisions << " decisions");
  CHECK(bytes / decisions < 16'384);
  std::printf("decision records: %zu, kept %zu bytes each, as text %llu\n", decisions,
              bytes / decisions,
              static_cast<unsigned long long>(rig.replays.bytes() / rig.replays.replayed()));
  rig.CheckReplays();
}

TEST_CASE("a rollback that cured nothing counts against its alert", "[app]") {
  SimRig rig({CanaryYaml("checkout", "", "    verify: {for: 2m}\n")});
  rig.Release("checkout", "v2");
  REQUIRE(rig.RunToTraffic("checkout", 20, 5min));
  rig.agent->alerts().Receive({rig.Firing("Platform", "checkout", rig.scheduler().Now())});
  REQUIRE(rig.RunToEnd("checkout", 30min));
  auto rows = rig.history.Releases({.limit = 1});
  REQUIRE(rows->size() == 1);
  CHECK(rows->at(0).outcome == "rolled_back");
  CHECK(rows->at(0).right == false);
  rig.CheckReplays();
}

TEST_CASE("a decision is told in words", "[app]") {
  SimRig rig({CanaryYaml("checkout")});
  rig.Release("checkout", "v2");
  REQUIRE(rig.RunToTraffic("checkout", 20, 5min));
  rig.agent->alerts().Receive({rig.Firing("TooManyErrors", "checkout", rig.scheduler().Now())});
  REQUIRE(rig.RunToPhase("checkout", Phase::kVerifying, 10min));
  for (const release::Decision& decision : rig.decisions) {
    auto stored = rig.history.Find({.kind = "decision", .id = decision.id, .limit = 1});
    REQUIRE(stored->size() == 1);
    const HistoryRecord& record = stored->at(0).record;
    auto given = rig.history.Given(record.body.At("given").Str());
    auto rows = rig.history.Releases({.id = record.release, .limit = 1});
    std::optional<ReleaseRow> row;
    if (!rows->empty()) row = rows->at(0);
    std::string text = ExplainDecision(record, *ParseJson(*given), row);
    INFO(text);
    CHECK(text.find(decision.reason) != std::string::npos);
    CHECK(text.find(decision.id) != std::string::npos);
    if (decision.verdict != Verdict::kRollBack) continue;
    for (const char* part : {"TooManyErrors", "alert", "critical", "deployment=checkout",
                             "VirtualService shop/checkout-route", "rollguard"}) {
      INFO(part);
      CHECK(text.find(part) != std::string::npos);
    }
  }
}

}  // namespace rollguard::app
