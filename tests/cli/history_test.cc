// SPDX-License-Identifier: Apache-2.0
// explain, replay, history, stats and audit verify over a history that a real Step was recorded in.
#include <filesystem>

#include "agent/app/recorder.h"
#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/history/open.h"
#include "agent/history/pack.h"
#include "agent/release/observe.h"
#include "agent/release/step.h"
#include "agent/spec/load.h"
#include "tests/cli/call.h"
#include "tests/support/catch.h"
#include "tests/support/real_clock.h"

namespace rollguard::cli {
namespace {

constexpr const char* kGuard = R"({"apiVersion":"rollguard.dev/v1alpha1","kind":"Guard",
"metadata":{"name":"checkout","namespace":"shop","uid":"u1"},
"spec":{"target":{"apiVersion":"apps/v1","kind":"Deployment","name":"checkout"},
"strategy":{"rolling":{}}}})";

constexpr const char* kTarget = R"({"apiVersion":"apps/v1","kind":"Deployment",
"metadata":{"name":"checkout","namespace":"shop","uid":"d1","generation":1,"resourceVersion":"5"},
"spec":{"replicas":2,"selector":{"matchLabels":{"app":"checkout"}},
"template":{"metadata":{"labels":{"app":"checkout"}},"spec":{"containers":[{"name":"app","image":"a:1"}]}}},
"status":{"observedGeneration":1,"replicas":2,"updatedReplicas":2,"readyReplicas":2,"availableReplicas":2}})";

const Time kNow = FromUnixMillis(1'790'000'000'000);

// A history with one decision (the guard takes the Deployment over) and three releases.
struct Kept {
  TempFile file{""};
  std::string decision;

  Kept() {
    testing::RealClock clock;
    history::SqlHistory history([this] { return history::OpenSqlite(file.path()); }, {}, clock);
    REQUIRE(history.Start().ok());
    Json object = *ParseJson(kGuard), target = *ParseJson(kTarget);
    auto guard = spec::ParseGuard(object);
    REQUIRE(guard.ok());
    Json set = Json::Obj(
        {{"apiVersion", "apps/v1"},
         {"kind", "ReplicaSet"},
         {"metadata", *ParseJson(R"({"name":"checkout-1","namespace":"shop",
"labels":{"pod-template-hash":"1"},"annotations":{"deployment.kubernetes.io/revision":"1"},
"ownerReferences":[{"kind":"Deployment","name":"checkout","uid":"d1","controller":true}]})")},
         {"spec", Json::Obj({{"replicas", 2}, {"template", target.At("spec", "template")}})},
         {"status", *ParseJson(R"({"replicas":2,"readyReplicas":2})")}});
    release::WorldObjects world;
    world.target = &target;
    world.revisions = {&set};
    release::RevisionCache cache;
    release::GuardState state;
    auto seen = release::Observe(*guard, state, world, kNow, cache);
    auto result = release::Step(*guard, state, seen);
    app::Recorder recorder(history);
    recorder.Stepped({*guard, object, state, seen, result});
    for (const auto& action : result.actions) {
      const auto* record = std::get_if<release::RecordDecision>(&action);
      if (record == nullptr) continue;
      decision = record->decision.id;
      recorder.Decided(*guard, record->decision);
    }
    REQUIRE_FALSE(decision.empty());
    for (int i = 0; i < 3; ++i) {
      ReleaseRow row;
      row.id = StrCat("r", i);
      row.guard = "shop/checkout";
      row.strategy = "canary";
      row.started = clock.Now() - std::chrono::hours(i + 1);
      row.ended = row.started + std::chrono::minutes(10);
      row.outcome = i == 0 ? "rolled_back" : "promoted";
      if (i == 0) {
        row.trigger = "HighErrorRate";
        row.trigger_kind = "rule";
        row.trigger_at = row.started + std::chrono::minutes(5);
        row.safe_at = *row.trigger_at + std::chrono::seconds(2);
        row.right = true;
      }
      history.PutRelease(row);
    }
    REQUIRE(history.Flush(std::chrono::seconds(20)));
  }

  Outcome Ask(std::vector<std::string> args) {
    args.insert(args.end(), {"--history", file.path()});
    return Call(std::move(args));
  }
  void Forge(const std::string& sql) {
    auto database = history::OpenSqlite(file.path());
    REQUIRE(database->Open().ok());
    REQUIRE(database->Execute(sql).ok());
  }
};

}  // namespace

