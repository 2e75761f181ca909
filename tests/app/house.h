// SPDX-License-Identifier: Apache-2.0
// The agent's own Controller in a simulated cluster, with signals that a test says and reads that
// can be made to fail.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/app/analysis_sensor.h"
#include "agent/app/controller.h"
#include "agent/app/gate_sensor.h"
#include "agent/sim/world.h"

namespace rollguard::testing {

// Passes everything on, but for reads of what it is told to fail.
class Reads : public Cluster {
 public:
  explicit Reads(Cluster& inner) : inner_(inner) {}
  void Call(ClusterRequest request, ClusterDone done) override;
  WatchId Watch(WatchRequest request, WatchHandler handler) override;
  void CancelWatch(WatchId id) override { inner_.CancelWatch(id); }

  std::function<bool(const ResourceType&)> fail;  // null: none
  uint64_t failed = 0;
  std::vector<std::string> urgent;  // "Kind" or "Kind/status" of urgent calls

 private:
  bool Fails(const ResourceType& type);
  Cluster& inner_;
};

// What a test says is firing, by guard.
class Script : public app::Sensor {
 public:
  void Contribute(const spec::Guard& guard, const release::GuardState& state,
                  release::Observation& observation) override;
  void Follow(const app::GuardView&) override {}
  void Forget(const std::string&) override {}

  std::map<std::string, std::vector<release::Signal>> signals;
  std::string rollback_limit;
};

class House : public app::Listener {
 public:
  explicit House(uint64_t seed = 1);
  ~House() override;

  // A checkout-like service in `ns`: Deployment with four pods, Service, VirtualService,
  // DestinationRule, all called `name`.
  void AddService(const std::string& ns, const std::string& name);
  void AddGuard(const std::string& yaml);
  void Load(const Json& object);
  void AddType(const std::string& group, const std::string& version, const std::string& plural,
               const std::string& kind);

  void StartAgent();
  void KillAgent();
  void Run(Duration duration) { world.scheduler().RunFor(duration); }
  bool RunUntil(const std::function<bool()>& done, Duration limit);

  void SetImage(const std::string& id, const std::string& image);
  void Patch(const std::string& kind, const std::string& id, const std::string& merge_patch);
  release::CommandAnswer Say(const std::string& id, release::Command::Verb verb,
                             const std::string& actor = "ann",
                             const std::vector<std::string>& groups = {});
  void Fire(const std::string& id, spec::TriggerAction action = spec::TriggerAction::kRollback);
  void Calm();

  release::GuardState State(const std::string& id);
  std::string Reasons(const std::string& id);
  bool Outcome(const std::string& id, const std::string& outcome, Duration limit);
  Json Get(const std::string& kind, const std::string& id);
  int64_t PodsOf(const std::string& image);
  int64_t WeightOf(const std::string& id);  // the candidate's, in its VirtualService

  void Decided(const spec::Guard& guard, const release::Decision& decision) override;
  void Changed(const spec::Guard&, const release::GuardState&, const release::GuardState&,
               const release::Observation&) override {}
  void Told(const spec::Guard& guard, const release::Notify& notice) override;
  void Removed(const std::string&) override {}

  sim::World world;
  std::unique_ptr<sim::SimCluster> connection;
  std::unique_ptr<Reads> cluster;
  Script script;
  app::Environments* environments = nullptr;
  app::Ownership* ownership = nullptr;
  HttpClient* http = nullptr;
  spec::Library library;
  std::unique_ptr<app::MetricsSources> sources;
  std::unique_ptr<app::AnalysisSensor> analysis;
  std::unique_ptr<app::GateSensor> gates;
  std::unique_ptr<app::Controller> controller;
  std::vector<std::string> trace;
  std::vector<std::string> told;  // "guard event"

 private:
  int64_t commands_ = 0;
};

// A canary over Istio for AddService(ns, name); `rest` are further lines of the spec.
std::string CanaryGuard(const std::string& ns, const std::string& name, const std::string& steps,
                        const std::string& rest = "");

}  // namespace rollguard::testing
