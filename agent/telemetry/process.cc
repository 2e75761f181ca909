// SPDX-License-Identifier: Apache-2.0
// The process as the kernel sees it. What cannot be read is left out.
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <vector>

#include "agent/base/text.h"
#include "agent/telemetry/metrics.h"

namespace rollguard::telemetry {
namespace {

std::string ReadText(const char* path) {
  std::ifstream stream(path);
  return std::string((std::istreambuf_iterator<char>(stream)), {});
}

// Fields of /proc/self/stat after the program's name, which may hold blanks and brackets: field 3
// of proc(5) is the first here.
std::vector<std::string_view> StatFields(std::string_view text) {
  size_t end = text.rfind(')');
  if (end == std::string_view::npos || end + 2 > text.size()) return {};
  return Split(text.substr(end + 2), ' ');
}

std::optional<double> Field(const std::vector<std::string_view>& fields, size_t of_proc5) {
  if (fields.size() <= of_proc5 - 3) return std::nullopt;
  return ParseDouble(fields[of_proc5 - 3]);
}

// When the machine was started, in seconds since the epoch.
std::optional<double> BootTime() {
  const std::string text = ReadText("/proc/stat");
  for (std::string_view line : Split(text, '\n')) {
    if (line.starts_with("btime ")) return ParseDouble(line.substr(6));
  }
  return std::nullopt;
}

void SetIf(Metrics& metrics, Metric metric, std::optional<double> value) {
  if (value) metrics.GaugeOf(metric).Set(*value);
}

void ReadProcess(Metrics& metrics) {
  const std::string text = ReadText("/proc/self/stat");
  const std::vector<std::string_view> fields = StatFields(text);
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  auto user = Field(fields, 14), system = Field(fields, 15);
  if (user && system) metrics.CounterOf(Metric::kProcessCpu).RaiseTo((*user + *system) / ticks);
  SetIf(metrics, Metric::kProcessThreads, Field(fields, 20));
  if (auto pages = Field(fields, 24))
    SetIf(metrics, Metric::kProcessMemory, *pages * static_cast<double>(sysconf(_SC_PAGESIZE)));
  std::error_code failed;
  auto descriptors = std::filesystem::directory_iterator("/proc/self/fd", failed);
  if (!failed) {
    auto open = std::distance(begin(descriptors), end(descriptors));
    SetIf(metrics, Metric::kProcessOpenFds, static_cast<double>(open));
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
    SetIf(metrics, Metric::kProcessMaxFds, static_cast<double>(limit.rlim_cur));
}

}  // namespace

void ExposeProcess(Metrics& metrics, std::string_view version) {
  metrics.GaugeOf(Metric::kBuildInfo, {version}).Set(1.0);
  const std::string text = ReadText("/proc/self/stat");
  auto began = Field(StatFields(text), 22);
  if (auto boot = BootTime(); boot && began) {
    metrics.GaugeOf(Metric::kProcessStart)
        .Set(*boot + *began / static_cast<double>(sysconf(_SC_CLK_TCK)));
  }
  metrics.OnExpose([&metrics] { ReadProcess(metrics); });
}

}  // namespace rollguard::telemetry
