// SPDX-License-Identifier: Apache-2.0
// A cluster whose store was put back to an older state.
#include "agent/app/read_back.h"
#include "agent/app/store_pulse.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "tests/app/sim_rig.h"
#include "tests/support/catch.h"

namespace rollguard::app {
namespace {

using namespace std::chrono_literals;
using testing::CanaryYaml;
using testing::SimRig;

Json Call(SimRig& rig, Verb verb, const std::string& subresource = "", Json body = {}) {
  ClusterRequest request;
  request.verb = verb;
  request.type = kube::resources::Guards();
  request.ns = "shop";
  request.name = "checkout";
  request.subresource = subresource;
  request.body = std::move(body);
  auto object = rig.world.api().Call(request);
  REQUIRE(object.ok());
  return *object;
}

// The status alone goes back, as if with its store.
void PutBack(SimRig& rig, Json status) {
  Json object = Call(rig, Verb::kGet);
  object.Set("status", std::move(status));
  (void)Call(rig, Verb::kReplace, "status", std::move(object));
}

// The status in the middle of a release that has ended since.
Json OlderStatus(SimRig& rig) {
  rig.Release("checkout", "v2");
  REQUIRE(rig.RunToTraffic("checkout", 20, 10min));
  Json older = Call(rig, Verb::kGet).At("status");
  REQUIRE(rig.RunToEnd("checkout", 30min));
  return older;
}

bool Refused(SimRig& rig) {
  auto state = release::StateFromJson(Call(rig, Verb::kGet).At("status"));
  REQUIRE(state.ok());
  const release::Condition* condition = state->FindCondition("OlderState");
  return condition != nullptr && condition->status;
}

TEST_CASE("a state that went back is refused, in words, until a person accepts it", "[app]") {
  SimRig rig({CanaryYaml("checkout")});
  const Json older = OlderStatus(rig);
  const Json newest = Call(rig, Verb::kGet).At("status");
  const size_t decided = rig.decisions.size();

  SECTION("while the agent runs") {}
  SECTION("while it was away: its history knows") {
    rig.KillAgent();
    auto earlier = ReadBackFrom(rig.history, rig.scheduler().Now());
    REQUIRE(earlier.ok());
    CHECK(earlier->newest.at("shop/checkout") == rig.decisions.back().id);
    PutBack(rig, older);
    rig.StartAgent();
    rig.agent->controller().Remember(earlier->newest);
  }
  PutBack(rig, older);
  REQUIRE(rig.RunUntil([&] { return Refused(rig); }, 1min));
  rig.scheduler().RunFor(30min);
  CHECK(rig.decisions.size() == decided);
  CHECK(Call(rig, Verb::kGet).At("status", "sequence") == older.At("sequence"));
  const std::string accept =
      StrCat("rollguard.dev/accept-older-state=", newest.At("sequence").IntOr(0), " --overwrite");
  CHECK(rig.Waits("checkout").find(accept) != std::string::npos);
  REQUIRE_FALSE(rig.told.empty());
  INFO(rig.told.back());
  CHECK(rig.told.back().starts_with("olderState "));

  auto annotate = [&](int64_t sequence) {
    (void)Call(
        rig, Verb::kPatch, "",
        Json::Obj(
            {{"metadata", Json::Obj({{"annotations", Json::Obj({{"rollguard.dev/accept-older-state",
                                                                 StrCat(sequence)}})}})}}));
  };
  annotate(newest.At("sequence").IntOr(0) - 1);  // another loss than this one
  rig.scheduler().RunFor(1min);
  CHECK(Refused(rig));
  annotate(newest.At("sequence").IntOr(0));
  REQUIRE(rig.RunUntil([&] { return !Refused(rig); }, 1min));
  CHECK(Call(rig, Verb::kGet).At("status", "sequence").IntOr(0) >
        newest.At("sequence").IntOr(0));  // no decision gets an id that was used
  CHECK(rig.RunUntil([&] { return rig.decisions.size() > decided; }, 1s));
  rig.CheckReplays();
}

TEST_CASE("what a history knows of another object of that name says nothing", "[app]") {
  SimRig rig({CanaryYaml("checkout")});
  (void)OlderStatus(rig);
  rig.KillAgent();
  rig.StartAgent();
  rig.agent->controller().Remember({{"shop/checkout", "zzzzzzzzzz"}});
  rig.scheduler().RunFor(1min);
  CHECK_FALSE(Refused(rig));
}

// A store with a version, and a clock that a test turns.
class Store : public Cluster, public Timers {
 public:
  void Call(ClusterRequest, ClusterDone done) override {
    if (version == 0) {
      done(Error(ErrorCode::kUnavailable, "away"));
    } else {
      done(Json::Obj({{"metadata", Json::Obj({{"resourceVersion", StrCat(version)}})}}));
    }
  }
  WatchId Watch(WatchRequest, WatchHandler) override { return 1; }
  void CancelWatch(WatchId) override {}
  TimerId After(Duration, std::function<void()> fn) override {
    next = std::move(fn);
    return 1;
  }
  void CancelTimer(TimerId) override {}

  int64_t version = 100;
  std::function<void()> next;
};

TEST_CASE("a store whose version falls has gone back; one that is away has not", "[app]") {
  Store store;
  std::vector<std::pair<int64_t, int64_t>> told;
  StorePulse pulse(store, store, "",
                   [&](int64_t from, int64_t to) { told.emplace_back(from, to); });
  pulse.Start();
  for (const int64_t version : {100, 150, 0, 150, 40, 41, 0, 39}) {
    store.version = version;
    auto ask = std::move(store.next);
    ask();
  }
  CHECK(told == std::vector<std::pair<int64_t, int64_t>>{{150, 40}, {41, 39}});
}

}  // namespace
}  // namespace rollguard::app
