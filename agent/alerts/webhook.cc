// SPDX-License-Identifier: Apache-2.0
#include "agent/alerts/webhook.h"

#include <algorithm>

#include "agent/base/json_patch.h"
#include "agent/base/text.h"

namespace rollguard::alerts {
namespace {

Error Bad(std::string_view where, std::string_view why) {
  return {ErrorCode::kInvalid, StrCat(where.empty() ? "the payload" : where, " ", why)};
}

Expected<Json> ReadDocument(std::string_view body, const WebhookLimits& limits) {
  return ParseJson(body, {.max_depth = 32, .max_bytes = limits.max_bytes});
}

bool IsLabelName(std::string_view name) {
  return !name.empty() && (name[0] < '0' || name[0] > '9') &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_';
         });
}

// An object of strings, sorted by name.
Expected<spec::StringMap> ReadMap(const Json& json, const std::string& where,
                                  const WebhookLimits& limits) {
  if (json.is_null()) return spec::StringMap{};
  if (!json.is_object()) return Bad(where, "must be an object of strings");
  if (json.size() > limits.max_labels)
    return Bad(where, StrCat("has more than ", limits.max_labels, " entries"));
  spec::StringMap map;
  for (const auto& [name, value] : json.members()) {
    if (!IsLabelName(name) || name.size() > limits.max_name_bytes) {
      return Bad(where,
                 StrCat("has the name ", Quote(Abbreviate(name, 80)), ", which is no label name"));
    }
    if (!value.is_string()) return Bad(where, StrCat("must have a string for ", Quote(name)));
    if (value.Str().size() > limits.max_value_bytes) {
      return Bad(where, StrCat("has a value longer than ", limits.max_value_bytes, " bytes for ",
                               Quote(name)));
    }
    map.emplace_back(name, value.Str());
  }
  std::sort(map.begin(), map.end());
  return map;
}

Expected<AlertStatus> ReadStatus(const Json& json, const std::string& where) {
  if (json.Str() == "firing") return AlertStatus::kFiring;
  if (json.Str() == "resolved") return AlertStatus::kResolved;
  return Bad(where, "must have \"status\" \"firing\" or \"resolved\"");
}

// Times before 1971 mean "not set" in Go's zero values.
Expected<Time> ReadTime(const Json& json, const std::string& where, std::string_view field) {
  if (!json.is_string()) return Bad(where, StrCat("must have ", Quote(field), " as RFC 3339 text"));
  auto time = ParseRfc3339(json.Str());
  if (!time) return Bad(where, StrCat("has ", Quote(field), ": ", time.error().message));
  return *time < FromUnixMillis(31'536'000'000) ? Time{} : *time;
}

// Labels, annotations and fingerprint: what every sender's alert has.
Status ReadCommon(const Json& json, const std::string& where, const WebhookLimits& limits,
                  Alert& alert) {
  auto labels = ReadMap(json.At("labels"), where + ".labels", limits);
  if (!labels) return labels.error();
  if (labels->empty()) return Bad(where + ".labels", "must not be empty");
  auto annotations = ReadMap(json.At("annotations"), where + ".annotations", limits);
  if (!annotations) return annotations.error();
  alert.labels = std::move(*labels);
  alert.annotations = std::move(*annotations);
  alert.fingerprint = json.At("fingerprint").Str();
  if (alert.fingerprint.size() > 64)
    return Bad(where + ".fingerprint", "is longer than 64 characters");
  if (alert.fingerprint.empty()) alert.fingerprint = FingerprintOf(alert.labels);
  alert.generator_url = Abbreviate(json.At("generatorURL").Str(), 2048);
  return {};
}

Expected<Alert> ReadAlert(const Json& json, const std::string& where, const WebhookLimits& limits) {
  if (!json.is_object()) return Bad(where, "must be an object");
  Alert alert;
  auto status = ReadStatus(json.At("status"), where);
  if (!status) return status.error();
  alert.status = *status;
  auto starts = ReadTime(json.At("startsAt"), where, "startsAt");
  if (!starts) return starts.error();
  if (*starts == Time{}) return Bad(where, "has no \"startsAt\"");
  alert.starts_at = *starts;
  if (const Json* ends = json.Find("endsAt"); ends != nullptr && !ends->is_null()) {
    auto time = ReadTime(*ends, where, "endsAt");
    if (!time) return time.error();
    alert.ends_at = *time;
  }
  if (Status common = ReadCommon(json, where, limits, alert); !common) return common.error();
  return alert;
}

Expected<std::vector<Alert>> ReadAlerts(const Json& list, const WebhookLimits& limits) {
  if (!list.is_array()) return Bad("\"alerts\"", "must be an array");
  if (list.size() > limits.max_alerts)
    return Bad("\"alerts\"", StrCat("has more than ", limits.max_alerts, " entries"));
  std::vector<Alert> alerts;
  for (size_t i = 0; i < list.size(); ++i) {
    auto alert = ReadAlert(list.At(i), StrCat("alerts[", i, "]"), limits);
    if (!alert) return alert.error();
    alerts.push_back(std::move(*alert));
  }
  return alerts;
}

}  // namespace

