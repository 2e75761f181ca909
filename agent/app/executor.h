// SPDX-License-Identifier: Apache-2.0
// Carries out a list of actions in order and stops at the first that fails. What is already so
// counts as done. Belongs to the deciding thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "agent/app/mirror.h"
#include "agent/app/sensor.h"
#include "agent/release/action.h"

namespace rollguard::app {

struct ExecutorDeps {
  Cluster* cluster = nullptr;
  Mirror* mirror = nullptr;
  AnalysisActions* analysis = nullptr;
  GateActions* gates = nullptr;
  std::vector<Listener*> listeners;
};

class ActionRunner {
 public:
  explicit ActionRunner(ExecutorDeps deps) : deps_(std::move(deps)) {}

  // `guard` must live until `done` ran. `done` comes once: ok, or the first failure.
  void Run(std::shared_ptr<const spec::Guard> guard, std::vector<release::Action> actions,
           std::function<void(Status)> done);

 private:
  struct Job {
    std::shared_ptr<const spec::Guard> guard;
    std::vector<release::Action> actions;
    size_t at = 0;
    std::function<void(Status)> done;
  };
  using JobPtr = std::shared_ptr<Job>;

  void Next(const JobPtr& job);
  void Finish(const JobPtr& job, Status status);
  void Send(const JobPtr& job, ClusterRequest request);

  void Do(const JobPtr& job, const release::RecordDecision& action);
  void Do(const JobPtr& job, const release::PatchObject& action);
  void Do(const JobPtr& job, const release::CreateObject& action);
  void Do(const JobPtr& job, const release::DeleteObject& action);
  void Do(const JobPtr& job, const release::ScaleTo& action);
  void Do(const JobPtr& job, const release::StartAnalysis& action);
  void Do(const JobPtr& job, const release::StopAnalysis& action);
  void Do(const JobPtr& job, const release::AskGate& action);
  void Do(const JobPtr& job, const release::Notify& action);

  ExecutorDeps deps_;
};

}  // namespace rollguard::app
