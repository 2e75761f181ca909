// SPDX-License-Identifier: Apache-2.0
// The heart alone: Step on what a whole canary release is made of (taken over, at rest, released
// step by step with rules and an alert, taken back), as fast as one core can, and how often it asks
// for memory. A release in the simulated cluster is recorded first; every recorded Step is then run
// again and again on what it was given.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <new>

#include "agent/app/simulation.h"
#include "agent/base/text.h"
#include "agent/release/observation_json.h"
#include "agent/release/replay.h"
#include "agent/spec/load.h"
#include "tests/bench/fleet.h"
#include "tests/bench/report.h"

namespace {
std::atomic<uint64_t> allocations{0};
std::atomic<uint64_t> allocated{0};
}  // namespace

void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  allocated.fetch_add(size, std::memory_order_relaxed);
  if (void* p = std::malloc(size == 0 ? 1 : size)) return p;
  throw std::bad_alloc();
}
// g++ sees that free() is given what operator new returned, once it has inlined this one.
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace rollguard::bench {
namespace {

constexpr auto kMinute = std::chrono::minutes(1);

// Keeps every Step that decided something, as it would be replayed.
class Tape : public app::Listener {
 public:
  void Stepped(const app::SteppedView& view) override {
    records.push_back(
        release::RecordStep(view.guard_object, view.before, view.observation, view.result));
  }
  void Decided(const spec::Guard&, const release::Decision&) override {}
  void Changed(const spec::Guard&, const release::GuardState&, const release::GuardState&,
               const release::Observation&) override {}
  void Told(const spec::Guard&, const release::Notify&) override {}
  void Removed(const std::string&) override {}

  std::vector<Json> records;
};

struct Given {
  spec::Guard guard;
  release::GuardState state;
  release::OwnedObservation seen;
};

Given Load(const Json& record) {
  auto guard = spec::ParseGuard(record.At("guard"));
  auto state = release::StateFromJson(record.At("state"));
  auto seen = release::ObservationFromJson(record.At("observation"));
  if (!guard || !state || !seen) std::abort();
  return {std::move(*guard), std::move(*state), std::move(*seen)};
}

void SetImage(sim::World& world, const char* image) {
  auto& api = world.api();
  api.Update({api.TypeId("apps", "deployments"), "team-0", "svc-0"}, [&](Json& object) {
    Json& containers = object["spec"]["template"]["spec"]["containers"];
    Json container = containers.At(size_t{0});
    container.Set("image", image);
    containers = Json::Arr({std::move(container)});
    Json& metadata = object["metadata"];
    metadata.Set("generation", metadata.At("generation").IntOr(0) + 1);
  });
}

[[noreturn]] void Die(const std::string& why) {
  std::fprintf(stderr, "bench_step: %s\n", why.c_str());
  std::exit(1);
}

// One version is promoted to its end, the next taken back for an alert.
std::vector<Given> Play() {
  sim::World world;
  for (const Json& object : FleetObjects({.guards = 1, .replicas = 4})) {
    if (Status loaded = world.Load(object); !loaded) Die(loaded.error().message);
  }
  auto& time = world.scheduler();
  time.RunFor(kMinute);
  sim::SimMetrics metrics(time);
  history::MemoryHistory history;
  spec::Library library;
  Diagnostics problems;
  spec::LoadText("rules.yaml", FleetRules(), library, problems);
  Tape tape;
  auto cluster = world.Connect();
  app::SimAgent agent(time, *cluster, metrics, history, library, {&tape}, 1);
  time.RunFor(2 * kMinute);
  SetImage(world, "registry.example.com/shop/app:2");
  for (int i = 0; i < 40; ++i) {
    time.RunFor(kMinute);
    release::Command onward;
    onward.id = StrCat("c", i);
    onward.verb = release::Command::Verb::kPromote;
    agent.controller().Tell("team-0/svc-0", std::move(onward), [](auto) {});
  }
  SetImage(world, "registry.example.com/shop/app:3");
  time.RunFor(2 * kMinute);
  alerts::Alert alert;
  alert.fingerprint = "f";
  alert.labels = {{"alertname", "HighErrorRate"},
                  {"deployment", "svc-0"},
                  {"namespace", "team-0"},
                  {"severity", "critical"}};
  alert.starts_at = time.Now();
  (void)agent.alerts().Receive({alert});
  time.RunFor(10 * kMinute);
  std::vector<Given> given;
  for (const Json& record : tape.records) given.push_back(Load(record));
  return given;
}

double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

int Main(int argc, char** argv) {
  Report report("step", argc, argv);
  const std::vector<Given> given = Play();
  if (given.size() < 10) Die(StrCat("only ", given.size(), " decisions were recorded"));
  constexpr int kRounds = 200;
  double best = 1e9;
  uint64_t asked = 0, bytes = 0;
  for (int attempt = 0; attempt < 7; ++attempt) {
    const uint64_t asked_before = allocations, bytes_before = allocated;
    const double begun = CpuSeconds();
    for (int round = 0; round < kRounds; ++round) {
      for (const Given& g : given) {
        if (release::Step(g.guard, g.state, g.seen.observation).actions.empty()) std::abort();
      }
    }
    best = std::min(best, CpuSeconds() - begun);
    asked = allocations - asked_before;
    bytes = allocated - bytes_before;
  }
  // What is copied in any case: the state is an argument and a result.
  double copies = 1e9;
  for (int attempt = 0; attempt < 7; ++attempt) {
    const double begun = CpuSeconds();
    for (int round = 0; round < kRounds; ++round) {
      for (const Given& g : given) {
        release::GuardState copy = g.state;
        if (copy.seen == "nothing") std::abort();
      }
    }
    copies = std::min(copies, CpuSeconds() - begun);
  }
  const double steps = kRounds * static_cast<double>(given.size());
  report.Add("decisions recorded of two releases", static_cast<double>(given.size()), "");
  report.Add("Step on one core", steps / best, "per s");
  report.Add({.name = "one deciding Step",
              .value = best / steps * 1e6,
              .unit = "us",
              .at_most = {},
              .at_least = {},
              .floor = copies / steps * 1e6,
              .floor_is = "one copy of the state"});
  report.Add("allocations per Step", static_cast<double>(asked) / steps, "");
  report.Add("bytes allocated per Step", static_cast<double>(bytes) / steps, "");
  return report.Finish();
}

}  // namespace
}  // namespace rollguard::bench

int main(int argc, char** argv) { return rollguard::bench::Main(argc, argv); }
