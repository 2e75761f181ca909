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
  (void)ParseMapped(body, Mapping{}, rollguard::FromUnixMillis(0));
  return 0;
}
