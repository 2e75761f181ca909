// SPDX-License-Identifier: Apache-2.0
#include "agent/alerts/alert.h"

#include "agent/base/hash.h"
#include "agent/base/text.h"

namespace rollguard::alerts {
namespace {

Json MapToJson(const spec::StringMap& map) {
  Json out = Json::Obj();
  for (const auto& [name, value] : map) out.members().emplace_back(name, Json(value));
  return out;
}

spec::StringMap MapFromJson(const Json& json) {
  spec::StringMap out;
  for (const auto& [name, value] : json.members()) out.emplace_back(name, value.Str());
  return out;
}

}  // namespace

const char* ToString(AlertStatus status) {
  return status == AlertStatus::kFiring ? "firing" : "resolved";
}

const std::string& Alert::Label(std::string_view name) const {
  static const std::string empty;
  const std::string* found = spec::FindIn(labels, name);
  return found != nullptr ? *found : empty;
}

std::string Alert::EventKey() const {
  return StrCat(fingerprint, "/", ToUnixMillis(starts_at), "/", ToString(status));
}

std::string FingerprintOf(const spec::StringMap& labels) {
  uint64_t hash = Fnv1a64("");
  for (const auto& [name, value] : labels) {
    hash = Fnv1a64(name, hash);
    hash = Fnv1a64("\xff", hash);
    hash = Fnv1a64(value, hash);
    hash = Fnv1a64("\xff", hash);
  }
  return Format("%016llx", static_cast<unsigned long long>(hash));
}

Json ToJson(const Alert& alert) {
  Json out = Json::Obj({{"status", ToString(alert.status)},
                        {"fingerprint", alert.fingerprint},
                        {"labels", MapToJson(alert.labels)},
                        {"annotations", MapToJson(alert.annotations)},
                        {"startsAt", FormatRfc3339(alert.starts_at)}});
  if (alert.ends_at != Time{}) out.Set("endsAt", FormatRfc3339(alert.ends_at));
  if (!alert.generator_url.empty()) out.Set("generatorURL", alert.generator_url);
  return out;
}

Expected<Alert> AlertFromJson(const Json& json) {
  auto starts = ParseRfc3339(json.At("startsAt").Str());
  if (!starts) return starts.error();
  Alert alert{.status = json.At("status").Str() == "resolved" ? AlertStatus::kResolved
                                                              : AlertStatus::kFiring,
              .fingerprint = json.At("fingerprint").Str(),
              .labels = MapFromJson(json.At("labels")),
              .annotations = MapFromJson(json.At("annotations")),
              .starts_at = *starts,
              .ends_at = ParseRfc3339(json.At("endsAt").Str()).value_or(Time{}),
              .generator_url = json.At("generatorURL").Str()};
  return alert;
}

}  // namespace rollguard::alerts
