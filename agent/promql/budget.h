// SPDX-License-Identifier: Apache-2.0
// What one evaluation may still spend, and the first thing that went wrong in it.
//
// The failure is sticky: whoever notices one returns something empty, and every caller looks at
// failed() after each part. This keeps arithmetic free of error plumbing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "agent/base/expected.h"

namespace rollguard::promql {

class Budget {
 public:
  Budget(size_t max_samples, uint64_t max_work, const std::function<bool()>& expired)
      : max_samples_(max_samples), work_left_(max_work), expired_(expired) {}

  // Records the first failure; always false.
  bool Fail(std::string message, ErrorCode code = ErrorCode::kInvalid) {
    if (!error_) error_ = Error(code, std::move(message));
    return false;
  }
  bool failed() const { return error_.has_value(); }
  const Error& error() const { return *error_; }

  // May rows * width more cells be held, on top of the live ones? Fails the evaluation if not.
  bool Reserve(size_t rows, size_t width) {
    if (width != 0 && rows > (max_samples_ - std::min(live_, max_samples_)) / width) {
      return Fail("query processing would load too many samples into memory in query execution",
                  ErrorCode::kTooLarge);
    }
    return true;
  }
  size_t live() const { return live_; }
  void SetLive(size_t cells) { live_ = cells; }

  // Counts work; false when the evaluation must end.
  bool Work(uint64_t amount) {
    if (amount > work_left_) return Fail("query exceeds the limit of work", ErrorCode::kTooLarge);
    work_left_ -= amount;
    since_asked_ += amount;
    if (since_asked_ < kAskEvery || !expired_) return !failed();
    since_asked_ = 0;
    if (expired_()) {
      return Fail("query timed out in expression evaluation", ErrorCode::kTimeout);
    }
    return !failed();
  }

 private:
  static constexpr uint64_t kAskEvery = 2'000'000;
  size_t max_samples_;
  uint64_t work_left_;
  uint64_t since_asked_ = 0;
  size_t live_ = 0;
  const std::function<bool()>& expired_;
  std::optional<Error> error_;
};

}  // namespace rollguard::promql