Expected<Payload> ParseAlertmanager(std::string_view body, const WebhookLimits& limits) {
  auto document = ReadDocument(body, limits);
  if (!document) return document.error();
  if (!document->is_object()) return Bad("", "must be a JSON object");
  const Json& version = document->At("version");
  if (version.Str() != "4")
    return Bad("\"version\"", StrCat("must be \"4\", not ", version.Dump()));
  auto alerts = ReadAlerts(document->At("alerts"), limits);
  if (!alerts) return alerts.error();
  if (alerts->empty()) return Bad("\"alerts\"", "must not be empty");
  const Json& truncated = document->At("truncatedAlerts");
  if (!truncated.is_null() && (!truncated.is_int() || truncated.IntOr(0) < 0)) {
    return Bad("\"truncatedAlerts\"", "must be a number of alerts");
  }
  return Payload{.receiver = document->At("receiver").Str(),
                 .group_key = document->At("groupKey").Str(),
                 .external_url = document->At("externalURL").Str(),
                 .truncated = truncated.IntOr(0),
                 .alerts = std::move(*alerts)};
}

namespace {

Expected<Time> MappedTime(const Json* json, Time received, const std::string& where) {
  if (json == nullptr || json->is_null()) return received;
  if (json->is_number()) {
    constexpr double kLatest = 253'402'300'799;  // the year 9999, where RFC 3339 ends too
    const double seconds = json->DoubleOr(0);
    if (seconds >= 0 && seconds <= kLatest)
      return FromUnixMillis(static_cast<int64_t>(seconds * 1000));
    return Bad(where, "\"startsAt\" must be RFC 3339 or seconds since 1970");
  }
  return ReadTime(*json, where, "startsAt");
}

std::string ScalarText(const Json& json) { return json.is_string() ? json.Str() : json.Dump(); }

Expected<Alert> ReadMappedAlert(const Json& json, const Mapping& mapping, Time received,
                                const std::string& where, const WebhookLimits& limits) {
  Json shaped = Json::Obj();
  if (const Json* labels = ResolvePointer(json, mapping.labels); labels != nullptr)
    shaped.Set("labels", *labels);
  for (const auto& [label, path] : mapping.label_paths) {
    const Json* value = ResolvePointer(json, path);
    if (value != nullptr && !value->is_array() && !value->is_object())
      shaped["labels"].Set(label, ScalarText(*value));
  }
  Alert alert;
  if (Status common = ReadCommon(shaped, where, limits, alert); !common) return common.error();
  if (const Json* status = ResolvePointer(json, mapping.status); status != nullptr) {
    bool resolved = std::find(mapping.resolved_values.begin(), mapping.resolved_values.end(),
                              ScalarText(*status)) != mapping.resolved_values.end();
    alert.status = resolved ? AlertStatus::kResolved : AlertStatus::kFiring;
  }
  auto starts = MappedTime(ResolvePointer(json, mapping.starts_at), received, where);
  if (!starts) return starts.error();
  alert.starts_at = *starts;
  return alert;
}

}  // namespace

Expected<Payload> ParseMapped(std::string_view body, const Mapping& mapping, Time received,
                              const WebhookLimits& limits) {
  auto document = ReadDocument(body, limits);
  if (!document) return document.error();
  Json::Array single;
  const Json* list = ResolvePointer(*document, mapping.alerts);
  if (list == nullptr) return Bad(Quote(mapping.alerts), "points to nothing in the payload");
  if (!mapping.alerts.empty() && !list->is_array())
    return Bad(Quote(mapping.alerts), "must be an array");
  if (!list->is_array()) single.push_back(*list);
  const Json::Array& items = list->is_array() ? list->items() : single;
  if (items.size() > limits.max_alerts)
    return Bad("", StrCat("has more than ", limits.max_alerts, " alerts"));
  Payload payload;
  for (size_t i = 0; i < items.size(); ++i) {
    auto alert = ReadMappedAlert(items[i], mapping, received, StrCat("alert ", i), limits);
    if (!alert) return alert.error();
    payload.alerts.push_back(std::move(*alert));
  }
  return payload;
}

Expected<PolledAlerts> ParsePolled(std::string_view body, const WebhookLimits& limits) {
  auto document = ParseJson(body, {.max_depth = 32, .max_bytes = limits.max_bytes * 4});
  if (!document) return document.error();
  if (!document->is_array()) return Bad("", "must be an array of alerts");
  PolledAlerts polled;
  for (size_t i = 0; i < document->size(); ++i) {
    Json item = document->At(i);
    if (!item.is_object()) return Bad(StrCat("alerts[", i, "]"), "must be an object");
    std::string state = item.At("status", "state").Str();
    item.Set("status", "firing");  // the API lists only alerts that have not ended
    auto alert = ReadAlert(item, StrCat("alerts[", i, "]"), limits);
    if (!alert) return alert.error();
    if (state == "suppressed") {
      polled.suppressed.push_back(alert->fingerprint);
      polled.quiet.push_back(std::move(*alert));
    } else if (state == "unprocessed") {
      polled.unprocessed.push_back(alert->fingerprint);
    } else {
      polled.alerts.push_back(std::move(*alert));
    }
  }
  return polled;
}

}  // namespace rollguard::alerts
