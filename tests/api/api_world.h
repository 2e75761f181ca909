// SPDX-License-Identifier: Apache-2.0
// An agent with its API over a simulated cluster: a real deciding thread, on which virtual time is
// driven. Guards, workloads, routes and traffic are those of the rehearsal's stage.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "agent/api/api.h"
#include "agent/app/measurements.h"
#include "agent/app/simulation.h"
#include "agent/history/memory_history.h"
#include "agent/http/router.h"
#include "agent/notify/dispatcher.h"
#include "agent/proof/scenario.h"
#include "tests/support/process.h"
#include "tests/support/real_clock.h"

namespace rollguard::testing {

// Memory that several threads use.
class SafeHistory final : public history::MemoryHistory {
 public:
  void Append(HistoryRecord record, Durable durable = {}) override;
  void PutRelease(ReleaseRow row) override;
  void Measure(MeasurementRow row) override;
  Expected<std::vector<StoredRecord>> Find(const HistoryFilter& filter) override;
  Expected<std::vector<ReleaseRow>> Releases(const HistoryFilter& filter) override;
  Expected<std::vector<MeasurementRow>> Measurements(const HistoryFilter& filter) override;
  Expected<std::string> Given(const std::string& hash) override;

 private:
  std::mutex mutex_;
};

// Virtual time as other threads may read it.
class SharedClock final : public Clock {
 public:
  void Set(Time now) { now_ = ToUnixMillis(now); }
  Time Now() const override { return FromUnixMillis(now_); }
  std::chrono::nanoseconds Monotonic() const override { return Duration(now_); }

 private:
  std::atomic<int64_t> now_{1'767'225'600'000};
};

// The agent wants its listeners before the API, which wants the agent's sensors, can be made.
struct Forward final : app::Listener {
  api::Api* api = nullptr;
  app::Measurements* measurements = nullptr;
  void Decided(const spec::Guard& g, const release::Decision& d) override { api->Decided(g, d); }
  void Changed(const spec::Guard& g, const release::GuardState& b, const release::GuardState& a,
               const release::Observation& o) override {
    api->Changed(g, b, a, o);
    measurements->Changed(g, b, a, o);
  }
  void Told(const spec::Guard& g, const release::Notify& n) override { api->Told(g, n); }
  void Removed(const std::string& g) override { api->Removed(g); }
};

struct ApiWorldOptions {
  std::vector<std::string> guards;  // Guard manifests; their first revision is v1
  // Behaviours of revisions by name, e.g. {"bad", {"errorRatio": 0.2}}.
  std::map<std::string, std::string> behaviours = {};
  spec::AuthConfig auth = {};
  std::map<std::string, alerts::Mapping> senders = {};
  double webhooks_per_second = 0;  // no limit
  // Virtual milliseconds that pass by themselves for each real one.
  double pace = 5;
};

struct Reply {
  int status = 0;
  std::string head;
  std::string body;
  bool streams = false;
  std::optional<http::EventSubscription> subscription = {};

  Json json() const;
  std::string Header(std::string_view lower_name) const;
};

struct Request {
  std::string method = "GET";
  std::string path;  // with its query
  std::string token = "sre-token";
  std::string body = {};
  http::Headers headers = {};
};

// Tokens: sre-token (everything, groups sre), dev-token (reads, pauses and approves in "shop"),
// nobody-token (nothing). Any other token is unknown.
class ApiWorld {
 public:
  explicit ApiWorld(ApiWorldOptions options);
  ~ApiWorld();
  ApiWorld(const ApiWorld&) = delete;
  ApiWorld& operator=(const ApiWorld&) = delete;

  // Runs virtual time on the deciding thread.
  void Advance(Duration duration);
  // In small steps until it holds, at most so long; true when it does.
  bool AdvanceUntil(const std::function<bool()>& holds, Duration limit);

  // Sets the image of a guard's workload to that revision, as a person with kubectl would.
  void Release(const std::string& guard, const std::string& revision);
  // A notice about the guard that nobody could be told: the id of the dead letter.
  std::string LoseNotice(const std::string& guard, const std::string& text);
  // From now on the API server denies that name everything.
  void TakeRights(const std::string& user);
  void SendAlert(const std::string& name, const std::string& guard, bool firing = true);
  app::GuardSummary Look(const std::string& guard);
  std::string StateOf(const std::string& guard);
  Json Object(const ResourceType& type, const std::string& ns, const std::string& name);
  void Do(const std::function<void()>& on_loop);

  Reply Ask(const Request& request);

  api::Api& api() { return *api_; }
  api::Identity& identity() { return *identity_; }
  SafeHistory& history() { return history_; }
  const http::Router& router() const { return router_; }
  const Clock& clock() const { return clock_; }
  app::SimAgent& agent() { return *agent_; }
  TempDir& files() { return files_; }
  void SetNotReady(std::string why) { not_ready_ = std::move(why); }

 private:
  void Load(const std::string& manifest);
  void Pump();
  sim::WorldOptions WorldOptionsOf();

  ApiWorldOptions options_;
  TempDir files_;
  std::mutex rights_mutex_;
  std::set<std::string> without_rights_;  // guarded by rights_mutex_
  RealClock real_clock_;
  SharedClock clock_;
  sim::World world_;
  sim::SimMetrics metrics_;
  SafeHistory history_;
  spec::Library library_;
  proof::Scenario scenario_;
  std::unique_ptr<sim::SimCluster> connection_;
  std::unique_ptr<sim::SimCluster> writer_;
  app::Loop loop_;
  Forward forward_;
  std::unique_ptr<app::SimAgent> agent_;
  app::Measurements measurements_{history_, clock_};
  std::unique_ptr<notify::Dispatcher> outlets_;
  std::unique_ptr<api::Identity> identity_;
  std::unique_ptr<app::Intake> intake_;
  std::unique_ptr<api::Api> api_;
  http::Router router_;
  std::map<std::string, spec::Guard> guards_;
  std::string not_ready_;
  std::atomic<bool> pumping_{true};
};

// A canary with a gate, judged by the shipped rules.
std::string CanaryManifest(const std::string& ns, const std::string& name, const std::string& steps,
                           const std::string& more = "");

}  // namespace rollguard::testing
