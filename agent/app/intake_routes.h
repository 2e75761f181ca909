// SPDX-License-Identifier: Apache-2.0
// What senders of alerts and Flagger's webhooks are answered, as routes:
//
//   POST /api/v1/alerts                                  Alertmanager's webhook
//   POST /api/v1/alerts/from/{mapping}                   another sender's JSON, read by a mapping;
//                                                        `generic` is alerts::Mapping as it stands
//   POST /api/v1/flagger/{namespace}/{guard}/{hook}      confirm-rollout, confirm-promotion,
//   rollback
//
// Every one needs credentials; without `identify` all of them are refused. Handlers are thread-safe
// and run on the server's workers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "agent/app/controller.h"
#include "agent/app/intake.h"
#include "agent/http/router.h"

namespace rollguard::app {

// Who sends. The error is shown: 503 when it may be tried again, else 401.
using IdentifySender = std::function<Expected<std::string>(const http::Request&)>;

// So many a second, with a burst; shared by all senders. Thread-safe.
class RateLimit {
 public:
  RateLimit(const Clock& clock, double per_second, double burst)
      : clock_(clock), per_second_(per_second), burst_(burst), left_(burst) {}
  bool Take();

 private:
  const Clock& clock_;
  const double per_second_;
  const double burst_;
  std::mutex mutex_;  // guards what follows
  double left_;
  std::chrono::nanoseconds at_{0};
};

struct IntakeRoutes {
  Intake* intake = nullptr;          // null: no alerts are taken in
  Loop* loop = nullptr;              // for Flagger
  Controller* controller = nullptr;  // asked on the loop; null: no Flagger routes
  const Clock* clock = nullptr;
  IdentifySender identify;                          // null: everyone is refused
  std::map<std::string, alerts::Mapping> mappings;  // by the name in the path
  size_t max_bytes = 4U << 20;
  double requests_per_second = 2'000;  // beyond: 429 with Retry-After
  double burst = 4'000;
};

// All of them. What `routes` points to must outlive the router's last request.
void RegisterIntake(http::Router& router, IntakeRoutes routes);
// Without Alertmanager's own, for a process that registers that elsewhere.
void RegisterOtherSenders(http::Router& router, IntakeRoutes routes);

}  // namespace rollguard::app
