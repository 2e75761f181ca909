// SPDX-License-Identifier: Apache-2.0
// What stands behind the agents of the chaos, as real programs on addresses that stay: services
// whose errors are counted, Debian's Prometheus that scrapes them and has a rule about them,
// Debian's Alertmanager that posts what fires to one address, and PostgreSQL on a disk of its own.
// Each can be killed and started again.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/expected.h"
#include "tests/support/cut_proxy.h"
#include "tests/support/process.h"
#include "tests/support/real_postgres.h"
#include "tests/support/tiny_server.h"

namespace rollguard::chaos {

// What fires where errors are counted.
inline constexpr std::string_view kCountedAlert = "HighErrorRate";

class Backstage {
 public:
  Backstage();
  ~Backstage();

  // `namespaces`: each has a counter of errors; `door`: where Alertmanager posts.
  // `wires`: where those between its servers are.
  Status Start(const std::vector<std::string>& namespaces, const testing::Address& door,
               const std::string& token, testing::CutProxy::Site wires);

  Status StartPrometheus();
  void KillPrometheus();
  Status StartAlertmanager();
  void KillAlertmanager();
  testing::CutProxy& notices() { return *notices_; }  // from Prometheus to Alertmanager
  testing::RealPostgres& postgres() { return *postgres_; }
  const testing::RealPostgres& postgres() const { return *postgres_; }

  int prometheus_port() const { return prometheus_port_; }
  const std::string& database() const { return database_; }  // its URL
  // From now on every scrape finds more errors there, or no more.
  void SetFailing(const std::string& ns, bool failing);
  // Alertmanager has an alert about it.
  bool Fires(const std::string& ns) const;

 private:
  Status Launch(std::unique_ptr<testing::Process>& process, const std::vector<std::string>& command,
                const std::string& log, int port);
  std::string Metrics();

  testing::TempDir dir_{"backstage"};
  struct Service {
    std::atomic<bool> failing{false};
    std::atomic<int64_t> errors{0};
  };
  std::map<std::string, Service> services_;
  std::unique_ptr<testing::TinyServer> exporter_;
  int prometheus_port_;
  int alertmanager_port_;
  std::unique_ptr<testing::CutProxy> notices_;
  std::unique_ptr<testing::Process> prometheus_;
  std::unique_ptr<testing::Process> alertmanager_;
  std::unique_ptr<testing::RealPostgres> postgres_;
  std::string database_;
};

}  // namespace rollguard::chaos
