// SPDX-License-Identifier: Apache-2.0
// How large the program is: stripped, by section, and what it loads.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "agent/base/text.h"
#include "tests/bench/report.h"
#include "tests/support/agent_process.h"

namespace rollguard::bench {
namespace {

constexpr double kMiB = 1 << 20;

double SizeOf(const std::string& path) {
  std::error_code none;
  return static_cast<double>(std::filesystem::file_size(path, none)) / kMiB;
}

int Main(int argc, char** argv) {
  Report report("size", argc, argv);
  testing::TempDir dir("size");
  const std::string stripped = dir.path() + "/rollguard";
  if (testing::Run({"strip", "-o", stripped, testing::TheProgram()}).code != 0) {
    std::fprintf(stderr, "strip failed: is binutils installed?\n");
    return 1;
  }
  report.Add({.name = "binary, stripped",
              .value = SizeOf(stripped),
              .unit = "MiB",
              .at_most = 6,
              .at_least = {},
              .floor = {},
              .floor_is = {}});
  report.Add("binary as built", SizeOf(testing::TheProgram()), "MiB");
  const std::string sections = testing::Run({"size", "-A", stripped}).out;
  for (std::string_view line : Split(sections, '\n')) {
    for (const char* name : {".text ", ".rodata ", ".eh_frame ", ".gcc_except_table "}) {
      if (!line.starts_with(name)) continue;
      const auto bytes = ParseInt(
          Trim(line.substr(line.find(' '))).substr(0, Trim(line.substr(line.find(' '))).find(' ')));
      report.Add(StrCat("section ", name), static_cast<double>(bytes.value_or(0)) / kMiB, "MiB");
    }
  }
  const std::string needed = testing::Run({"readelf", "-d", stripped}).out;
  const std::string loaded = testing::Run({"ldd", stripped}).out;
  auto lines = [](const std::string& text, std::string_view word) {
    double n = 0;
    for (std::string_view line : Split(text, '\n')) n += line.find(word) != line.npos ? 1 : 0;
    return n;
  };
  report.Add("shared libraries named by the binary", lines(needed, "(NEEDED)"), "");
  report.Add("shared libraries loaded in all", lines(loaded, "=>"), "");
  return report.Finish();
}

}  // namespace
}  // namespace rollguard::bench

int main(int argc, char** argv) { return rollguard::bench::Main(argc, argv); }
