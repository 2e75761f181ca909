// SPDX-License-Identifier: Apache-2.0
// From an alert's webhook to the first route patch: the agent's share. The real agent stands
// between a sender (this process) and the simulated API server (another process), both over HTTP
// on the loopback, with 1, 100 and 1,000 active releases whose rules are evaluated meanwhile. A new
// release begins for each that is taken back, so that the number stays.
//
// The clock runs from before the webhook is sent until the route patch has arrived at the server,
// without the time in which the server worked on the status write in between. What remains are an
// HTTP request in, one out and back, one out, the alert's sync to the disk, and the agent's own
// work. The floor is the same without that work, measured in the same run.
//
//   bench_alerts [--samples N] [--active 1, 100 or 1000] [--interval SECONDS]
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "agent/base/text.h"
#include "tests/bench/fleet.h"
#include "tests/bench/report.h"

namespace rollguard::bench {
namespace {

struct Way {
  double share = 0;  // the agent's, ms
  double whole = 0;  // with the server's work
};

struct Figures {
  std::vector<double> share, whole;
  int refused = 0;                    // webhooks that were not answered with 200
  int lost = 0;                       // alerts that no route patch followed
  std::map<std::string, int> writes;  // by kind, of all releases from their start to their end
};

// Finds what followed from the alert about svc-`guard` that was sent at `sent`.
bool FindWay(const std::vector<ApiWrite>& writes, int guard, double sent, Way& way) {
  const std::string of = StrCat("/svc-", guard);
  const ApiWrite* status = nullptr;
  for (const ApiWrite& write : writes) {
    if (write.arrived < sent) continue;
    if (status == nullptr && write.path.ends_with(of + "/status")) status = &write;
    if (!write.path.ends_with(of) || write.path.find("/virtualservices/") == std::string::npos)
      continue;
    way.whole = (write.arrived - sent) * 1e3;
    way.share = way.whole - (status != nullptr ? (status->answered - status->arrived) * 1e3 : 0);
    return status != nullptr;
  }
  return false;
}

// Why there was no patch: what was written of the guard after the alert was sent.
void Explain(const std::vector<ApiWrite>& writes, int guard, double sent) {
  std::fprintf(stderr, "no route patch followed the alert about svc-%d; its writes:\n", guard);
  for (const ApiWrite& write : writes) {
    if (write.arrived < sent || write.path.find(StrCat("/svc-", guard)) == std::string::npos)
      continue;
    std::fprintf(stderr, "  %8.1f ms %s %s\n", (write.arrived - sent) * 1e3, write.method.c_str(),
                 write.path.c_str());
  }
}

std::string KindOf(const ApiWrite& write) {
  const auto parts = Split(write.path, '/');
  if (parts.back() == "status")
    return StrCat(write.method, " ", parts[parts.size() - 3], "/status");
  return StrCat(write.method, " ", write.method == "POST" ? parts.back() : parts[parts.size() - 2]);
}

Figures Measure(int active, int samples, int interval) {
  Fleet fleet({.guards = active + samples, .replicas = 2, .interval = interval});
  fleet.StartAgent(false);
  fleet.Await("Idle", active + samples);
  const size_t adopted = fleet.cluster().Writes().size();
  fleet.cluster().SetImage(0, active, "registry.example.com/shop/app:2");
  fleet.Await("Waiting", active);
  fleet.Pass(5);
  const size_t before = fleet.cluster().Writes().size();
  std::vector<double> sent;
  Figures figures;
  testing::KeptConnection alertmanager(fleet.agent().address());
  for (int i = 0; i < samples; ++i) {
    if (active == 1) fleet.Await("Waiting", 1);
    sent.push_back(Monotonic());
    if (PostAlert(alertmanager, i) != 200) ++figures.refused;
    // Spread over the rounds of the rules. The next release begins well before the next alert, and
    // once this one is over: what the server does for it is not the agent's.
    fleet.Pass(0.05);
    fleet.cluster().SetImage(active + i, active + i + 1, "registry.example.com/shop/app:2");
    fleet.Pass(0.1);
  }
  fleet.Pass(10);
  auto writes = fleet.cluster().Writes(before);
  // A write is noted once it has been answered, by when the next may have come and been noted.
  std::sort(writes.begin(), writes.end(),
            [](const ApiWrite& a, const ApiWrite& b) { return a.arrived < b.arrived; });
  for (int i = 0; i < samples; ++i) {
    Way way;
    if (FindWay(writes, i, sent[static_cast<size_t>(i)], way)) {
      figures.share.push_back(way.share);
      figures.whole.push_back(way.whole);
    } else {
      ++figures.lost;
      Explain(writes, i, sent[static_cast<size_t>(i)]);
    }
  }
  std::map<std::string, int> made;
  // The first of them have ended: what one release wrote from its start to its end.
  for (const ApiWrite& write : fleet.cluster().Writes(adopted)) {
    if (write.path.find("/svc-0") != std::string::npos &&
        (write.path.ends_with("/svc-0") || write.path.find("/svc-0/") != std::string::npos ||
         write.path.find("/svc-0-") != std::string::npos))
      ++figures.writes[KindOf(write)];
    else if (write.method == "POST" && write.path.find("/team-0/") != std::string::npos &&
             active == 1)
      ++made[KindOf(write)];
  }
  // What is made is named in the body only; all releases of the namespace make the same.
  for (const auto& [kind, n] : made) figures.writes[kind] += n / std::min(50, active + samples);
  return figures;
}

// A request to the agent that it answers from memory, over a connection that is kept, as the
// webhooks are sent.
double LoopbackMillis(Fleet& fleet) {
  std::vector<double> taken;
  testing::KeptConnection agent(fleet.agent().address());
  for (int i = 0; i < 300; ++i) {
    const double begun = Monotonic();
    if (agent.Ask("GET", "/health").status != 200) return 0;
    taken.push_back((Monotonic() - begun) * 1e3);
  }
  return Quantile(taken, 0.5);
}

double SyncMillis() {
  testing::TempDir dir("sync");
  const int fd = ::open((dir.path() + "/file").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  std::vector<double> taken;
  const std::string page(4096, 'x');
  for (int i = 0; i < 100; ++i) {
    const double begun = Monotonic();
    if (::write(fd, page.data(), page.size()) < 0 || ::fdatasync(fd) != 0) return 0;
    taken.push_back((Monotonic() - begun) * 1e3);
  }
  ::close(fd);
  return Quantile(taken, 0.5);
}

double Floor(Report& report) {
  Fleet fleet({.guards = 1, .replicas = 1, .metrics = false});
  fleet.StartAgent(false);
  fleet.Await("Idle", 1);
  const double loopback = LoopbackMillis(fleet), sync = SyncMillis();
  report.Add("yardstick: loopback HTTP request and answer, p50", loopback, "ms");
  report.Add("yardstick: 4 KiB written and synced, p50", sync, "ms");
  return 2 * loopback + sync;
}

int Main(int argc, char** argv) {
  Report report("alerts", argc, argv);
  const double floor = Floor(report);
  const int only = static_cast<int>(report.Option("--active", 0));
  for (int active : {1, 100, 1000}) {
    if (only != 0 && active != only) continue;
    Figures f =
        Measure(active, static_cast<int>(report.Option("--samples", active == 1 ? 50 : 200)),
                static_cast<int>(report.Option("--interval", 30)));
    auto name = [&](const char* what) { return StrCat(active, " active: alert to patch, ", what); };
    const bool goal = active == 1000;
    report.Add({.name = name("p50"),
                .value = Quantile(f.share, 0.5),
                .unit = "ms",
                .at_most = goal ? std::optional(2.0) : std::nullopt,
                .at_least = {},
                .floor = floor,
                .floor_is = "two loopback round trips and a sync"});
    report.Add({.name = name("p99"),
                .value = Quantile(f.share, 0.99),
                .unit = "ms",
                .at_most = goal ? std::optional(10.0) : std::nullopt,
                .at_least = {},
                .floor = {},
                .floor_is = {}});
    report.Add(name("p50 with the server's work"), Quantile(f.whole, 0.5), "ms");
    report.Add(name("p99 with the server's work"), Quantile(f.whole, 0.99), "ms");
    report.AtMost(name("webhooks not accepted"), f.refused, "", 0);
    report.AtMost(name("alerts without a patch"), f.lost, "", 0);
    if (active != 1) continue;
    int all = 0;
    for (const auto& [kind, n] : f.writes) {
      report.Add(StrCat("one release, rolled back: ", kind), n, "writes");
      all += n;
    }
    report.Add("one release, rolled back: API-server writes", all, "writes");
  }
  return report.Finish();
}

}  // namespace
}  // namespace rollguard::bench

int main(int argc, char** argv) { return rollguard::bench::Main(argc, argv); }
