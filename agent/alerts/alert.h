// SPDX-License-Identifier: Apache-2.0
// One alert as a sender reported it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/json.h"
#include "agent/base/time.h"
#include "agent/spec/values.h"

namespace rollguard::alerts {

enum class AlertStatus { kFiring, kResolved };
const char* ToString(AlertStatus status);

// A plain value. `fingerprint` identifies the label set; it is computed when the sender gave none.
struct Alert {
  AlertStatus status = AlertStatus::kFiring;
  std::string fingerprint;
  spec::StringMap labels;       // sorted by name
  spec::StringMap annotations;  // sorted by name
  Time starts_at{};
  Time ends_at{};  // the epoch: unknown
  std::string generator_url;

  const std::string& Label(std::string_view name) const;  // "" when absent
  std::string Name() const { return Label("alertname"); }
  // Equal for deliveries of one and the same event: fingerprint, start and status.
  std::string EventKey() const;
};

// A stable hash over the labels, in the form Alertmanager prints (16 hex digits).
std::string FingerprintOf(const spec::StringMap& labels);

// The form in which alerts are stored and shown; ParseStored reads it back.
Json ToJson(const Alert& alert);
Expected<Alert> AlertFromJson(const Json& json);

}  // namespace rollguard::alerts
