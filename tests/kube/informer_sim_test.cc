// SPDX-License-Identifier: Apache-2.0
// The informer against the simulated cluster: whatever is lost, late, cut or compacted, its cache
// and what its handlers were told end up as the cluster is.
#include <map>

#include "agent/base/text.h"
#include "agent/kube/informer.h"
#include "agent/kube/resources.h"
#include "agent/sim/sim_cluster.h"
#include "tests/support/catch.h"

namespace rollguard::kube {
namespace {

using sim::ApiServer;
using sim::FaultPlan;
using sim::Scheduler;
using sim::SimCluster;

struct Trial {
  explicit Trial(uint64_t seed_in) : seed(seed_in), random(seed_in) {}

  uint64_t seed;
  Random random;
  Scheduler scheduler;
  ApiServer api{scheduler};
  SimCluster cluster{api, FaultPlan::Rough(), seed};
  std::map<std::string, std::string> told;  // by name: the version the handlers know

  InformerOptions Options() const {
    InformerOptions options;
    options.type = resources::ConfigMaps();
    options.page = 7;
    options.watch_timeout = std::chrono::seconds(40);
    return options;
  }

  void Change() {
    std::string name = StrCat("c", random.Below(40));
    ClusterRequest request;
    request.type = resources::ConfigMaps();
    request.ns = "default";
    auto present = api.Get("", "configmaps", "default", name);
    if (present == nullptr) {
      request.verb = Verb::kCreate;
      request.body = Json::Obj(
          {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", Json::Obj({{"name", name}})}});
    } else if (random.Chance(0.3)) {
      request.verb = Verb::kDelete;
      request.name = name;
    } else {
      request.verb = Verb::kPatch;
      request.name = name;
      request.body = Json::Obj({{"data", Json::Obj({{"k", std::to_string(random.Next())}})}});
    }
    REQUIRE(api.Call(request).ok());
  }

  InformerHandler Handler() {
    InformerHandler handler;
    handler.upsert = [this](const Json& object, const Json*) {
      const Json& metadata = object.At("metadata");
      told[metadata.At("name").Str()] = metadata.At("resourceVersion").Str();
    };
    handler.deleted = [this](const Json& last) { told.erase(last.At("metadata", "name").Str()); };
    return handler;
  }

  std::map<std::string, std::string> Truth() const {
    std::map<std::string, std::string> truth;
    for (const auto& object : api.List("", "configmaps")) {
      const Json& metadata = object->At("metadata");
      truth[metadata.At("name").Str()] = metadata.At("resourceVersion").Str();
    }
    return truth;
  }
};

TEST_CASE("the cache ends up as the cluster is, under every fault") {
  uint64_t gone = 0;
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    INFO("seed " << seed);
    Trial trial(seed);
    for (int i = 0; i < 30; ++i) trial.Change();
    Informer informer(
        trial.cluster, trial.scheduler, Random(seed), [](std::function<void()> fn) { fn(); },
        trial.Options());
    informer.AddHandler(trial.Handler());
    informer.Start();
    for (int i = 0; i < 300; ++i) {
      trial.Change();
      trial.scheduler.RunFor(Duration(static_cast<int64_t>(trial.random.Below(2000))));
      if (trial.random.Chance(0.02)) trial.api.Compact();
      if (trial.random.Chance(0.01)) trial.cluster.DropWatches(ErrorCode::kUnavailable);
    }
    trial.cluster.SetFaults(FaultPlan::None());
    trial.scheduler.RunFor(std::chrono::minutes(10));
    std::map<std::string, std::string> truth = trial.Truth();
    CHECK(trial.told == truth);
    std::map<std::string, std::string> cached;
    informer.ForEach("", [&](const Json& object) {
      cached[object.At("metadata", "name").Str()] = object.At("metadata", "resourceVersion").Str();
    });
    CHECK(cached == truth);
    CHECK(informer.stats().objects == truth.size());
    gone += informer.stats().relists_gone;
  }
  CHECK(gone > 0);
}

}  // namespace
}  // namespace rollguard::kube
