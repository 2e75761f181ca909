// SPDX-License-Identifier: Apache-2.0
// Reads Alertmanager's v2 API now and then, one or several members: lost webhooks are caught up,
// silences and inhibitions are seen, alerts that began while the agent was down are found, and a
// Watchdog that is missing makes the agent blind.
//
// Members are taken as copies of one another (an HA pair): an alert fires when any of them says so,
// and is suppressed when any of them says that. An alert is taken for ended only when no member
// that answers has shown it for `gone_after`: a member that has just started knows nothing yet.
//
// Belongs to the deciding thread; the client's callbacks must come on it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/alerts/webhook.h"
#include "agent/app/alert_desk.h"
#include "agent/ports/history.h"
#include "agent/ports/http_client.h"
#include "agent/ports/timers.h"
#include "agent/spec/agent_config.h"

namespace rollguard::app {

struct AlertPollerOptions {
  std::vector<spec::AlertmanagerConfig> members;
  Duration gone_after = std::chrono::minutes(2);
  // The text of a secret's file, read anew for every request; the default reads the file system.
  std::function<Expected<std::string>(const std::string& path)> read_secret;
};

// What people see of one member.
struct AlertmanagerStatus {
  std::string name;
  std::string url;
  std::optional<Time> answered;  // last good answer
  std::string problem;           // of the last attempt; empty: none
  size_t firing = 0;
  size_t suppressed = 0;
  std::optional<Time> watchdog;  // last seen
};

class AlertPoller {
 public:
  // `history` may be null: what was caught up is then not recorded. All outlive the poller.
  AlertPoller(HttpClient& http, Timers& timers, const Clock& clock, AlertDesk& desk,
              History* history, AlertPollerOptions options);
  ~AlertPoller();
  AlertPoller(const AlertPoller&) = delete;
  AlertPoller& operator=(const AlertPoller&) = delete;

  // Asks every member at once, and then each at its interval. Does nothing without members.
  void Start();
  // Why alerts cannot be trusted to arrive: no member has shown the Watchdog for as long as it is
  // configured. Empty: they can, or nobody asked for a Watchdog.
  std::string Blind() const;
  std::vector<AlertmanagerStatus> Members() const;

 private:
  struct Member;
  void Ask(const std::shared_ptr<Member>& member);
  void Heard(const std::shared_ptr<Member>& member, const Expected<HttpResponse>& response);
  void Take(Member& member, alerts::PolledAlerts polled);
  void Merge();
  Expected<HttpRequest> RequestFor(const Member& member) const;

  HttpClient& http_;
  Timers& timers_;
  const Clock& clock_;
  AlertDesk& desk_;
  History* history_;
  AlertPollerOptions options_;
  std::vector<std::shared_ptr<Member>> members_;
  Time started_{};
};

}  // namespace rollguard::app
