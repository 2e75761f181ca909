// SPDX-License-Identifier: Apache-2.0
// Several replicas in one simulated cluster: who decides, who takes over, and who must not act.
#include <set>

#include "agent/app/simulation.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "tests/app/sim_rig.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

using namespace std::chrono_literals;
using release::Phase;
using release::Verdict;

// The rig's world with replicas of its own in place of the rig's only agent.
class Replicas : public app::Listener {
 public:
  explicit Replicas(const std::vector<std::string>& guards) : rig(guards) { rig.KillAgent(); }

  struct One {
    std::unique_ptr<sim::SimCluster> connection;
    std::unique_ptr<app::SimAgent> agent;
  };

  void Start(const std::string& name, int count = 4) {
    One& one = all[name];
    one.connection = rig.world.Connect();
    app::ShardKeeperOptions shards{
        .count = count, .ns = "default", .identity = name, .lease = 15s, .renew = 5s};
    one.agent = std::make_unique<app::SimAgent>(
        rig.scheduler(), *one.connection, rig.metrics, rig.history, spec::Library{},
        std::vector<app::Listener*>{this, &rig.replays}, ++seed_, nullptr, shards);
  }
  void Kill(const std::string& name) {
    all[name].connection->Crash();
    all.erase(name);
  }
  void Stop(const std::string& name) {
    One& one = all[name];
    bool stopped = false;
    one.agent->controller().Quiesce([&] { one.agent->keeper()->Stop([&] { stopped = true; }); });
    CHECK(Until([&] { return stopped; }, 1s));
    Kill(name);
  }
  bool Until(const std::function<bool()>& done, Duration limit) {
    return rig.RunUntil(done, limit);
  }
  int Shards(const std::string& name) {
    int owned = 0;
    if (!all.contains(name)) return 0;
    for (const auto& standing : all.at(name).agent->keeper()->Standings()) owned += standing.ours;
    return owned;
  }
  bool AllOwned() {
    std::vector<int> owners(4);
    for (auto& [name, one] : all) {
      for (const auto& s : one.agent->keeper()->Standings())
        owners[static_cast<size_t>(s.shard)] += s.ours;
    }
    return owners == std::vector<int>(4, 1);
  }
  // Who decides on the guard now; "" when nobody or more than one.
  std::string Owner(const std::string& guard) {
    std::string owner;
    for (auto& [name, one] : all) {
      if (!one.agent->keeper()->MayWrite(StrCat("shop/", guard))) continue;
      if (!owner.empty()) return "two of them";
      owner = name;
    }
    return owner;
  }
  app::SimAgent& OwnerOf(const std::string& guard) { return *all.at(Owner(guard)).agent; }
  release::GuardState State(const std::string& guard) {
    ClusterRequest get;
    get.type = kube::resources::Guards();
    get.ns = "shop";
    get.name = guard;
    auto object = rig.world.api().Call(get);
    REQUIRE(object.ok());
    status = object->At("status");
    auto state = release::StateFromJson(status);
    REQUIRE(state.ok());
    return *state;
  }
  size_t Count(Verdict verdict) const {
    size_t count = 0;
    for (const auto& decision : decisions) count += decision.verdict == verdict;
    return count;
  }

  void Decided(const spec::Guard&, const release::Decision& decision) override {
    decisions.push_back(decision);
  }
  void Changed(const spec::Guard&, const release::GuardState&, const release::GuardState&,
               const release::Observation&) override {}
  void Told(const spec::Guard&, const release::Notify&) override {}
  void Removed(const std::string&) override {}

  SimRig rig;
  std::map<std::string, One> all;
  std::vector<release::Decision> decisions;
  Json status;

 private:
  uint64_t seed_ = 100;
};

