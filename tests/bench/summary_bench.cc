// SPDX-License-Identifier: Apache-2.0
// All budgets at a glance, as docs/performance.md shows them: what the other benches wrote into a
// folder (default: beside the file that $BENCH_JSON names), as Markdown tables of goal, figure and
// floor, of how cost grows with the number of guards, and of what else was measured. Measures
// nothing itself. The file gets the results of all of them.
//
//   bench_summary [FOLDER]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
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

using Results = std::map<std::string, Json>;  // by bench

Results Load(const std::string& folder) {
  Results results;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() != ".json" || name == "summary" || name.ends_with("-with-options"))
      continue;
    if (auto file = ParseJson(testing::ReadFile(entry.path().string())))
      results[name] = std::move(*file);
  }
  return results;
}

std::string Number(const Json& value) {
  if (value.is_null()) return "-";
  const double number = value.DoubleOr(0);
  return Format(number >= 100 || number == static_cast<int64_t>(number) ? "%.0f" : "%.3g", number);
}

std::string WithUnit(const Json& value, const Json& figure) {
  if (value.is_null()) return "-";
  const std::string unit = figure.At("unit").Str();
  return unit.empty() ? Number(value) : StrCat(Number(value), " ", unit);
}

std::string Goal(const Json& figure) {
  const Json &most = figure.At("atMost"), &least = figure.At("atLeast");
  return StrCat(most.is_null() ? ">= " : "<= ", WithUnit(most.is_null() ? least : most, figure));
}

bool Meets(const Json& figure) {
  const Json &most = figure.At("atMost"), &least = figure.At("atLeast");
  const double value = figure.At("value").DoubleOr(0);
  return (most.is_null() || value <= most.DoubleOr(0)) &&
         (least.is_null() || value >= least.DoubleOr(0));
}

// Returns how many missed their goal.
int PrintBudgets(const Results& results) {
  std::printf("| part | budget | goal | figure | floor | state |\n");
  std::printf("| --- | --- | --- | --- | --- | --- |\n");
  int missed = 0;
  for (const auto& [bench, file] : results) {
    const Json& figures = file.At("figures");
    for (const Json& f : figures.items()) {
      if (f.At("atMost").is_null() && f.At("atLeast").is_null()) continue;
      std::string floor = WithUnit(f.At("floor"), f);
      if (!f.At("floor").is_null()) floor += StrCat(": ", f.At("floorIs").Str());
      missed += Meets(f) ? 0 : 1;
      std::printf("| `%s` | %s | %s | %s | %s | %s |\n", bench.c_str(), f.At("name").Str().c_str(),
                  Goal(f).c_str(), WithUnit(f.At("value"), f).c_str(), floor.c_str(),
                  Meets(f) ? "met" : "**missed**");
    }
  }
  return missed;
}

const Json* Find(const Results& results, const std::string& name) {
  for (const char* bench : {"scale", "scale-50000"}) {
    auto file = results.find(bench);
    if (file == results.end()) continue;
    const Json& figures = file->second.At("figures");
    for (const Json& f : figures.items()) {
      if (f.At("name").Str() == name) return &f;
    }
  }
  return nullptr;
}

void PrintGrowth(const Results& results, const char* what, const std::vector<int>& sizes,
                 const std::vector<const char*>& columns) {
  std::printf("\n| guards |");
  for (const char* column : columns) std::printf(" %s |", column);
  std::printf("\n| --- |");
  for (size_t i = 0; i < columns.size(); ++i) std::printf(" --- |");
  std::printf("\n");
  for (int size : sizes) {
    std::string row = StrCat("| ", size, " |");
    bool measured = false;
    for (const char* column : columns) {
      const Json* figure = Find(results, StrCat(size, what, column));
      measured = measured || figure != nullptr;
      row += StrCat(" ", figure == nullptr ? "-" : WithUnit(figure->At("value"), *figure), " |");
    }
    if (measured) std::printf("%s\n", row.c_str());
  }
}

void PrintOthers(const Results& results) {
  std::printf("\n| part | figure | |\n| --- | --- | --- |\n");
  for (const auto& [bench, file] : results) {
    if (bench.starts_with("scale") || bench == "hostile") continue;  // shown already
    const Json& figures = file.At("figures");
    for (const Json& f : figures.items()) {
      if (!f.At("atMost").is_null() || !f.At("atLeast").is_null()) continue;
      std::printf("| `%s` | %s | %s |\n", bench.c_str(), f.At("name").Str().c_str(),
                  WithUnit(f.At("value"), f).c_str());
    }
  }
}

// One file with everything. 1 when it could not be written.
int Keep(const Results& results) {
  const char* file = std::getenv("BENCH_JSON");
  if (file == nullptr) return 0;
  Json parts = Json::Arr();
  for (const auto& [bench, part] : results) parts.Push(part);
  std::ofstream out(file);
  out << Json::Obj({{"parts", std::move(parts)}}).Dump(2) << "\n";
  if (out.flush()) return 0;
  std::fprintf(stderr, "bench: cannot write %s\n", file);
  return 1;
}

int Main(int argc, char** argv) {
  const Results results = Load(Folder(argc, argv));
  if (results.empty()) {
    std::printf("no results yet: run ./dev bench, or ./dev bench NAME\n");
    return 0;
  }
  for (const auto& [bench, file] : results) {
    const Json& machine = file.At("machine");
    std::printf("Measured on %d cores of %s, Linux %s, g++ %s; load when `%s` ended: %s.\n\n",
                static_cast<int>(machine.At("cores").IntOr(0)), machine.At("cpu").Str().c_str(),
                machine.At("kernel").Str().c_str(), machine.At("compiler").Str().c_str(),
                bench.c_str(), machine.At("load").Str().c_str());
    break;
  }
  const int missed = PrintBudgets(results);
  PrintGrowth(results, " guards at rest: ", {100, 1000, 10'000, 50'000},
              {"RSS", "RSS per guard", "start to ready", "CPU from start to ready",
               "start until every guard was looked at",
               "CPU from start until every guard was looked at", "CPU afterwards",
               "API requests per minute", "looks per minute"});
  PrintGrowth(results, " active, 5 metrics each: ", {100, 1000},
              {"RSS", "CPU", "metric requests per round", "questions per round",
               "API requests per minute, waiting", "patches per release to its first step"});
  PrintOthers(results);
  std::printf("\n%zu parts with results, %d budgets missed\n", results.size(), missed);
  return Keep(results);
}

}  // namespace
}  // namespace rollguard::bench

int main(int argc, char** argv) { return rollguard::bench::Main(argc, argv); }
