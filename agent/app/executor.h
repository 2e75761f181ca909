// SPDX-License-Identifier: Apache-2.0
// Carries out a list of actions in order and stops at the first that fails. What is already so
// counts as done. Belongs to the deciding thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
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

struct RunOutcome {
  Status status;              // ok, or the first failure
  bool unread = false;        // and what it was about could not be read again
  std::string read_for = {};  // the purpose of what was read anew
};

class ActionRunner {
 public:
  explicit ActionRunner(ExecutorDeps deps) : deps_(std::move(deps)) {}

  // How it is carried out. The first two stand against writes of a replica that was paused or cut
  // off while another took over.
  struct Manner {
    std::function<bool()> may;  // asked right before each write; null: there are no others
    // What is changed must be in the version that the mirror shows: what another did meanwhile
    // refuses a write that comes late, however long it was under way. Staged patches, the way back
    // that must work without a fresh view, are not held to it.
    bool versions = false;
    bool urgent = false;  // no write waits for those of others
    // What is told of it before its decisions. A change does not wait for its being told: both come
    // once the first request is on its way.
    std::function<void()> news;
  };
  // `guard` must live until `done` ran. `done` comes once. After a conflict the object is read
  // again first, so that the next look does not depend on how fast a watch is.
  void Run(std::shared_ptr<const spec::Guard> guard, std::vector<release::Action> actions,
           Manner manner, std::function<void(RunOutcome)> done);

 private:
  struct Job {
    std::shared_ptr<const spec::Guard> guard;
    std::vector<release::Action> actions;
    Manner manner;
    size_t at = 0;
    std::function<void(RunOutcome)> done;
    std::optional<Error> failed;  // of a staged patch: the others are tried first
    std::string read_for = {};
    std::vector<std::function<void()>> untold = {};  // until the first request is on its way
    bool begun = false;
  };
  using JobPtr = std::shared_ptr<Job>;

  void Next(const JobPtr& job);
  static void Tell(Job& job, std::function<void()> news);
  void Finish(const JobPtr& job, RunOutcome outcome);
  void Send(const JobPtr& job, ClusterRequest request, bool staged = false);
  void Pin(ClusterRequest& request) const;
  void Failed(const JobPtr& job, const ClusterRequest& what, const Error& error);
  void Read(const JobPtr& job, const release::ReadObjects& action, size_t at);

  void Do(const JobPtr& job, const release::RecordDecision& action);
  void Do(const JobPtr& job, const release::PatchObject& action);
  void Do(const JobPtr& job, const release::CreateObject& action);
  void Do(const JobPtr& job, const release::DeleteObject& action);
  void Do(const JobPtr& job, const release::ScaleTo& action);
  void Do(const JobPtr& job, const release::ReadObjects& action);
  void Do(const JobPtr& job, const release::StartAnalysis& action);
  void Do(const JobPtr& job, const release::StopAnalysis& action);
  void Do(const JobPtr& job, const release::AskGate& action);
  void Do(const JobPtr& job, const release::Notify& action);

  ExecutorDeps deps_;
};

}  // namespace rollguard::app