TEST_CASE("two replicas share the shards; when one dies the other finishes the rollback, once") {
  Replicas set({CanaryYaml("checkout"), CanaryYaml("cart")});
  set.Start("agent-0");
  set.Start("agent-1");
  REQUIRE(set.Until([&] { return set.AllOwned() && set.Shards("agent-0") == 2; }, 1min));
  REQUIRE(set.Until([&] { return set.State("checkout").phase == Phase::kIdle; }, 2min));
  set.rig.Release("checkout", "v2");
  REQUIRE(set.Until(
      [&] {
        auto state = set.State("checkout");
        return state.release && state.release->weight >= 20;
      },
      5min));
  const std::string owner = set.Owner("checkout");
  CHECK(set.status.At("owner", "replica").Str() == owner);

  // It dies right after it has decided to go back, before it has carried anything out.
  auto alert = set.rig.Firing("Broken", "checkout", set.rig.scheduler().Now());
  for (auto& [name, one] : set.all) (void)one.agent->alerts().Receive({alert});
  REQUIRE(set.Until([&] { return set.Count(Verdict::kRollBack) == 1; }, 1min));
  const Time died = set.rig.scheduler().Now();
  set.Kill(owner);
  REQUIRE(set.Until([&] { return set.AllOwned(); }, 1min));
  CHECK(set.rig.scheduler().Now() - died <= 16s);
  REQUIRE(set.Until(
      [&] {
        return set.State("checkout").last && set.State("checkout").last->outcome == "rolledBack";
      },
      10min));
  CHECK(set.Count(Verdict::kRollBack) == 1);
  CHECK(set.status.At("owner", "replica").Str() != owner);
  CHECK(set.status.At("owner", "epoch").IntOr(0) >= 1);
  set.rig.CheckReplays();
}

// Starts two replicas and a release of checkout, and waits for traffic.
std::string Releasing(Replicas& set) {
  set.Start("agent-0");
  set.Start("agent-1");
  REQUIRE(set.Until([&] { return set.AllOwned() && set.Shards("agent-0") == 2; }, 1min));
  REQUIRE(set.Until([&] { return set.State("checkout").phase == Phase::kIdle; }, 2min));
  set.rig.Release("checkout", "v2");
  REQUIRE(set.Until(
      [&] {
        auto state = set.State("checkout");
        return state.release && state.release->weight >= 20;
      },
      5min));
  return set.Owner("checkout");
}

TEST_CASE("who takes over says so before it touches anything") {
  Replicas set({CanaryYaml("checkout")});
  const std::string owner = Releasing(set);
  auto route = [&](Verb verb, const std::string& patch = "{}") {
    ClusterRequest request;
    request.verb = verb;
    request.type = {"networking.istio.io", "v1beta1", "virtualservices", "VirtualService", true};
    request.ns = "shop";
    request.name = "checkout-route";
    request.body = *ParseJson(patch);
    auto object = set.rig.world.api().Call(request);
    INFO((object.ok() ? "" : object.error().message));
    REQUIRE(object.ok());
    return object->At("spec", "http").At(size_t{0}).At("route");
  };
  const std::string before = route(Verb::kGet).Dump();
  set.Kill(owner);
  // Nothing is to be decided, but the route, which somebody changed by hand, is to be written
  // again.
  Json stable_only = *ParseJson(before);
  stable_only.items()[0].Set("weight", int64_t{100});
  stable_only.items()[1].Set("weight", int64_t{0});
  (void)route(Verb::kPatch,
              StrCat(R"({"spec":{"http":[{"name":"primary","route":)", stable_only.Dump(), "}]}}"));
  REQUIRE(route(Verb::kGet).Dump() != before);
  REQUIRE(set.Until([&] { return route(Verb::kGet).Dump() == before; }, 2min));
  (void)set.State("checkout");
  CHECK(set.status.At("owner", "replica").Str() != owner);
}

TEST_CASE("an alert that reaches the other replica is kept and acted on by the owner") {
  Replicas set({CanaryYaml("checkout")});
  const std::string owner = Releasing(set);
  auto& other = *set.all.at(owner == "agent-0" ? "agent-1" : "agent-0").agent;
  auto receipts =
      other.alerts().Receive({set.rig.Firing("Broken", "checkout", set.rig.scheduler().Now())});
  REQUIRE(receipts.at(0).matches.size() == 1);
  std::optional<Status> kept;
  other.alerts().Keep(receipts, [&](const Status& status) { kept = status; });
  CHECK_FALSE(kept.has_value());  // not before it is in the cluster
  REQUIRE(set.Until([&] { return kept.has_value(); }, 1s));
  CHECK(kept->ok());
  REQUIRE(set.Until([&] { return set.Count(Verdict::kRollBack) == 1; }, 2s));
  REQUIRE(set.Until([&] { return set.State("checkout").last.has_value(); }, 10min));
  CHECK(set.State("checkout").last->outcome == "rolledBack");
  CHECK(set.status.At("inbox").is_null());  // cleared once the release was over
  CHECK(set.Count(Verdict::kRollBack) == 1);
}

