// SPDX-License-Identifier: Apache-2.0
// How soon the bare program is there, cold and warm. How long an agent with thousands of guards
// takes to be ready is measured by bench_scale, which has them.
//
//   bench_start
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
  return report.Finish();
}

}  // namespace
}  // namespace rollguard::bench

int main(int argc, char** argv) { return rollguard::bench::Main(argc, argv); }
