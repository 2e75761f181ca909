// SPDX-License-Identifier: Apache-2.0
// Alerts on their way in: parsed, recorded, handed to the desk, answered. They are accepted once
// they are durable; their sender is told to try again otherwise. The desk does not wait for that:
// they are as true while the history's database is away, and a way back would be late by it.
//
// Runs on the server's workers; the desk is spoken to through the loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/alerts/webhook.h"
#include "agent/app/alert_desk.h"
#include "agent/app/loop.h"
#include "agent/http/message.h"
#include "agent/ports/history.h"

namespace rollguard::app {

class Intake {
 public:
  Intake(Loop& loop, AlertDesk& desk, History& history, const Clock& clock)
      : loop_(loop), desk_(desk), history_(history), clock_(clock) {}

  // Told on the loop what became of alerts, before anything that is decided on them is done;
  // `arrived` is the monotonic time at which the request was read. Set before the first request.
  using Observer = std::function<void(const std::vector<AlertReceipt>& receipts,
                                      std::chrono::nanoseconds arrived)>;
  void SetObserver(Observer observer) { observer_ = std::move(observer); }

  // POST /api/v1/alerts: Alertmanager's webhook.
  http::Response FromAlertmanager(const http::Request& request, const std::string& actor);
  // POST /api/v1/alerts/generic: another sender's JSON.
  http::Response FromStranger(const http::Request& request, const alerts::Mapping& mapping,
                              const std::string& actor);

 private:
  http::Response Accept(const alerts::Payload& payload, const std::string& actor);
  struct Waiter;
  std::shared_ptr<Waiter> Record(const std::vector<alerts::Alert>& alerts, const std::string& actor,
                                 Time arrived);

  Loop& loop_;
  AlertDesk& desk_;
  History& history_;
  const Clock& clock_;
  Observer observer_;
};

}  // namespace rollguard::app
