// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/report.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "agent/base/text.h"

namespace rollguard::bench {
namespace {

std::string CpuModel() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("model name")) return std::string(Trim(line.substr(line.find(':') + 1)));
  }
  return "unknown";
}

std::string LoadAverage() {
  std::ifstream in("/proc/loadavg");
  std::string one, five, fifteen;
  in >> one >> five >> fifteen;
  return StrCat(one, " ", five, " ", fifteen);
}

std::string Shown(double value) {
  return Format(value >= 1000 ? "%.0f" : value >= 10 ? "%.1f" : "%.3f", value);
}

}  // namespace

bool Meets(const Figure& f) {
  return (!f.at_most || f.value <= *f.at_most) && (!f.at_least || f.value >= *f.at_least);
}

Json Machine() {
  utsname os{};
  ::uname(&os);
  return Json::Obj({{"cpu", CpuModel()},
                    {"cores", static_cast<int64_t>(std::thread::hardware_concurrency())},
                    {"kernel", std::string(os.release)},
                    {"compiler", __VERSION__},
                    {"load", LoadAverage()}});
}

Report::Report(std::string name, int argc, char** argv) : name_(std::move(name)) {
  if (const char* file = std::getenv("BENCH_JSON")) file_ = file;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--json" && i + 1 < argc)
      file_ = argv[++i];
    else
      args_.emplace_back(argv[i]);
  }
  Json m = Machine();
  std::printf("# %s, %lld cores, Linux %s, g++ %s, load %s\n", m.At("cpu").Str().c_str(),
              static_cast<long long>(m.At("cores").IntOr(0)), m.At("kernel").Str().c_str(),
              m.At("compiler").Str().c_str(), m.At("load").Str().c_str());
  std::fflush(stdout);
}

double Report::Option(std::string_view flag, double otherwise) const {
  auto at = std::find(args_.begin(), args_.end(), flag);
  if (at == args_.end() || at + 1 == args_.end()) return otherwise;
  return ParseDouble(*(at + 1)).value_or(otherwise);
}

bool Report::Has(std::string_view flag) const {
  return std::find(args_.begin(), args_.end(), flag) != args_.end();
}

void Report::Section(const std::string& title) {
  std::printf("%s\n", title.c_str());
  std::fflush(stdout);
}

void Report::Add(const std::string& name, double value, const std::string& unit) {
  Add({.name = name,
       .value = value,
       .unit = unit,
       .at_most = {},
       .at_least = {},
       .floor = {},
       .floor_is = {}});
}

void Report::AtMost(const std::string& name, double value, const std::string& unit, double goal) {
  Add({.name = name,
       .value = value,
       .unit = unit,
       .at_most = goal,
       .at_least = {},
       .floor = {},
       .floor_is = {}});
}

void Report::Add(Figure f) {
  std::string goal, floor;
  if (f.at_most) goal = StrCat("goal <= ", FormatNumber(*f.at_most));
  if (f.at_least) goal = StrCat("goal >= ", FormatNumber(*f.at_least));
  if (!goal.empty()) goal += Meets(f) ? "" : "  MISSED";
  if (f.floor) floor = StrCat("floor ", Shown(*f.floor), " (", f.floor_is, ")");
  std::printf("  %-58s %12s %-10s %-22s %s\n", f.name.c_str(), Shown(f.value).c_str(),
              f.unit.c_str(), goal.c_str(), floor.c_str());
  std::fflush(stdout);
  Json json = Json::Obj({{"name", f.name}, {"value", f.value}, {"unit", f.unit}});
  if (f.at_most) json.Set("atMost", *f.at_most);
  if (f.at_least) json.Set("atLeast", *f.at_least);
  if (f.floor) json.Set("floor", *f.floor).Set("floorIs", f.floor_is);
  figures_.Push(std::move(json));
}

void Report::Note(const std::string& text) {
  std::printf("  note: %s\n", text.c_str());
  notes_.Push(text);
}

int Report::Finish() {
  if (!file_.empty()) {
    std::ofstream out(file_);
    out << Json::Obj(
               {{"bench", name_}, {"machine", Machine()}, {"figures", figures_}, {"notes", notes_}})
               .Dump(2)
        << "\n";
    if (!out.flush()) {
      std::fprintf(stderr, "bench: cannot write %s\n", file_.c_str());
      return 1;
    }
  }
  return 0;
}

double Quantile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  auto at = static_cast<size_t>(share * static_cast<double>(values.size()));
  return values[std::min(at, values.size() - 1)];
}

}  // namespace rollguard::bench
