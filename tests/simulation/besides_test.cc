// SPDX-License-Identifier: Apache-2.0
// What holds of hooks, configuration, freezes and approvals is shown able to fail, each by a story
// in which it is broken on purpose.
#include "agent/base/text.h"
#include "tests/simulation/harness/simulation.h"
#include "tests/support/catch.h"

namespace rollguard::simulation {
namespace {

Plan Canary(Quality quality) {
  Plan plan = OneRelease("canary istio subsets", quality, "20s");
  plan.guard_extra += "    onTrigger: immediate\n";
  return plan;
}

// A whole release, after which all is well; what is done to it then must be named.
struct Played : Simulation {
  explicit Played(Plan plan) : Simulation(std::move(plan)) {
    REQUIRE(SetUp());
    Happen(this->plan().events[0]);
    REQUIRE(RunUntil([this] { return checker().state()->last.has_value(); }, minutes(15)));
    RunFor(minutes(1));
    checker().CheckAtRest();
    REQUIRE(checker().violations() == std::vector<std::string>{});
  }
  bool Named(const std::string& what) {
    for (const std::string& violation : checker().violations()) {
      if (violation.find(what) != std::string::npos) return true;
    }
    return false;
  }
  // The status as it would be with that change.
  void Status(const std::function<void(release::GuardState&)>& change) {
    release::GuardState state = *checker().state();
    change(state);
    world().api().Update({world().api().TypeId("rollguard.dev", "guards"), kNs, kApp},
                         [&](Json& guard) { guard.Set("status", release::ToJson(state)); });
  }
};

release::ReleaseState ReleaseAt(int64_t weight) {
  release::ReleaseState release;
  release.id = "one";
  release.candidate = "cand";
  release.wanted.candidate = weight;
  return release;
}

TEST_CASE("besides: configuration that is not the stable version's") {
  Plan plan = Canary(Quality::kAlerted);
  plan.besides.configured = true;
  Played played(plan);
  CHECK(played.checker().StableImage() == ImageOf("v1"));
  sim::ApiServer& api = played.world().api();
  api.Update({api.TypeId("", "secrets"), kNs, "keys"},
             [](Json& secret) { secret.Set("data", KeysOf("v2").At("data")); });
  played.checker().CheckAtRest();
  CHECK(played.Named("config: keys is not that of the stable version v1"));
}

TEST_CASE("besides: a Job that runs twice, and one that never ran") {
  Plan plan = Canary(Quality::kGood);
  plan.besides.hooks = Besides::Hooks::kGood;
  Played played(plan);
  sim::ApiServer& api = played.world().api();
  const std::string name = StrCat("checkout-", played.checker().state()->last->release, "-after");
  const sim::ObjectKey key{api.TypeId("batch", "jobs"), kNs, name};
  sim::ObjectPtr job = api.Get("batch", "jobs", kNs, name);
  REQUIRE(job != nullptr);
  Json again = *job;
  api.Purge(key);
  for (const char* member : {"uid", "resourceVersion"}) again["metadata"].Erase(member);
  REQUIRE(played.world().Load(again).ok());
  CHECK(played.Named(StrCat("hook: Job ", name, " ran twice")));
  played.Status([](release::GuardState& state) { state.last->release = "other"; });
  played.checker().CheckAtRest();
  CHECK(played.Named("hook: release other is promoted without before"));
}

TEST_CASE("besides: something begins, or goes on, in a freeze") {
  Plan plan = Canary(Quality::kGood);
  plan.besides.frozen_from = minutes(30);
  plan.besides.frozen_for = minutes(20);
  Played played(plan);
  played.Happen({.kind = Event::Kind::kCrash, .number = 100'000});
  played.RunFor(minutes(35));
  played.Status([&](release::GuardState& state) {
    release::Decision start;
    start.id = "again";
    start.verdict = release::Verdict::kStart;
    start.at = played.world().scheduler().Now();
    start.reason = "release of something begins";
    state.decisions.push_back(start);
    state.release = ReleaseAt(10);
    state.phase = release::Phase::kProgressing;
  });
  CHECK(played.Named("frozen: in a freeze: release of something begins"));
  played.Status([](release::GuardState& state) { state.release->wanted.candidate = 50; });
  CHECK(played.Named("frozen: in a freeze the candidate was to get 50 % instead of 10"));
}

TEST_CASE("besides: nobody had approved") {
  Plan plan = Canary(Quality::kAlerted);
  Played played(plan);
  played.Happen({.kind = Event::Kind::kCrash, .number = 100'000});
  played.Status([](release::GuardState& state) {
    state.release = ReleaseAt(50);
    state.release->awaiting_approval = true;
    state.phase = release::Phase::kRollingBack;
  });
  played.RunFor(minutes(1));
  ClusterRequest request;
  request.verb = Verb::kPatch;
  request.type = {"", "v1", "services", "Service", true};
  request.ns = kNs;
  request.name = kApp;
  request.body = *ParseJson(R"({"metadata":{"labels":{"touched":"yes"}}})");
  sim::ApiReply reply = played.world().api().Serve(request);
  played.checker().Wrote(request, reply, true);
  CHECK(played.Named("approval: Service checkout was written while the rollback waits"));
}

TEST_CASE("besides: a step goes past an approval") {
  Plan plan = Canary(Quality::kGood);
  plan.besides.approve_step = true;
  Simulation waits(plan);
  REQUIRE(waits.SetUp());
  waits.Happen(plan.events[0]);
  REQUIRE(waits.RunUntil(
      [&] {
        return waits.checker().state()->release && waits.checker().state()->release->step == 2;
      },
      minutes(10)));
  waits.RunFor(minutes(10));
  CHECK(waits.checker().state()->release->step == 2);
  CHECK(waits.checker().violations() == std::vector<std::string>{});
  release::GuardState state = *waits.checker().state();
  state.release->step = 3;
  waits.world().api().Update({waits.world().api().TypeId("rollguard.dev", "guards"), kNs, kApp},
                             [&](Json& guard) { guard.Set("status", release::ToJson(state)); });
  REQUIRE(waits.checker().violations().size() == 1);
  CHECK(waits.checker().violations()[0].find("approval: step 3 began and nobody had approved") !=
        std::string::npos);
}

}  // namespace
}  // namespace rollguard::simulation
