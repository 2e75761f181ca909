// SPDX-License-Identifier: Apache-2.0
// Whatever arrives at the webhook: no crash, and what is accepted survives storing.
#include <cstdlib>
#include <string_view>

#include "agent/alerts/webhook.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rollguard::alerts;
  std::string_view body(reinterpret_cast<const char*>(data), size);
  auto payload = ParseAlertmanager(body);
  if (payload) {
    for (const Alert& alert : payload->alerts) {
      auto again = AlertFromJson(ToJson(alert));
      if (!again || again->EventKey() != alert.EventKey()) std::abort();
    }
  }
  (void)ParsePolled(body);
  // Senders of other shapes: the document is one alert, or holds a list of them.
  Mapping list;
  list.alerts = "/data/alerts";
  list.status = "/state/0";
  list.starts_at = "/at";
  list.label_paths = {{"alertname", "/rule/name"}, {"severity", "/a~1b"}};
  for (const Mapping& mapping : {Mapping{}, list}) {
    auto mapped = ParseMapped(body, mapping, rollguard::FromUnixMillis(0));
    if (!mapped && mapped.error().message.empty()) std::abort();
    if (!mapped) continue;
    for (const Alert& alert : mapped->alerts) {
      auto again = AlertFromJson(ToJson(alert));
      if (!again || again->EventKey() != alert.EventKey()) std::abort();
    }
  }
  return 0;
}