TEST_CASE("a decision is explained", "[cli]") {
  Kept kept;
  Outcome text = kept.Ask({"explain", kept.decision});
  INFO(text.out);
  CHECK(text.code == kOk);
  for (const char* part : {"shop/checkout", "Adopting", "adopt", "taken over", "rollguard"}) {
    INFO(part);
    CHECK(text.out.find(part) != std::string::npos);
  }
  auto json = ParseJson(kept.Ask({"explain", kept.decision, "-o", "json"}).out);
  REQUIRE(json.ok());
  CHECK(json->At("decision", "id").Str() == kept.decision);
  CHECK(json->At("replayable").BoolOr(false));
  CHECK(kept.Ask({"explain", "nothing"}).code == kFound);
  CHECK(Call({"explain", "x"}).code == kFound);
  CHECK(Call({"explain"}).code == kUsage);
  CHECK(Call({"explain", "x", "--history", "/nowhere/h.db"}).code == kFound);
}

TEST_CASE("a decision is replayed; a forged one comes out differently", "[cli]") {
  Kept kept;
  Outcome same = kept.Ask({"replay", kept.decision});
  CHECK(same.code == kOk);
  CHECK(same.out.find("replayed to the same answer") != std::string::npos);
  Outcome all = kept.Ask({"replay", "--all"});
  CHECK(all.code == kOk);
  CHECK(all.out == "1 of 1 decisions came out the same\n");
  CHECK(kept.Ask({"replay"}).code == kUsage);

  // The record says another revision was seen than the decision was made for.
  testing::RealClock clock;
  auto factory = history::FactoryFor(kept.file.path());
  REQUIRE(factory.ok());
  history::SqlHistory reader(*factory, {}, clock);
  auto stored = reader.Find({.kind = "decision", .limit = 1});
  std::string hash = stored->at(0).record.body.At("given").Str();
  std::string text = *reader.Given(hash);
  std::string forged = ReplaceAll(text, "\"replicas\":2", "\"replicas\":3");
  REQUIRE(forged != text);
  kept.Forge(StrCat("UPDATE givens SET body = '", history::Pack(forged), "'"));
  Outcome other = kept.Ask({"replay", kept.decision});
  INFO(other.out);
  CHECK(other.code == kFound);
  CHECK(other.out.find("ANOTHER answer") != std::string::npos);
  Outcome verified = kept.Ask({"audit", "verify"});
  CHECK(verified.code == kFound);
  CHECK(verified.out.find("was changed") != std::string::npos);
}

TEST_CASE("history lists, stats counts", "[cli]") {
  Kept kept;
  Outcome releases = kept.Ask({"history"});
  CHECK(releases.code == kOk);
  CHECK(releases.out.find("HighErrorRate (rule)") != std::string::npos);
  auto rows = ParseJson(kept.Ask({"history", "releases", "--since", "90m", "-o", "json"}).out);
  REQUIRE(rows.ok());
  CHECK(rows->size() == 1);
  Outcome decisions = kept.Ask({"history", "decisions", "--guard", "shop/checkout"});
  CHECK(decisions.out.find(kept.decision) != std::string::npos);
  CHECK(kept.Ask({"history", "decisions", "--guard", "shop/other"}).out.find(kept.decision) ==
        std::string::npos);
  CHECK(kept.Ask({"history", "desicions"}).code == kUsage);
  CHECK(kept.Ask({"history", "--since", "soon"}).code == kUsage);

  Outcome stats = kept.Ask({"stats"});
  INFO(stats.out);
  CHECK(stats.code == kOk);
  for (const char* part :
       {"promoted 2, rolled back 1", "33.3 %", "2s (median)", "HighErrorRate", "precision 100 %"}) {
    INFO(part);
    CHECK(stats.out.find(part) != std::string::npos);
  }
  auto by_guard = ParseJson(kept.Ask({"stats", "--by", "guard", "-o", "json"}).out);
  REQUIRE(by_guard.ok());
  CHECK(by_guard->Find("shop/checkout") != nullptr);
}

TEST_CASE("audit verify finds one changed byte", "[cli]") {
  Kept kept;
  Outcome fine = kept.Ask({"audit", "verify"});
  CHECK(fine.code == kOk);
  CHECK(fine.out == "1 rows and 1 records of decisions, nothing was changed\n");
  kept.Forge("UPDATE facts SET body = REPLACE(body, 'taken', 'token')");
  Outcome forged = kept.Ask({"audit", "verify"});
  CHECK(forged.code == kFound);
  CHECK(forged.out.find("row 1 of chain rollguard") != std::string::npos);
}

}  // namespace rollguard::cli
