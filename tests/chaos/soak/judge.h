// SPDX-License-Identifier: Apache-2.0
// What the soak measures, and what of it must not grow.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "agent/base/time.h"

namespace rollguard::soak {

inline constexpr size_t kMaxStatus = 100U << 10;

struct Sample {
  double hour = 0;      // virtual, since the beginning
  double heap_mib = 0;  // of the whole process, by malloc's own count
  double agent_mib = 0;
  double world_mib = 0;
  double rss_mib = 0;
  double database_mib = 0;
  double series = 0;
  double objects = 0;
  double status_kib = 0;  // the mean of all guards' that were written since the last sample
  size_t largest_status = 0;
  uint64_t releases = 0;
  bool settled = false;  // the warm-up is over; so are all samples after it
};

double HoursOf(Duration duration);
double Mib(size_t bytes);
double HeapMib();
double RssMib();
double FolderMib(const std::string& folder);

void Print(const Sample& sample);
// Prints each value's slope beside its limit, and returns what is wrong. Samples of the warm-up are
// left out; with too few others it says so.
std::vector<std::string> Judge(std::span<const Sample> samples);

}  // namespace rollguard::soak
