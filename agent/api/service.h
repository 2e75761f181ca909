// SPDX-License-Identifier: Apache-2.0
// The handlers behind the routes, and what they share. Handlers run on workers; members that belong
// to the deciding thread say so.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "agent/api/api.h"
#include "agent/api/call.h"
#include "agent/api/fleet.h"
#include "agent/api/rate_limit.h"
#include "agent/api/route.h"
#include "agent/api/tape.h"

namespace rollguard::api {

class Service {
 public:
  explicit Service(ApiParts parts);

  // All checks, the handler, the audit, the ETag.
  http::Response Serve(const Route& route, const http::Request& request);

  // Health and meta.
  http::Response GetHealth(Call& call);
  http::Response GetReady(Call& call);
  http::Response GetDeepHealth(Call& call);
  http::Response GetFleet(Call& call);
  http::Response GetMetrics(Call& call);
  http::Response GetOpenApi(Call& call);
  http::Response GetWhoami(Call& call);
  // Guards.
  http::Response ListGuards(Call& call);
  http::Response GetGuard(Call& call);
  http::Response GetSeries(Call& call);
  http::Response PostCommand(Call& call);
  // Releases.
  http::Response ListReleases(Call& call);
  http::Response GetRelease(Call& call);
  http::Response CreateRelease(Call& call);
  // Deployments.
  http::Response ListDeployments(Call& call);
  http::Response GetDeployment(Call& call);
  http::Response CreateDeployment(Call& call);
  // History.
  http::Response ListDecisions(Call& call);
  http::Response GetDecision(Call& call);
  http::Response GetDecisionGiven(Call& call);
  http::Response ListMeasurements(Call& call);
  http::Response GetAudit(Call& call);
  http::Response ListHistory(Call& call);
  http::Response GetStatistics(Call& call);
  http::Response ListRules(Call& call);
  http::Response ListAlerts(Call& call);
  http::Response PostAlerts(Call& call);
  http::Response PostAlertsFrom(Call& call);
  http::Response AskFlaggerHook(Call& call);
  http::Response StreamEvents(Call& call);
  // Notifications.
  http::Response GetNotifications(Call& call);
  http::Response RetryDeadLetter(Call& call);
  http::Response DiscardDeadLetter(Call& call);

  // What the listener brings, on the deciding thread.
  Tape& tape() { return tape_; }
  void Publish(std::string type, std::string topic, const Json& data);
  void GuardChanged();  // wakes those who wait for a guard to move

  ApiParts& parts() { return parts_; }
  void SetPublisher(Api::Publisher publisher) { publisher_ = std::move(publisher); }

 private:
  friend class Deploying;

  // dispatch.cc
  std::optional<http::Response> CheckTransport(const Route& route, const http::Request& request);
  std::optional<http::Response> CheckParams(const Call& call) const;
  std::optional<http::Response> CheckBody(Call& call) const;
  std::optional<http::Response> CheckCaller(Call& call);
  void Audit(const Call& call, const http::Response& response);
  std::string FreshId(std::string_view what);

  // Every verb on one guard; the answer to give when one is missing.
  std::optional<http::Response> Refuse(const Call& call, const std::string& guard,
                                       const std::vector<const char*>& verbs);
  // What a list may show; the parameters `namespace` and `guard` narrow it.
  Expected<Sight> SightOf(const Call& call);
  // Whether the caller of that request still sees what it saw.
  bool StillSees(const Route& route, const http::Request& request, const Sight& sight);
  Expected<FleetRows> ReadFleet();
  Expected<app::GuardSummary> FindGuard(const std::string& guard);

  // A command's way to the controller and back. `release`: only while this one runs.
  http::Response Tell(Call& call, const std::string& guard, const std::string& release,
                      release::Command::Verb verb);
  http::Response CommandOnRelease(Call& call, release::Command::Verb verb);
  Expected<ReleaseRow> FindReleaseRow(const std::string& id);

  // Pages of kept records that the caller may see.
  struct Page {
    std::vector<StoredRecord> records;
    int64_t next = 0;  // 0: that was the last page
  };
  Expected<Page> ReadPage(const Call& call, const Sight& sight, const std::string& kind);
  Expected<Json> SeriesOf(const ReleaseRow& row);  // SeriesSet from the history
  Expected<StoredRecord> FindDecision(Call& call);
  // What happens to the dead letter of the path, once the caller may; `verb` says what.
  http::Response WithDeadLetter(Call& call, Status (Notifier::*verb)(const std::string&),
                                const char* message);

  // Why alerts cannot be taken in now, as an answer.
  std::optional<http::Response> IntakeClosed() const;
  // One call to the cluster, made on the loop.
  Expected<Json> Ask(ClusterRequest request);

  ApiParts parts_;
  Fleet fleet_;
  RateLimit rate_limit_;
  RateLimit webhook_limit_;  // of all senders together
  Tape tape_;                // on the deciding thread
  Api::Publisher publisher_;
  std::atomic<uint64_t> calls_{0};
  std::mutex audit_mutex_;  // also lets one worker verify while others wait for it
  Json audit_;              // guarded by audit_mutex_, as what follows
  std::chrono::nanoseconds audit_at_{0};
  std::mutex moved_mutex_;
  std::condition_variable moved_;
  uint64_t moves_ = 0;  // guarded by moved_mutex_
};

}  // namespace rollguard::api
