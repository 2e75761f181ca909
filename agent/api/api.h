// SPDX-License-Identifier: Apache-2.0
// What people and machines ask over HTTP: REST under /api/v1 with its OpenAPI document, /health,
// the event stream and the web page.
//
//   Identity identity(config.auth, {...});
//   Api api({...});                    // a listener of the controller
//   http::Router router;
//   api.Register(router);
//   http::Server server(options, router, clock);
//   api.SetPublisher([&](auto type, auto topic, auto data) { return server.Publish(...); });
//
// Handlers run on the server's workers. They speak to the deciding thread through the loop, with a
// deadline; a busy loop is a 503 with Retry-After. The history is read on the worker.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/api/identity.h"
#include "agent/app/alert_desk.h"
#include "agent/app/analysis_sensor.h"
#include "agent/app/controller.h"
#include "agent/app/intake_routes.h"
#include "agent/app/loop.h"
#include "agent/app/rule_sensor.h"
#include "agent/http/router.h"
#include "agent/ports/history.h"
#include "agent/ports/notifier.h"

namespace rollguard::api {

// One thing the agent needs, as /health/deep shows it.
struct DependencyHealth {
  std::string name;
  bool ok = true;
  bool required = true;  // the agent is not ready without it
  std::string detail;
  Duration latency{0};
};

// What holding the audit against its hashes brought to light.
struct AuditFindings {
  size_t rows = 0;
  size_t givens = 0;                // records of what decisions were made from
  std::vector<std::string> breaks;  // one sentence each; empty: nothing was changed
};

// Everything outlives the Api, except what its comment says.
struct ApiParts {
  app::Loop* loop = nullptr;
  app::Controller* controller = nullptr;  // may be set later with Attach
  app::AlertDesk* alerts = nullptr;
  app::RuleSensor* rules = nullptr;         // may be null
  app::AnalysisSensor* analysis = nullptr;  // may be null
  std::vector<app::Sensor*> sensors{};      // all of the controller's: evidence is asked of them
  app::Intake* intake = nullptr;            // null: alerts are not taken in
  app::SenderMappings senders{};            // of alerts in other shapes, by name
  History* history = nullptr;
  Notifier* notifier = nullptr;  // on the loop only; null: nobody is told anything
  Cluster* cluster = nullptr;    // writes Guards and images; called on the loop only
  const Clock* clock = nullptr;
  Identity* identity = nullptr;
  std::string cluster_name = "default";
  std::string version;
  // Where browsers find metrics sources, by name; "" is the default one.
  std::map<std::string, std::string> source_links{};
  // "" when ready, else why not. Runs on a worker.
  std::function<std::string()> not_ready{};
  // "" when alerts are taken in, else why not. Asked for each: it must not wait for the deciding
  // thread.
  std::function<std::string()> refuses_alerts{};
  // Asks every dependency. Runs on a worker; must come back within a few seconds.
  std::function<std::vector<DependencyHealth>()> dependencies{};
  // Holds the whole audit against its hashes. Runs on a worker, seldom.
  std::function<Expected<AuditFindings>()> verify_audit{};
  // The agent's own metrics as text.
  std::function<http::Response()> metrics{};
  Duration answer_within = std::chrono::seconds(5);  // a person's command
  double requests_per_second = 200;                  // of one client address; 0: no limit
  double webhooks_per_second = 2'000;                // of all senders together; 0: no limit
  Duration keep_lists{500};                          // rows of all guards are read so often at most
  uint64_t id_seed = 0;                              // makes ids of calls differ between processes
};

class Api : public app::Listener {
 public:
  // type, topic ("namespace/name"), data (one JSON text) -> the event's id.
  using Publisher = std::function<uint64_t(std::string, std::string, std::string)>;

  explicit Api(ApiParts parts);
  ~Api() override;
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  // Before the loop and the server start.
  void Attach(app::Controller* controller);
  // Adds the routes, the gate and the security headers. The router must not be used after the Api
  // is gone.
  void Register(http::Router& router);
  void SetPublisher(Publisher publisher);

  // On the deciding thread: a rule was evaluated, an analysis metric measured (for the charts).
  void Observed(const app::RuleReading& reading);
  void Observed(const app::AnalysisReading& reading);
  // On the deciding thread: an alert was received (for the event stream).
  void Received(const app::AlertReceipt& receipt);

  void Decided(const spec::Guard& guard, const release::Decision& decision) override;
  void Changed(const spec::Guard& guard, const release::GuardState& before,
               const release::GuardState& after, const release::Observation& observation) override;
  void Told(const spec::Guard& guard, const release::Notify& notice) override;
  void Removed(const std::string& guard) override;
  void LetGo(const std::string& guard) override;

  // The OpenAPI 3 document, from the same table as the routes.
  static Json OpenApi(const std::string& version);
  // docs/api.md, from the same document.
  static std::string Reference();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rollguard::api
