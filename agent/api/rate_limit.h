// SPDX-License-Identifier: Apache-2.0
// So many requests a second for each client address, with bursts of twice as many. Thread-safe.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <unordered_map>

namespace rollguard::api {

class RateLimit {
 public:
  explicit RateLimit(double per_second) : per_second_(per_second) {}
  // False: too many. Addresses are forgotten when there are too many of them.
  bool Admit(const std::string& address, std::chrono::nanoseconds now);

 private:
  struct Bucket {
    double tokens = 0;
    std::chrono::nanoseconds filled{0};
  };
  double per_second_;
  std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;
};

}  // namespace rollguard::api
