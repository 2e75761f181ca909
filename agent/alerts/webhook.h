// SPDX-License-Identifier: Apache-2.0
// Webhook bytes -> alerts. Strict about what must be there, tolerant of fields it does not know
// (newer senders add some). All or nothing: a payload with one unusable alert is refused whole, so
// that the sender keeps it and tries again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/alerts/alert.h"
#include "agent/base/expected.h"

namespace rollguard::alerts {

struct WebhookLimits {
  size_t max_bytes = 4U << 20;
  size_t max_alerts = 5'000;
  size_t max_labels = 128;  // per alert, and as many annotations
  size_t max_name_bytes = 256;
  size_t max_value_bytes = 16 << 10;
};

struct Payload {
  std::string receiver;
  std::string group_key;
  std::string external_url;
  int64_t truncated = 0;  // alerts the sender left out; they must be fetched from its API
  std::vector<Alert> alerts;
};

// Alertmanager's webhook, version "4". The error says which field of which alert is wrong.
Expected<Payload> ParseAlertmanager(std::string_view body, const WebhookLimits& limits = {});

// How another sender's JSON is read. Paths are JSON pointers; those of an alert are relative to it.
struct Mapping {
  std::string alerts{};            // to the array; empty: the document itself is one alert
  std::string status = "/status";  // absent in the document: firing
  std::vector<std::string> resolved_values = {"resolved", "ok", "OK", "closed"};
  std::string starts_at = "/startsAt";  // RFC 3339 or unix seconds; absent: `received`
  std::string labels = "/labels";       // to an object of strings
  std::vector<std::pair<std::string, std::string>> label_paths{};  // label <- pointer
};
Expected<Payload> ParseMapped(std::string_view body, const Mapping& mapping, Time received,
                              const WebhookLimits& limits = {});

// Answer of Alertmanager's GET /api/v2/alerts. `suppressed` lists the fingerprints that are
// silenced or inhibited; those alerts are in `quiet`. `unprocessed` ones are there, but whether
// they are suppressed is not known yet.
struct PolledAlerts {
  std::vector<Alert> alerts;
  std::vector<Alert> quiet;
  std::vector<std::string> suppressed;
  std::vector<std::string> unprocessed;
};
Expected<PolledAlerts> ParsePolled(std::string_view body, const WebhookLimits& limits = {});

}  // namespace rollguard::alerts
