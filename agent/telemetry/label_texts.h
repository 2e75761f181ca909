// SPDX-License-Identifier: Apache-2.0
// Each text of labels once, however many series have it: a guard's name stands in dozens of series,
// and `track="candidate"` in those of every guard.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace rollguard::telemetry {

// Thread-safe. A text that was taken stays where it is until it was dropped as often.
class LabelTexts {
 public:
  const std::string* Take(std::string_view text);
  void Drop(const std::string* text);
  size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, size_t, std::less<>> uses_;
};

}  // namespace rollguard::telemetry
