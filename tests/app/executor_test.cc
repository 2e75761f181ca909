// SPDX-License-Identifier: Apache-2.0
// One action at a time against a simulated API server: what stands in the way, and what is
// harmless.
#include "agent/app/executor.h"

#include "agent/kube/resources.h"
#include "tests/app/house.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

struct Bench {
  Bench() {
    house.AddService("shop", "checkout");
    connection = house.world.Connect();
    mirror = std::make_unique<app::Mirror>(
        *connection, house.world.scheduler(), [](std::function<void()> fn) { fn(); }, Random(1),
        [](const ResourceType&, const Json&, bool) {});
    mirror->Ensure(kube::resources::ByKind("apps/v1", "Deployment"));
    mirror->Ensure(kube::resources::Services());
    house.Run(std::chrono::seconds(20));
    guard.metadata.name = "checkout";
    guard.metadata.ns = "shop";
  }

  app::RunOutcome Run(std::vector<release::Action> actions) {
    app::ActionRunner runner({connection.get(), mirror.get(), nullptr, nullptr, {}});
    std::optional<app::RunOutcome> outcome;
    runner.Run(std::make_shared<const spec::Guard>(guard), std::move(actions), {},
               [&](app::RunOutcome o) { outcome = std::move(o); });
    house.Run(std::chrono::seconds(5));
    REQUIRE(outcome.has_value());
    return *outcome;
  }

  int64_t Replicas() {
    return house.Get("Deployment", "shop/checkout").At("spec", "replicas").IntOr(-1);
  }

  House house;
  std::unique_ptr<sim::SimCluster> connection;
  std::unique_ptr<app::Mirror> mirror;
  spec::Guard guard;
  const release::ObjectId target{"apps/v1", "Deployment", "shop", "checkout"};
};

TEST_CASE("scale: only what was seen is scaled") {
  Bench bench;
  const Json seen = bench.house.Get("Deployment", "shop/checkout");
  const std::string uid = seen.At("metadata", "uid").Str(),
                    version = seen.At("metadata", "resourceVersion").Str();
  struct Row {
    const char* name;
    std::string uid;
    std::string version;
    bool scaled;
  };
  const Row rows[] = {{"another object", "other-uid", "", false},
                      {"an old view", uid, "1", false},
                      {"as seen", uid, version, true}};
  for (const Row& row : rows) {
    INFO(row.name);
    const auto outcome =
        bench.Run({release::ScaleTo{bench.target, 7, "test", row.uid, row.version}});
    CHECK(outcome.status.ok() == row.scaled);
    CHECK_FALSE(outcome.unread);
    CHECK(bench.Replicas() == (row.scaled ? 7 : 4));
  }
}

TEST_CASE("create: what is ours already is as good as made, what is not stops everything") {
  for (const bool ours : {true, false}) {
    Bench bench;
    const release::ObjectId id{"v1", "Service", "shop", "checkout-candidate"};
    Json labels = ours ? Json::Obj({{"rollguard.dev/guard", "checkout"}}) : Json::Obj();
    Json body = Json::Obj(
        {{"apiVersion", "v1"},
         {"kind", "Service"},
         {"metadata",
          Json::Obj({{"name", id.name}, {"namespace", id.ns}, {"labels", std::move(labels)}})},
         {"spec", *ParseJson(R"({"ports":[{"name":"http","port":80}]})")}});
    bench.house.Load(body);
    const auto outcome = bench.Run({release::CreateObject{id, body, "test"},
                                    release::ScaleTo{bench.target, 2, "test", {}, {}}});
    CHECK(outcome.status.ok() == ours);
    CHECK(bench.Replicas() == (ours ? 2 : 4));
    if (!ours)
      CHECK(outcome.status.error().message.find("is not rollguard's") != std::string::npos);
  }
}

TEST_CASE("read: what the server has takes the place of what the watch shows") {
  Bench bench;
  const auto type = kube::resources::ByKind("apps/v1", "Deployment");
  bench.connection->Partition(true);
  bench.house.world.api().Update(
      {bench.house.world.api().TypeId("apps", "deployments"), "shop", "checkout"},
      [](Json& object) { object["spec"].Set("replicas", 6); });
  const release::ReadObjects read{{bench.target, {"apps/v1", "Deployment", "shop", "gone"}}, "why"};
  auto outcome = bench.Run({read});
  CHECK_FALSE(outcome.status.ok());
  CHECK(outcome.read_for.empty());
  bench.connection->Partition(false);
  sim::FaultPlan late = sim::FaultPlan::None();
  late.watch_stale = 1;
  bench.connection->SetFaults(late);
  outcome = bench.Run({read});
  CHECK(outcome.status.ok());
  CHECK(outcome.read_for == "why");
  app::Arena arena;
  const Json* seen = bench.mirror->Get(type, "shop", "checkout", arena);
  REQUIRE(seen != nullptr);
  CHECK(seen->At("spec", "replicas").IntOr(0) == 6);
}

// An API server that has just begun serves no kinds of CRDs yet.
class Unserved : public Cluster {
 public:
  void Call(ClusterRequest, ClusterDone done) override {
    done(Error(ErrorCode::kNotFound, "get deployments shop/checkout: 404 page not found"));
  }
  WatchId Watch(WatchRequest, WatchHandler) override { return 1; }
  void CancelWatch(WatchId) override {}
};

TEST_CASE("404 of a server that does not serve the kind is no word about the object") {
  Bench bench;
  Unserved unserved;
  const auto type = kube::resources::ByKind("apps/v1", "Deployment");
  const release::DeleteObject deletion{bench.target, "", "why"};
  for (const release::Action& action :
       {release::Action(deletion), release::Action(release::ReadObjects{{bench.target}, "why"})}) {
    app::ActionRunner runner({&unserved, bench.mirror.get(), nullptr, nullptr, {}});
    std::optional<app::RunOutcome> outcome;
    runner.Run(std::make_shared<const spec::Guard>(bench.guard), {action}, {},
               [&](app::RunOutcome o) { outcome = std::move(o); });
    REQUIRE(outcome.has_value());
    CHECK_FALSE(outcome->status.ok());
    CHECK(outcome->read_for.empty());
    app::Arena arena;
    CHECK(bench.mirror->Get(type, "shop", "checkout", arena) != nullptr);
  }
}

TEST_CASE("staged: a patch that does not fit any more keeps no other from being tried") {
  Bench bench;
  release::PatchObject gone;
  gone.object = {"apps/v1", "Deployment", "shop", "gone"};
  gone.patch = *ParseJson(R"([{"op":"replace","path":"/spec/replicas","value":1}])");
  gone.staged = true;
  release::PatchObject differs = gone, fits = gone;
  differs.object = fits.object = bench.target;
  differs.patch = *ParseJson(
      R"([{"op":"test","path":"/spec/replicas","value":9},
          {"op":"replace","path":"/spec/replicas","value":1}])");
  fits.patch = *ParseJson(
      R"([{"op":"test","path":"/spec/replicas","value":4},
          {"op":"replace","path":"/spec/replicas","value":3}])");
  CHECK(bench.Run({gone, differs, fits}).status.ok());
  CHECK(bench.Replicas() == 3);
}

}  // namespace
}  // namespace rollguard::testing
