// SPDX-License-Identifier: Apache-2.0
// Loads samples into a real Prometheus through its remote-write receiver (started with
// --web.enable-remote-write-receiver): the one way that carries stale markers bit for bit.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace rollguard::testing {

struct WrittenSample {
  int64_t t_ms = 0;
  double value = 0;
};

struct WrittenSeries {
  std::vector<std::pair<std::string, std::string>> labels;  // sorted by name, __name__ included
  std::vector<WrittenSample> samples;
};

// One request; the samples of all series together should be about as old as each other. False when
// the server refuses, with the reason on stderr.
bool RemoteWrite(int port, const std::vector<WrittenSeries>& series);

// Everything, cut into slices of time so that the server takes it in order.
bool RemoteWriteAll(int port, const std::vector<WrittenSeries>& series, int64_t slice_ms = 600'000);

}  // namespace rollguard::testing
