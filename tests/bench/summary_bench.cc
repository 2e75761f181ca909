// SPDX-License-Identifier: Apache-2.0
// All budgets at a glance: what the other benches wrote into a folder (default: beside the file
// that
// --json or $BENCH_JSON names), as one table of goal, figure and floor. Measures nothing itself.
//
//   bench_summary [FOLDER]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "tests/support/process.h"

namespace rollguard::bench {
namespace {

std::string Folder(int argc, char** argv) {
  if (argc > 1 && argv[1][0] != '-') return argv[1];
  const char* file = std::getenv("BENCH_JSON");
  return file != nullptr ? std::filesystem::path(file).parent_path().string() : ".";
}

std::string Number(const Json& value) {
  return value.is_null() ? "" : Format("%.3g", value.DoubleOr(0));
}

// Rows of one file; how many missed their goal.
int Print(const Json& file) {
  int missed = 0;
  const Json& figures = file.At("figures");
  for (const Json& f : figures.items()) {
    const Json &most = f.At("atMost"), &least = f.At("atLeast");
    if (most.is_null() && least.is_null()) continue;
    const double value = f.At("value").DoubleOr(0);
    const bool good = (most.is_null() || value <= most.DoubleOr(0)) &&
                      (least.is_null() || value >= least.DoubleOr(0));
    missed += good ? 0 : 1;
    std::printf("%-8s %-52s %9s %9s %9s %-9s %s\n", file.At("bench").Str().c_str(),
                f.At("name").Str().c_str(),
                (most.is_null() ? ">= " + Number(least) : "<= " + Number(most)).c_str(),
                Number(f.At("value")).c_str(), Number(f.At("floor")).c_str(),
                f.At("unit").Str().c_str(), good ? "" : "MISSED");
  }
  return missed;
}

int Main(int argc, char** argv) {
  std::vector<std::string> files;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(Folder(argc, argv), none)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  std::printf("%-8s %-52s %9s %9s %9s\n", "bench", "budget", "goal", "figure", "floor");
  int missed = 0;
  for (const std::string& path : files) {
    if (auto file = ParseJson(testing::ReadFile(path))) missed += Print(*file);
  }
  std::printf("%zu benches with results, %d budgets missed\n", files.size(), missed);
  return 0;
}

}  // namespace
}  // namespace rollguard::bench

int main(int argc, char** argv) { return rollguard::bench::Main(argc, argv); }
