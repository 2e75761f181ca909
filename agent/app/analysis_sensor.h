// SPDX-License-Identifier: Apache-2.0
// Carries out analysis runs: measures what is due through the metrics sources, the web or a
// Kubernetes Job, and hands the answers to agent/analysis. Belongs to the deciding thread. Runs
// live in memory: after a restart the engine starts them again.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/analysis/run.h"
#include "agent/app/controller.h"
#include "agent/app/metrics_sources.h"
#include "agent/app/template_sources.h"
#include "agent/ports/http_client.h"

namespace rollguard::app {

// One analysis metric that was measured, for charts and records.
struct AnalysisReading {
  std::string guard;
  std::string metric;
  Time at{};
  std::optional<double> value;  // nothing: no number came
  std::string verdict;          // Successful, Failed, Inconclusive, Error
};
// "0.97" and "[0.97]", as measurements are shown.
std::optional<double> NumberIn(std::string_view shown);

class AnalysisSensor : public Sensor, public AnalysisActions {
 public:
  AnalysisSensor(Timers& timers, const Clock& clock, MetricsSources& sources, Cluster& cluster,
                 HttpClient* http);
  ~AnalysisSensor() override;
  void Attach(Controller* controller) { controller_ = controller; }
  // Runs after each measurement.
  void SetObserver(std::function<void(const AnalysisReading&)> observer) {
    observer_ = std::move(observer);
  }

  void Start(const spec::Guard& guard, const release::StartAnalysis& action) override;
  void Stop(const std::string& guard, const std::string& run) override;
  void Contribute(const spec::Guard& guard, const release::GuardState& state,
                  release::Observation& observation) override;
  void Follow(const GuardView& view) override;
  void Forget(const std::string& guard) override;

  const analysis::Run* FindRun(const std::string& guard, const std::string& run) const;

 private:
  struct Active;
  using ActivePtr = std::shared_ptr<Active>;

  void Drive(const ActivePtr& active);
  void Measure(const ActivePtr& active, size_t metric);
  void ReadSecrets(const ActivePtr& active, size_t metric);
  void Ask(const ActivePtr& active, size_t metric);
  Expected<MetricsSource*> SourceOf(const analysis::PrometheusQuery& query);
  void Carry(const ActivePtr& active, size_t metric, const analysis::PrometheusQuery& query);
  void Carry(const ActivePtr& active, size_t metric, const analysis::WebRequest& request);
  void Carry(const ActivePtr& active, size_t metric, const analysis::JobRequest& request);
  void PollJob(const ActivePtr& active, size_t metric, const std::string& name);
  void Answered(const ActivePtr& active, size_t metric, const Expected<analysis::Answer>& answer);
  void Tell(const Active& active, size_t metric) const;

  Timers& timers_;
  const Clock& clock_;
  MetricsSources& sources_;
  Cluster& cluster_;
  HttpClient* http_;
  std::unique_ptr<TemplateSources> servers_;  // null: no network here
  Controller* controller_ = nullptr;
  std::function<void(const AnalysisReading&)> observer_;
  std::map<std::string, std::map<std::string, ActivePtr>> runs_;  // guard -> run id
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);    // an answer may come later
};

}  // namespace rollguard::app
