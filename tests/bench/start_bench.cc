// SPDX-License-Identifier: Apache-2.0
// How soon the agent is of use: the bare program, cold and warm, and the agent with 10,000 guards
// that an earlier process took over, until /health/ready says so and until every guard was looked
// at, with the configuration's own rate limit towards the API server.
//
//   bench_start [--guards N]
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "agent/base/text.h"
#include "tests/bench/fleet.h"
#include "tests/bench/report.h"

namespace rollguard::bench {
namespace {

double VersionMillis(bool cold) {
  std::vector<double> taken;
  const std::string program = testing::TheProgram();
  for (int i = 0; i < 20; ++i) {
    if (cold) {
      const int fd = ::open(program.c_str(), O_RDONLY | O_CLOEXEC);
      ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
      ::close(fd);
    }
    const double begun = Monotonic();
    if (testing::Run({program, "version"}).code != 0) return 0;
    taken.push_back((Monotonic() - begun) * 1e3);
  }
  return *std::min_element(taken.begin(), taken.end());
}

// Starting any program: what the kernel and this process need for it.
double TrueMillis() {
  std::vector<double> taken;
  for (int i = 0; i < 20; ++i) {
    const double begun = Monotonic();
    (void)testing::Run({"/bin/true"});
    taken.push_back((Monotonic() - begun) * 1e3);
  }
  return *std::min_element(taken.begin(), taken.end());
}

// The list of guards alone, asked for as the agent does.
double ListMillis(Fleet& fleet) {
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
  return (Monotonic() - begun) * 1e3;
}

int Main(int argc, char** argv) {
  Report report("start", argc, argv);
  const double bare = TrueMillis();
  report.Add({.name = "rollguard version, file cached, best of 20",
              .value = VersionMillis(false),
              .unit = "ms",
              .at_most = {},
              .at_least = {},
              .floor = bare,
              .floor_is = "/bin/true"});
  report.Add("rollguard version, program not cached, best of 20", VersionMillis(true), "ms");

  const int guards = static_cast<int>(report.Option("--guards", 10'000));
  Fleet fleet({.guards = guards, .replicas = 2, .metrics = false});
  fleet.StartAgent(false);
  fleet.Await("Idle", guards, 1800);
  const double list = ListMillis(fleet) / 1e3;
  double ready = 1e9, cpu = 0;
  for (int i = 0; i < 3; ++i) {
    fleet.StopAgent();
    ready = std::min(ready, fleet.StartAgent(true));
    cpu = fleet.usage().cpu;
  }
  report.Add({.name = StrCat(guards, " guards: start to ready, best of 3"),
              .value = ready,
              .unit = "s",
              .at_most = guards == 10'000 ? std::optional(3.0) : std::nullopt,
              .at_least = {},
              .floor = list,
              .floor_is = "the server's list of guards alone"});
  report.Add(StrCat(guards, " guards: CPU until ready"), cpu, "s");
  const double begun = Monotonic();
  while (fleet.Metric("rollguard_looks_total") < guards && Monotonic() - begun < 300)
    ::usleep(50'000);
  report.Add(StrCat(guards, " guards: from ready until every guard was looked at"),
             Monotonic() - begun, "s");
  report.Add(StrCat(guards, " guards: CPU until every guard was looked at"), fleet.usage().cpu,
             "s");
  return report.Finish();
}

}  // namespace
}  // namespace rollguard::bench

int main(int argc, char** argv) { return rollguard::bench::Main(argc, argv); }
