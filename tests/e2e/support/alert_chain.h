// SPDX-License-Identifier: Apache-2.0
// A sample service whose errors are counted, Debian's Prometheus that scrapes it and has a rule
// about it, and Debian's Alertmanager that posts what fires to an agent's webhook.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "agent/base/json.h"
#include "agent/base/time.h"
#include "tests/support/process.h"
#include "tests/support/real_prometheus.h"
#include "tests/support/tiny_server.h"

namespace rollguard::testing {

class AlertChain {
 public:
  // The alert names this guard; the webhook is the agent's on that port.
  AlertChain(const std::string& guard, int agent_port, const std::string& token);
  ~AlertChain();

  // False, with the reason on stderr, when one of the programs does not start.
  bool Start();
  bool StartAlertmanager();
  void KillAlertmanager();
  int alertmanager_port() const { return alertmanager_port_; }

  // From now on every scrape finds more errors, or no more.
  void SetFailing(bool failing) { failing_ = failing; }
  // The alert as Alertmanager has it now; null when it has none.
  Json Alert();
  // True when it is answered that the alert fires (or does not any more).
  bool AwaitAlert(bool firing);
  bool Silence();  // for an hour
  bool EndSilences();

 private:
  std::string guard_;
  int agent_port_;
  TempDir dir_{"alerts"};
  std::atomic<bool> failing_{false};
  std::atomic<int64_t> errors_{0};
  int alertmanager_port_;
  std::unique_ptr<Process> alertmanager_;
  std::unique_ptr<RealPrometheus> prometheus_;
  std::unique_ptr<TinyServer> service_;
};

}  // namespace rollguard::testing
