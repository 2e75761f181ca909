// SPDX-License-Identifier: Apache-2.0
// A whole world is a pure function of its seed and its calls.
#include "agent/sim/world.h"

#include "agent/base/hash.h"
#include "tests/sim/fixtures.h"

namespace rollguard::sim {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

// A rollout under faults and load, told as one line per commit.
std::string Trace(uint64_t seed) {
  World w({.seed = seed});
  std::string trace;
  w.api().store().OnChange([&](const Change& change) {
    uint64_t content = change.after ? Fnv1a64(change.after->Canonical()) : 0;
    trace += StrCat(ToUnixMillis(w.scheduler().Now()), " ", change.version, " ", change.key.name,
                    " ", content, "\n");
  });
  REQUIRE(w.Load(MakeDeployment("web", 4, "app:1")).ok());
  w.traffic().Add({.service = "web", .source = {}, .requests_per_second = 50, .headers = {}});
  w.traffic().Start();
  auto cluster = w.Connect(FaultPlan::Rough());
  w.scheduler().RunFor(minutes(1));
  for (int i = 0; i < 20; ++i) {
    cluster->Call(
        PatchRequest(
            DeploymentType(), "web", PatchKind::kStrategic,
            StrCat(R"({"spec":{"template":{"spec":{"containers":[{"name":"app","image":"app:)",
                   2 + i / 10, R"("}]}}}})")),
        [&](Expected<Json> r) {
          trace += StrCat(ToUnixMillis(w.scheduler().Now()), r.ok() ? " ok\n" : " failed\n");
        });
    w.scheduler().RunFor(seconds(7));
  }
  w.scheduler().RunFor(minutes(2));
  TrafficTotals total = w.traffic().Total();
  return StrCat(trace, static_cast<int64_t>(total.requests), " ", static_cast<int64_t>(total.lost),
                "\n");
}

TEST_CASE("the same seed gives the same world, another seed another") {
  std::string first = Trace(11);
  CHECK(first.size() > 1000);
  CHECK(first == Trace(11));
  CHECK(first != Trace(12));
}

TEST_CASE("a partition fails calls and closes watches until it is healed") {
  World w({.seed = 1});
  auto cluster = w.Connect();
  int events = 0;
  std::vector<ErrorCode> closed, calls;
  WatchRequest watch;
  watch.type = ConfigMapType();
  cluster->Watch(
      watch, {[&](WatchEvent) { ++events; }, [&](Status s) { closed.push_back(s.error().code); }});
  w.scheduler().RunFor(seconds(1));
  cluster->Partition(true);
  auto create = [&] {
    cluster->Call(Request(Verb::kCreate, ConfigMapType(), "", MakeConfigMap("c", "1")),
                  [&](Expected<Json> r) {
                    if (!r.ok()) calls.push_back(r.error().code);
                  });
    w.scheduler().RunFor(seconds(1));
  };
  create();
  CHECK(closed == std::vector{ErrorCode::kUnavailable});
  CHECK(calls == std::vector{ErrorCode::kUnavailable});
  cluster->Partition(false);
  create();
  CHECK(calls.size() == 1);
  CHECK(w.api().Get("", "configmaps", "default", "c") != nullptr);
  CHECK(events == 0);
}

}  // namespace
}  // namespace rollguard::sim
