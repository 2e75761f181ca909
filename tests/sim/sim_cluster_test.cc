// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/sim_cluster.h"

#include "tests/sim/fixtures.h"

namespace rollguard::sim {
namespace {

struct Bench {
  Scheduler scheduler;
  ApiServer api{scheduler};
  SimCluster cluster{api, FaultPlan::None(), 7};
};

TEST_CASE("answers come later, from the scheduler") {
  Bench b;
  int done = 0;
  b.cluster.Call(Request(Verb::kCreate, ConfigMapType(), "", MakeConfigMap("c", "1")),
                 [&](Expected<Json> r) { done += r.ok(); });
  CHECK(done == 0);
  b.scheduler.RunFor(Duration(100));
  CHECK(done == 1);
}

TEST_CASE("a lost answer leaves the effect, a refused call does not") {
  Bench b;
  FaultPlan plan;
  plan.error_after = 1;
  b.cluster.SetFaults(plan);
  ErrorCode code{};
  b.cluster.Call(Request(Verb::kCreate, ConfigMapType(), "", MakeConfigMap("c", "1")),
                 [&](Expected<Json> r) { code = r.error().code; });
  b.scheduler.RunFor(Duration(100));
  CHECK(code == ErrorCode::kUnavailable);
  CHECK(b.api.Get("", "configmaps", "default", "c") != nullptr);
  plan = {};
  plan.error_before = 1;
  b.cluster.SetFaults(plan);
  b.cluster.Call(Request(Verb::kDelete, ConfigMapType(), "c"), [](Expected<Json>) {});
  b.scheduler.RunFor(Duration(100));
  CHECK(b.api.Get("", "configmaps", "default", "c") != nullptr);
}

TEST_CASE("a crash silences every callback; the hook runs on either side of the effect") {
  for (bool after : {false, true}) {
    Bench b;
    int answers = 0, events = 0;
    b.cluster.Watch({.type = ConfigMapType(),
                     .ns = "",
                     .label_selector = "",
                     .field_selector = "",
                     .resource_version = "",
                     .projection = {}},
                    {[&](WatchEvent) { ++events; }, [&](Status) { ++events; }});
    b.cluster.OnWrite(1, after, [&] { b.cluster.Crash(); });
    b.cluster.Call(Request(Verb::kCreate, ConfigMapType(), "", MakeConfigMap("c", "1")),
                   [&](Expected<Json>) { ++answers; });
    b.scheduler.RunFor(Duration(1000));
    CHECK(answers == 0);
    CHECK(events == 0);
    CHECK((b.api.Get("", "configmaps", "default", "c") != nullptr) == after);
    b.cluster.Call(Request(Verb::kList, ConfigMapType()), [&](Expected<Json>) { ++answers; });
    b.scheduler.RunFor(Duration(1000));
    CHECK(answers == 1);
  }
}

TEST_CASE("watch events keep their order however late they come, and end with closed") {
  Bench b;
  FaultPlan plan;
  plan.latency_max = Duration(300);
  plan.watch_stale = 0.5;
  b.cluster.SetFaults(plan);
  uint64_t last = 0;
  int events = 0, closed = 0;
  WatchRequest w;
  w.type = ConfigMapType();
  b.cluster.Watch(w, {[&](WatchEvent e) {
                        CHECK(VersionOf(e.object) > last);
                        last = VersionOf(e.object);
                        ++events;
                      },
                      [&](Status s) {
                        CHECK(s.error().code == ErrorCode::kUnavailable);
                        ++closed;
                      }});
  b.scheduler.RunFor(Duration(500));
  b.api.Create(b.api.TypeId("", "configmaps"), [] {
    Json m = MakeConfigMap("c", "0");
    m["metadata"].Set("namespace", "default");
    return m;
  }());
  for (int i = 1; i < 30; ++i) {
    b.api.Update({b.api.TypeId("", "configmaps"), "default", "c"},
                 [&](Json& o) { o["data"].Set("key", std::to_string(i)); });
  }
  b.cluster.DropWatches(ErrorCode::kUnavailable);
  b.scheduler.RunFor(std::chrono::minutes(5));
  CHECK(events == 30);
  CHECK(closed == 1);
}

TEST_CASE("the same seed gives the same run") {
  auto run = [](uint64_t seed) {
    Scheduler scheduler;
    ApiServer api(scheduler);
    SimCluster cluster(api, FaultPlan::Rough(), seed);
    std::string trace;
    for (int i = 0; i < 50; ++i) {
      cluster.Call(Request(Verb::kCreate, ConfigMapType(), "", MakeConfigMap(StrCat("c", i), "1")),
                   [&](Expected<Json> r) {
                     trace += StrCat(ToUnixMillis(scheduler.Now()),
                                     r.ok() ? "+" : ToString(r.error().code), " ");
                   });
    }
    scheduler.RunFor(std::chrono::minutes(1));
    return trace;
  };
  CHECK(run(3) == run(3));
  CHECK(run(3) != run(4));
}

}  // namespace
}  // namespace rollguard::sim
