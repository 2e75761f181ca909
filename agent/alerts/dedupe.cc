// SPDX-License-Identifier: Apache-2.0
#include "agent/alerts/dedupe.h"

namespace rollguard::alerts {

bool Dedupe::Admit(const Alert& alert) {
  auto [at, is_new] = seen_.insert(alert.EventKey());
  if (!is_new) return false;
  order_.push_back(*at);
  if (order_.size() > keep_) {
    seen_.erase(order_.front());
    order_.pop_front();
  }
  return true;
}

}  // namespace rollguard::alerts
