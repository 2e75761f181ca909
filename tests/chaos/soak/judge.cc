// SPDX-License-Identifier: Apache-2.0
#include "tests/chaos/soak/judge.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "agent/base/text.h"
#include "tests/simulation/harness/growth.h"

namespace rollguard::soak {
namespace {

constexpr size_t kFewestSamples = 20;

// What must not grow, and the share of its mean that an hour may add nevertheless.
struct Rule {
  const char* what;
  const char* unit;
  double Sample::*value;
  double share;
};
constexpr Rule kRules[] = {
    {"heap", "MiB", &Sample::heap_mib, 0.01},
    {"memory of the agent", "MiB", &Sample::agent_mib, 0.01},
    {"metric series", "", &Sample::series, 0.02},
    {"mean status", "KiB", &Sample::status_kib, 0.02},
    {"history's database", "MiB", &Sample::database_mib, 0.05},
};
// Said, not judged: the first is how the simulation fares, the second how malloc does.
constexpr Rule kBesides[] = {
    {"memory of the world", "MiB", &Sample::world_mib, 0},
    {"resident", "MiB", &Sample::rss_mib, 0},
    {"the cluster's objects", "", &Sample::objects, 0},
};

simulation::Growth GrowthOf(std::span<const Sample> samples, double Sample::*value) {
  std::vector<simulation::Reading> readings;
  for (const Sample& s : samples) readings.push_back({s.hour, s.*value});
  return simulation::GrowthOf(readings);
}

std::string Line(const Rule& rule, const simulation::Growth& growth) {
  return Format("%-22s mean %9.2f %-3s  an hour adds %+8.3f +- %.3f", rule.what, growth.mean,
                rule.unit, growth.slope, growth.error);
}

}  // namespace

double HoursOf(Duration duration) {
  return std::chrono::duration<double, std::ratio<3600>>(duration).count();
}

double Mib(size_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

// Small blocks come from the heap, large ones from the system one by one.
double HeapMib() {
  const struct mallinfo2 info = ::mallinfo2();
  return Mib(info.uordblks + info.hblkhd);
}

double RssMib() {
  std::ifstream file("/proc/self/statm");
  size_t pages = 0, resident = 0;
  file >> pages >> resident;
  return Mib(resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE)));
}

double FolderMib(const std::string& folder) {
  size_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) bytes += file.file_size();
  return Mib(bytes);
}

void Print(const Sample& s) {
  std::printf("%5.2f h  releases %7" PRIu64
              "  heap %7.1f MiB  agent %6.2f  world %7.1f  rss %7.1f  series %6.0f  status %4.1f "
              "KiB, largest %4.1f  objects %6.0f  database %6.1f MiB\n",
              s.hour, s.releases, s.heap_mib, s.agent_mib, s.world_mib, s.rss_mib, s.series,
              s.status_kib, static_cast<double>(s.largest_status) / 1024, s.objects,
              s.database_mib);
  std::fflush(stdout);
}

std::vector<std::string> Judge(std::span<const Sample> samples) {
  std::vector<std::string> wrong;
  size_t largest = 0;
  for (const Sample& s : samples) largest = std::max(largest, s.largest_status);
  std::printf("largest status %zu bytes of at most %zu\n", largest, kMaxStatus);
  if (largest > kMaxStatus) wrong.emplace_back("a status is too large");

  const auto first =
      std::find_if(samples.begin(), samples.end(), [](const Sample& s) { return s.settled; });
  const std::span<const Sample> judged(first, samples.end());
  if (judged.size() < kFewestSamples) {
    std::printf(
        "too short to judge growth: %zu samples after the warm-up are needed, there are %zu\n",
        kFewestSamples, judged.size());
    return wrong;
  }
  std::printf("judged: %zu samples, from %.2f h to %.2f h, %" PRIu64 " releases\n", judged.size(),
              judged.front().hour, judged.back().hour,
              judged.back().releases - judged.front().releases);
  for (const Rule& rule : kRules) {
    const simulation::Growth growth = GrowthOf(judged, rule.value);
    const double limit = growth.mean * rule.share;
    std::printf("  %s, at most %.3f\n", Line(rule, growth).c_str(), limit);
    if (growth.Exceeds(limit)) wrong.push_back(StrCat(rule.what, " grows"));
  }
  for (const Rule& rule : kBesides)
    std::printf("  %s\n", Line(rule, GrowthOf(judged, rule.value)).c_str());
  return wrong;
}

}  // namespace rollguard::soak