TEST_CASE("what the owner accepted outlives it") {
  // The alert only pauses: nothing but the inbox tells the next owner of it.
  Replicas set({CanaryYaml("checkout", "", "    onTrigger: approval\n")});
  const std::string owner = Releasing(set);
  auto& desk = set.OwnerOf("checkout").alerts();
  auto receipts = desk.Receive({set.rig.Firing("Broken", "checkout", set.rig.scheduler().Now())});
  std::optional<Status> kept;
  desk.Keep(receipts, [&](const Status& status) { kept = status; });
  REQUIRE(set.Until([&] { return kept.has_value(); }, 1s));
  CHECK(kept->ok());
  (void)set.State("checkout");
  CHECK(set.status.At("inbox").size() == 1);
  set.Kill(owner);
  REQUIRE(set.Until([&] { return set.AllOwned(); }, 1min));
  CHECK(set.Until([&] { return set.OwnerOf("checkout").alerts().firing() == 1; }, 5s));
}

TEST_CASE("who takes over does not act on an alert whose end it was not told") {
  Replicas set({CanaryYaml("checkout")});
  const std::string owner = Releasing(set);
  const std::string other = owner == "agent-0" ? "agent-1" : "agent-0";
  // It reaches the other, which cannot hand it on; its sender goes elsewhere.
  set.all.at(other).connection->Partition(true);
  auto alert = set.rig.Firing("Broken", "checkout", set.rig.scheduler().Now());
  auto receipts = set.all.at(other).agent->alerts().Receive({alert});
  std::optional<Status> kept;
  set.all.at(other).agent->alerts().Keep(receipts, [&](const Status& status) { kept = status; });
  REQUIRE(set.Until([&] { return kept.has_value(); }, 30s));
  CHECK_FALSE(kept->ok());
  set.all.at(other).connection->Partition(false);
  REQUIRE(set.Until([&] { return set.AllOwned() && set.Shards(other) == 2; }, 2min));
  set.Stop(owner);
  REQUIRE(set.Until([&] { return set.Shards(other) == 4; }, 1min));
  REQUIRE(set.Until([&] { return set.State("checkout").last.has_value(); }, 20min));
  CHECK(set.State("checkout").last->outcome == "promoted");
  CHECK(set.Count(Verdict::kRollBack) == 0);
}

// It took it from a status that was not the newest: the owner before had cleared it by then.
TEST_CASE("an alert that another owner took out of the inbox is over for who took it in") {
  Replicas set({CanaryYaml("checkout", "", "    onTrigger: approval\n")});
  const std::string owner = Releasing(set);
  auto& other = *set.all.at(owner == "agent-0" ? "agent-1" : "agent-0").agent;
  const auto alert = set.rig.Firing("Broken", "checkout", set.rig.scheduler().Now());
  other.alerts().Keep(other.alerts().Receive({alert}), [](const Status&) {});
  auto& desk = set.OwnerOf("checkout").alerts();
  REQUIRE(set.Until([&] { return desk.firing() == 1; }, 5s));
  ClusterRequest clear;
  clear.verb = Verb::kPatch;
  clear.type = kube::resources::Guards();
  clear.ns = "shop";
  clear.name = "checkout";
  clear.subresource = "status";
  clear.body = *ParseJson(R"({"status":{"inbox":null}})");
  REQUIRE(set.rig.world.api().Call(clear).ok());
  CHECK(set.Until([&] { return desk.firing() == 0; }, 5s));
  // When it speaks again it is heard.
  auto receipts = desk.Receive({alert});
  CHECK(receipts.at(0).disposition == alerts::Disposition::kTrigger);
}

TEST_CASE("the end of an alert that reaches the new owner first outlives the beginning it finds") {
  Replicas set({CanaryYaml("checkout", "", "    onTrigger: approval\n")});
  const std::string owner = Releasing(set);
  const std::string other = owner == "agent-0" ? "agent-1" : "agent-0";
  auto& desk = set.all.at(other).agent->alerts();
  auto alert = set.rig.Firing("Broken", "checkout", set.rig.scheduler().Now());
  desk.Keep(desk.Receive({alert}), [](const Status&) {});
  REQUIRE(set.Until([&] { return set.OwnerOf("checkout").alerts().firing() == 1; }, 5s));
  set.Kill(owner);
  // It forgets what it knew when it takes the guard, and looks into the inbox a little later.
  REQUIRE(set.Until([&] { return desk.firing() == 0; }, 1min));
  alert.status = alerts::AlertStatus::kResolved;
  desk.Keep(desk.Receive({alert}), [](const Status&) {});
  CHECK(set.Until([&] { return desk.firing() == 0; }, 5s));
  CHECK_FALSE(set.Until([&] { return desk.firing() > 0; }, 10s));
}

