// SPDX-License-Identifier: Apache-2.0
// Evaluates the rule groups of every guard that is releasing. Rules with one interval are due at
// the same instants for all guards, so that one round of questions can be folded into few requests.
// Belongs to the deciding thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/analysis/compare_state.h"
#include "agent/analysis/rule_state.h"
#include "agent/app/controller.h"
#include "agent/app/metrics_sources.h"
#include "agent/promql/bind.h"

namespace rollguard::app {

// For tests, records and metrics: one evaluated rule.
struct RuleReading {
  std::string guard;
  std::string release;
  std::string group;
  const spec::Rule* rule = nullptr;
  const analysis::RuleState* state = nullptr;  // one of these two
  const analysis::CompareState* compare = nullptr;
  std::optional<analysis::Threshold> threshold;
  std::string query;
  double alpha = 0;  // a comparison's share of the release's budget: it acts at E = 1 / alpha
};

class RuleSensor : public Sensor {
 public:
  RuleSensor(Timers& timers, const Clock& clock, MetricsSources& sources);
  ~RuleSensor() override;
  void Attach(Controller* controller) { controller_ = controller; }
  // Runs after each evaluation.
  void SetObserver(std::function<void(const RuleReading&)> observer) {
    observer_ = std::move(observer);
  }

  // Where the samples name other pods than the cluster does (tests, the past): patterns of the
  // candidate's and of stable's pods.
  void SetPods(std::string candidate, std::string stable) {
    given_pods_.emplace(std::move(candidate), std::move(stable));
  }

  void Contribute(const spec::Guard& guard, const release::GuardState& state,
                  release::Observation& observation) override;
  void Follow(const GuardView& view) override;
  void Forget(const std::string& guard) override;

  // Every rule of a guard as it stands.
  std::vector<RuleReading> Readings(const std::string& guard) const;

 private:
  struct Group;  // one rule group as loaded, its queries parsed
  struct Track;  // one rule of one release
  struct Watch;  // one release
  struct Look;   // one comparison under way

  const std::vector<std::shared_ptr<const Group>>& Groups();
  void Begin(const GuardView& view, Watch& watch);
  std::string PodsOf(const GuardView& view, bool candidate) const;
  void Arm(Time next);
  void Tick();
  void Bind(const Watch& watch, Track& track, Time at) const;
  void AskRule(const std::shared_ptr<Watch>& watch, size_t track, Time now);
  void AskCompare(const std::shared_ptr<Watch>& watch, size_t track, Time now);
  void AddQuestion(const std::string& source, MetricQuery query, MetricDone done);
  void OnRule(const std::shared_ptr<Watch>& watch, size_t track,
              const Expected<MetricAnswer>& answer, Time at);
  void OnCompare(const std::shared_ptr<Watch>& watch, size_t track,
                 const std::shared_ptr<Look>& look, Time at);
  void Tell(const Watch& watch, const Track& track) const;
  void NothingAskedYet(const spec::Guard& guard, release::Observation& observation);

  Timers& timers_;
  const Clock& clock_;
  MetricsSources& sources_;
  Controller* controller_ = nullptr;
  std::function<void(const RuleReading&)> observer_;
  std::optional<std::pair<std::string, std::string>> given_pods_;
  // Of the library whose version stands beside them. Releases keep the groups they began with.
  std::vector<std::shared_ptr<const Group>> groups_;
  uint64_t groups_of_ = 0;
  std::map<std::string, std::shared_ptr<Watch>> watches_;
  std::map<std::string, MetricsSource::Round> round_;  // by source, while a tick gathers
  TimerId timer_ = 0;
  std::optional<Time> timer_at_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // an answer may come later
};

}  // namespace rollguard::app
