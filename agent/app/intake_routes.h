// SPDX-License-Identifier: Apache-2.0
// What other senders of alerts and Flagger's webhooks are answered. Whoever calls has shown who it
// is already; thread-safe, for a server's workers.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "agent/app/controller.h"
#include "agent/app/intake.h"

namespace rollguard::app {

// By the name in the path. "generic" is alerts::Mapping as it stands, unless it is there already.
using SenderMappings = std::map<std::string, alerts::Mapping>;

// POST /api/v1/alerts/from/NAME: another sender's JSON, read by its mapping; 404 names those that
// there are.
http::Response AlertsFrom(Intake& intake, const SenderMappings& mappings, const std::string& name,
                          const http::Request& request, const std::string& sender);

// POST /api/v1/flagger/NAMESPACE/GUARD/HOOK: 200 to go on (or, asked by `rollback`, to go back),
// 403 not now, with the reason. Flagger takes every status but 2xx for no. Only asks: nothing
// changes.
http::Response FlaggerAnswer(Loop& loop, const Controller& controller, const std::string& guard,
                             std::string_view hook);

}  // namespace rollguard::app