// Its sender takes an answer to the repetition for the first one's, and never speaks of it again.
TEST_CASE("an alert that comes again while it is being kept waits with the first") {
  Replicas set({CanaryYaml("checkout")});
  const std::string other = Releasing(set) == "agent-0" ? "agent-1" : "agent-0";
  auto& desk = set.all.at(other).agent->alerts();
  set.all.at(other).connection->Partition(true);
  const auto alert = set.rig.Firing("Broken", "checkout", set.rig.scheduler().Now());
  std::vector<Status> kept;
  auto send = [&] {
    auto receipts = desk.Receive({alert});
    desk.Keep(receipts, [&](const Status& status) { kept.push_back(status); });
    return receipts.at(0).disposition;
  };
  CHECK(send() == alerts::Disposition::kTrigger);
  CHECK(send() == alerts::Disposition::kDuplicate);
  CHECK(kept.empty());
  REQUIRE(set.Until([&] { return kept.size() == 2; }, 30s));
  CHECK_FALSE(kept[0].ok());
  CHECK_FALSE(kept[1].ok());
  set.all.at(other).connection->Partition(false);
  CHECK(send() == alerts::Disposition::kTrigger);  // it was not kept: as if it came first
  REQUIRE(set.Until([&] { return kept.size() == 3; }, 30s));
  CHECK(kept[2].ok());
  CHECK(send() == alerts::Disposition::kDuplicate);
  CHECK(kept.size() == 4);  // kept already: nothing to wait for
}

TEST_CASE("a person's command to the other replica is carried out by the owner, and answered") {
  Replicas set({CanaryYaml("checkout")});
  const std::string owner = Releasing(set);
  auto& other = *set.all.at(owner == "agent-0" ? "agent-1" : "agent-0").agent;
  release::Command command;
  command.id = "call-1";
  command.verb = release::Command::Verb::kRollBack;
  command.actor = "ann";
  command.at = set.rig.scheduler().Now();
  std::optional<release::CommandAnswer> answer;
  other.controller().Tell("shop/checkout", command,
                          [&](const release::CommandAnswer& a) { answer = a; });
  REQUIRE(set.Until([&] { return answer.has_value(); }, 5s));
  INFO(answer->message);
  CHECK(answer->accepted);
  REQUIRE(set.Until([&] { return set.State("checkout").last.has_value(); }, 10min));
  CHECK(set.State("checkout").last->outcome == "rolledBack");
  CHECK(set.Count(Verdict::kRollBack) == 1);
}

TEST_CASE("a graceful stop hands over within a second, a newcomer gets its share") {
  Replicas set({CanaryYaml("checkout")});
  set.Start("agent-0");
  REQUIRE(set.Until([&] { return set.Shards("agent-0") == 4; }, 1min));
  set.Start("agent-1");
  REQUIRE(set.Until([&] { return set.Shards("agent-1") == 2 && set.AllOwned(); }, 1min));
  const Time asked = set.rig.scheduler().Now();
  set.Stop("agent-0");
  REQUIRE(set.Until([&] { return set.Shards("agent-1") == 4; }, 1min));
  CHECK(set.rig.scheduler().Now() - asked <= 1s);
}

TEST_CASE("who is cut off stops before another begins, and gives way when it is back") {
  Replicas set({CanaryYaml("checkout")});
  set.Start("agent-0");
  set.Start("agent-1");
  REQUIRE(set.Until([&] { return set.AllOwned() && set.Shards("agent-0") == 2; }, 1min));
  REQUIRE(set.Until([&] { return set.State("checkout").phase == Phase::kIdle; }, 2min));
  const std::string cut = set.Owner("checkout");
  set.all.at(cut).connection->Partition(true);
  bool both = false;
  REQUIRE(set.Until(
      [&] {
        both = both || set.Owner("checkout") == "two of them";
        std::string owner = set.Owner("checkout");
        return !owner.empty() && owner != cut;
      },
      1min));
  CHECK_FALSE(both);
  set.rig.Release("checkout", "v2");
  REQUIRE(set.Until([&] { return set.State("checkout").release.has_value(); }, 5min));
  CHECK(set.status.At("owner", "replica").Str() != cut);
  set.all.at(cut).connection->Partition(false);
  REQUIRE(set.Until([&] { return set.AllOwned() && set.Shards(cut) == 2; }, 2min));
  REQUIRE(set.Until([&] { return set.State("checkout").last.has_value(); }, 20min));
  CHECK(set.State("checkout").last->outcome == "promoted");
  CHECK(set.Count(Verdict::kPromote) == 1);
}

