// SPDX-License-Identifier: Apache-2.0
// What a fleet costs: the real agent with active releases (five metrics each, every 30 s) and with
// guards at rest, at sizes that differ tenfold: memory, processor time, requests to Prometheus and
// to the API server, and what the growth from one size to the next is per guard.
//
//   bench_scale [active | rest] [--guards N] [--seconds N]
#include <algorithm>
#include <array>

#include "agent/base/text.h"
#include "tests/bench/fleet.h"
#include "tests/bench/report.h"

namespace rollguard::bench {
namespace {

struct Cost {
  Usage usage;
  double cpu_share = 0;       // of one core
  double query_requests = 0;  // per 30 s
  double queries = 0;
  double api_requests = 0;  // per minute, as the server counts them
  double looks = 0;         // per minute
};

Cost Watch(Fleet& fleet, double seconds) {
  auto counters = [&] {
    return std::array<double, 4>{
        fleet.Metric("rollguard_query_requests_total"), fleet.Metric("rollguard_queries_total"),
        static_cast<double>(fleet.cluster().Requests()), fleet.Metric("rollguard_looks_total")};
  };
  const auto before = counters();
  const Usage begin = fleet.usage();
  fleet.Pass(seconds);
  Cost cost;
  cost.usage = fleet.usage();
  const auto after = counters();
  const double passed = cost.usage.at - begin.at;
  cost.cpu_share = (cost.usage.cpu - begin.cpu) / passed * 100;
  cost.query_requests = (after[0] - before[0]) / passed * 30;
  cost.queries = (after[1] - before[1]) / passed * 30;
  cost.api_requests = (after[2] - before[2]) / passed * 60;
  cost.looks = (after[3] - before[3]) / passed * 60;
  return cost;
}

void Active(Report& report, int guards) {
  const bool goal = guards == 1000;
  Fleet fleet({.guards = guards, .replicas = 2});
  fleet.StartAgent(false);
  fleet.Await("Idle", guards);
  const double empty = fleet.Metric("rollguard_api_calls_total", "verb=\"patch\"");
  fleet.cluster().SetImage(0, guards, "registry.example.com/shop/app:2");
  fleet.Await("Waiting", guards);
  const double writes = fleet.Metric("rollguard_api_calls_total", "verb=\"patch\"") - empty;
  fleet.Pass(35);  // a round: rules have a state, what was allocated once is there
  const Cost cost = Watch(fleet, report.Option("--seconds", 30));
  auto name = [&](const char* what) { return StrCat(guards, " active, 5 metrics each: ", what); };
  auto limit = [&](double value) { return goal ? std::optional(value) : std::nullopt; };
  report.Add({.name = name("RSS"),
              .value = cost.usage.rss,
              .unit = "MiB",
              .at_most = limit(64),
              .at_least = {},
              .floor = {},
              .floor_is = {}});
  report.Add(name("RSS without the program's own pages"), cost.usage.anonymous, "MiB");
  report.Add(name("peak RSS"), cost.usage.peak, "MiB");
  report.Add({.name = name("CPU"),
              .value = cost.cpu_share,
              .unit = "% of core",
              .at_most = limit(5),
              .at_least = {},
              .floor = {},
              .floor_is = {}});
  report.Add({.name = name("metric requests per round"),
              .value = cost.query_requests,
              .unit = "",
              .at_most = limit(50),
              .at_least = {},
              .floor = {},
              .floor_is = {}});
  report.Add(name("questions per round"), cost.queries, "");
  report.Add(name("API requests per minute, waiting"), cost.api_requests, "");
  report.Add(name("looks per minute"), cost.looks, "");
  report.Add(name("patches per release to its first step"), writes / guards, "");
}

// The list of guards alone, asked for as the agent does.
double ListSeconds(Fleet& fleet) {
  const double begun = Monotonic();
  std::string next;
  do {
    const auto answer = testing::Ask(fleet.cluster().port(), "GET",
                                     StrCat("/apis/rollguard.dev/v1alpha1/guards?limit=500",
                                            next.empty() ? "" : "&continue=", next));
    const size_t at = answer.body.find("\"continue\":\"");
    next = at == std::string::npos
               ? ""
               : answer.body.substr(at + 12, answer.body.find('"', at + 12) - at - 12);
    next = ReplaceAll(next, "=", "%3D");
    next = ReplaceAll(next, "+", "%2B");
  } while (!next.empty());
  return Monotonic() - begun;
}

void Rest(Report& report, int guards) {
  const bool goal = guards == 10'000;
  Fleet fleet({.guards = guards, .replicas = guards > 10'000 ? 1 : 2, .metrics = false});
  fleet.StartAgent(false);
  fleet.Await("Idle", guards);
  const double list = goal ? ListSeconds(fleet) : 0;
  double ready = 1e9, until_ready = 0, begun = 0;
  for (int i = 0; i < (goal ? 3 : 1); ++i) {
    fleet.StopAgent();
    begun = Monotonic();
    ready = std::min(ready, fleet.StartAgent(true));  // as configured by default
    until_ready = fleet.usage().cpu;
  }
  double limit_at = Monotonic() + 300, looks = 0, looked = 0;
  for (double last = -1; (looks < guards || looks != last) && Monotonic() < limit_at;) {
    if (looks != last) limit_at = Monotonic() + 300;
    last = looks;
    fleet.Pass(looks < guards ? 0.25 : 2);
    looks = fleet.Metric("rollguard_looks_total");
    if (looks >= guards && looked == 0) looked = Monotonic() - begun;
  }
  const Usage settled = fleet.usage();
  fleet.Pass(12);  // memory that is free is given back every ten seconds
  const Cost cost = Watch(fleet, report.Option("--seconds", 20));
  auto name = [&](const char* what) { return StrCat(guards, " guards at rest: ", what); };
  auto limit = [&](double value) { return goal ? std::optional(value) : std::nullopt; };
  report.Add({.name = name("RSS"),
              .value = cost.usage.rss,
              .unit = "MiB",
              .at_most = limit(160),
              .at_least = {},
              .floor = {},
              .floor_is = {}});
  report.Add(name("RSS per guard"), cost.usage.anonymous * 1024 / guards, "KiB");
  report.Add(name("peak RSS"), cost.usage.peak, "MiB");
  report.Add({.name = name("start to ready"),
              .value = ready,
              .unit = "s",
              .at_most = limit(3),
              .at_least = {},
              .floor = goal ? std::optional(list) : std::nullopt,
              .floor_is = "the server's list of guards alone"});
  report.Add(name("start until every guard was looked at"), looked, "s");
  report.Add(name("CPU from start to ready"), until_ready, "s");
  report.Add(name("CPU from start until every guard was looked at"), settled.cpu, "s");
  report.Add(name("CPU afterwards"), cost.cpu_share, "% of core");
  report.Add(name("API requests per minute"), cost.api_requests, "");
  report.Add(name("metric requests per round"), cost.query_requests, "");
  report.Add(name("looks per minute"), cost.looks, "");
}

int Main(int argc, char** argv) {
  Report report("scale", argc, argv);
  const int only = static_cast<int>(report.Option("--guards", 0));
  std::vector<int> sizes = {100, 1000, 10'000};
  if (only > 0) sizes = {only};
  for (int guards : sizes) {
    if (!report.Has("rest") && (guards <= 1000 || only > 0)) Active(report, guards);
    if (!report.Has("active")) Rest(report, guards);
  }
  return report.Finish();
}

}  // namespace
}  // namespace rollguard::bench

int main(int argc, char** argv) { return rollguard::bench::Main(argc, argv); }
