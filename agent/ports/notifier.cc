// SPDX-License-Identifier: Apache-2.0
#include "agent/ports/notifier.h"

namespace rollguard {

Json ToJson(const Notice& notice) {
  Json json = Json::Obj({{"id", notice.id},
                         {"event", notice.event},
                         {"severity", spec::ToString(notice.severity)},
                         {"text", notice.text},
                         {"at", FormatRfc3339(notice.at)},
                         {"cluster", notice.cluster},
                         {"namespace", notice.ns},
                         {"guard", notice.guard},
                         {"workload", notice.workload}});
  auto add = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) json.Set(key, value);
  };
  add("release", notice.release);
  add("revision", notice.revision);
  add("phase", notice.phase);
  if (!notice.release.empty()) json.Set("weight", notice.weight);
  add("decision", notice.decision);
  add("actor", notice.actor);
  add("reason", notice.reason);
  if (!notice.signals.empty()) {
    Json names = Json::Arr();
    for (const std::string& name : notice.signals) names.Push(name);
    json.Set("signals", std::move(names));
  }
  return json;
}

Json ToJson(const DeadLetter& letter) {
  return Json::Obj({{"id", letter.id},
                    {"at", FormatRfc3339(letter.at)},
                    {"channel", letter.channel},
                    {"attempts", letter.attempts},
                    {"error", letter.error},
                    {"notice", ToJson(letter.notice)}});
}

Json ToJson(const ChannelHealth& health) {
  Json json = Json::Obj({{"name", health.channel},
                         {"kind", health.kind},
                         {"waiting", health.waiting},
                         {"sent", health.sent},
                         {"failedAttempts", health.failed},
                         {"deadLetters", health.dropped}});
  if (!health.last_error.empty()) json.Set("lastError", health.last_error);
  if (health.last_sent) json.Set("lastSent", FormatRfc3339(*health.last_sent));
  return json;
}

}  // namespace rollguard
