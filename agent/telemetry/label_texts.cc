// SPDX-License-Identifier: Apache-2.0
#include "agent/telemetry/label_texts.h"

namespace rollguard::telemetry {

const std::string* LabelTexts::Take(std::string_view text) {
  std::lock_guard lock(mutex_);
  auto at = uses_.lower_bound(text);
  if (at == uses_.end() || at->first != text) at = uses_.emplace_hint(at, text, 0);
  ++at->second;
  return &at->first;
}

void LabelTexts::Drop(const std::string* text) {
  std::lock_guard lock(mutex_);
  const auto at = uses_.find(*text);
  if (at != uses_.end() && --at->second == 0) uses_.erase(at);
}

size_t LabelTexts::size() const {
  std::lock_guard lock(mutex_);
  return uses_.size();
}

}  // namespace rollguard::telemetry
