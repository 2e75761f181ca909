// SPDX-License-Identifier: Apache-2.0
// What senders of alerts and Flagger's webhooks are answered, as routes:
//
//   POST /api/v1/alerts                                  Alertmanager's webhook
//   POST /api/v1/alerts/from/{mapping}                   another sender's JSON, read by a mapping
//   POST /api/v1/flagger/{namespace}/{guard}/{hook}      confirm-rollout, confirm-promotion,
//   rollback
//
// Every one needs credentials; without `identify` all of them are refused. Handlers are thread-safe
// and run on the server's workers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "agent/app/controller.h"
#include "agent/app/intake.h"
#include "agent/http/router.h"

namespace rollguard::app {

// Who sends; the error's text is shown (401, or 503 when it may be tried again).
using IdentifySender = std::function<Expected<std::string>(const http::Request&)>;

struct IntakeRoutes {
  Intake* intake = nullptr;
  Loop* loop = nullptr;
  Controller* controller = nullptr;  // asked on the loop; null: no Flagger routes
  const Clock* clock = nullptr;
  IdentifySender identify;
  std::map<std::string, alerts::Mapping> mappings;  // by the name in the path
  size_t max_bytes = 4U << 20;
  double requests_per_second = 2'000;  // of all senders together; beyond: 429 with Retry-After
  double burst = 4'000;
};

// Adds the routes. What `routes` points to must outlive the router's last request.
void RegisterIntake(http::Router& router, IntakeRoutes routes);
// Only Flagger's.
void RegisterFlagger(http::Router& router, IntakeRoutes routes);

// Checks senders against the configuration: bearer, basic or client certificate. Files are read
// again when they change; secrets are compared in constant time. Absent `webhooks`: all refused.
IdentifySender SenderCheck(const spec::AuthConfig& auth, const Clock& clock);

}  // namespace rollguard::app
