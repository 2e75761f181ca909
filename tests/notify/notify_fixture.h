// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "agent/ports/notifier.h"

namespace rollguard::notify {

// A rollback as people are told of it, with characters that break what is careless.
inline Notice RolledBack() {
  Notice notice;
  notice.id = "n1";
  notice.event = "rolledBack";
  notice.severity = spec::RuleSeverity::kCritical;
  notice.text = "rolling back: HighErrorRate: 4.2% > 1% of \"GET /cart\" & <others>";
  notice.at = FromUnixMillis(1'767'225'600'000);
  notice.cluster = "prod-eu";
  notice.ns = "shop";
  notice.guard = "checkout";
  notice.workload = "checkout";
  notice.release = "r7";
  notice.revision = "x7k2m9qd";
  notice.phase = "Progressing";
  notice.weight = 20;
  notice.decision = "d4";
  notice.actor = "rollguard";
  notice.signals = {"HighErrorRate", "SlowerThanStable"};
  return notice;
}

}  // namespace rollguard::notify
