// SPDX-License-Identifier: Apache-2.0
#include "agent/api/rate_limit.h"

#include <algorithm>

namespace rollguard::api {
namespace {

constexpr size_t kMaxAddresses = 8192;

}  // namespace

bool RateLimit::Admit(const std::string& address, std::chrono::nanoseconds now) {
  if (per_second_ <= 0) return true;
  double burst = 2 * per_second_;
  std::lock_guard lock(mutex_);
  if (buckets_.size() >= kMaxAddresses) buckets_.clear();
  auto [found, fresh] = buckets_.try_emplace(address, Bucket{burst, now});
  Bucket& bucket = found->second;
  double passed = std::chrono::duration<double>(now - bucket.filled).count();
  bucket.tokens = std::min(burst, bucket.tokens + std::max(0.0, passed) * per_second_);
  bucket.filled = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

}  // namespace rollguard::api