TEST_CASE("replicas that count the shards differently never decide side by side") {
  Replicas set({CanaryYaml("checkout"), CanaryYaml("cart")});
  set.Start("agent-0");
  set.Start("agent-1");
  REQUIRE(set.Until([&] { return set.AllOwned(); }, 1min));
  set.Start("agent-2", 6);
  set.Start("agent-3", 3);
  bool both = false, claimed = false;
  auto look = [&] {
    for (const char* guard : {"checkout", "cart"}) both |= set.Owner(guard) == "two of them";
    claimed |= set.Shards("agent-2") + set.Shards("agent-3") > 0;
    return false;
  };
  (void)set.Until(look, 3min);
  CHECK_FALSE(both);
  CHECK_FALSE(claimed);
  CHECK(set.Shards("agent-0") + set.Shards("agent-1") == 4);
  CHECK_THAT(set.all.at("agent-2").agent->keeper()->trouble(),
             Catch::Contains("divides the guards into 4 shards, this one into 6, and"));
  set.Kill("agent-3");
  set.Stop("agent-0");
  (void)set.Until(look, 1min);
  CHECK(set.Shards("agent-1") == 4);
  CHECK_FALSE(claimed);
  set.Kill("agent-1");  // the last that counted four
  REQUIRE(set.Until(
      [&] {
        (void)look();
        return set.Shards("agent-2") == 6;
      },
      1min));
  CHECK_FALSE(both);
  CHECK(set.all.at("agent-2").agent->keeper()->trouble().empty());
}

// Both begin at once: whose claim of the first shard comes first is the API server's answer.
TEST_CASE("replicas that begin at once with different counts: one has all, the other nothing") {
  Replicas set({CanaryYaml("checkout")});
  set.Start("agent-0");
  set.Start("agent-1", 6);
  bool both = false;
  (void)set.Until(
      [&] {
        both |= set.Owner("checkout") == "two of them";
        return false;
      },
      2min);
  CHECK_FALSE(both);
  const bool first = set.Shards("agent-0") == 4 && set.Shards("agent-1") == 0;
  const bool second = set.Shards("agent-0") == 0 && set.Shards("agent-1") == 6;
  CHECK(first != second);
}

TEST_CASE("leases that were deleted are made anew with a later epoch") {
  Replicas set({CanaryYaml("checkout")});
  set.Start("agent-0");
  REQUIRE(set.Until([&] { return set.Shards("agent-0") == 4; }, 1min));
  set.rig.Release("checkout", "v2");
  REQUIRE(set.Until([&] { return set.State("checkout").release.has_value(); }, 5min));
  set.Kill("agent-0");
  set.Start("agent-1");
  REQUIRE(set.Until([&] { return set.Shards("agent-1") == 4; }, 1min));
  REQUIRE(set.Until(
      [&] {
        (void)set.State("checkout");
        return set.status.At("owner", "replica").Str() == "agent-1";
      },
      2min));
  const int64_t epoch = set.status.At("owner", "epoch").IntOr(0);
  CHECK(epoch == 1);
  for (int shard = 0; shard < 4; ++shard) {
    ClusterRequest request;
    request.verb = Verb::kDelete;
    request.type = kube::resources::Leases();
    request.ns = "default";
    request.name = StrCat("rollguard-shard-", shard);
    REQUIRE(set.rig.world.api().Call(request).ok());
  }
  set.Kill("agent-1");
  set.Start("agent-2");
  REQUIRE(set.Until(
      [&] {
        (void)set.State("checkout");
        return set.status.At("owner", "replica").Str() == "agent-2";
      },
      5min));
  CHECK(set.status.At("owner", "epoch").IntOr(0) > epoch);
}

}  // namespace
}  // namespace rollguard::testing
