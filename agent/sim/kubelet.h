// SPDX-License-Identifier: Apache-2.0
// The nodes: schedules pods, starts their containers, makes them ready, lets them crash and takes
// them away, as their RevisionBehaviour says.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "agent/base/random.h"
#include "agent/sim/behaviour.h"
#include "agent/sim/controller.h"

namespace rollguard::sim {

class Kubelet final : public Controller {
 public:
  Kubelet(const ControllerContext& context, Behaviours& behaviours, int nodes);
  ~Kubelet() override;
  void Observe(const Change& change) override;

 private:
  // What the node knows of one pod. `turn` counts its steps: an event planned in an earlier turn
  // has been overtaken and does nothing.
  struct Local {
    std::string uid;
    int restarts = 0;
    uint64_t turn = 0;
    bool running = false;
    bool crash_planned = false;
    bool stopping = false;
  };
  using Step = void (Kubelet::*)(const ObjectKey&, Local&, const ObjectPtr&);

  void Plan(const ObjectKey& key, Duration delay, Step step);
  void Bind(const ObjectKey& key, Local& local, const ObjectPtr& pod);
  void Start(const ObjectKey& key, Local& local, const ObjectPtr& pod);
  void BecomeReady(const ObjectKey& key, Local& local, const ObjectPtr& pod);
  void Crash(const ObjectKey& key, Local& local, const ObjectPtr& pod);
  void Finish(const ObjectKey& key, Local& local, const ObjectPtr& pod);  // a Job's pod
  void Stop(const ObjectKey& key, const Json& pod);
  void FailToPull(const ObjectKey& key, Local& local, const ObjectPtr& pod);
  void Reconsider();
  Duration ReadyDelay(const RevisionBehaviour& behaviour);

  ApiServer& api_;
  Behaviours& behaviours_;
  int pods_;
  int nodes_;
  uint64_t next_ip_ = 1;
  Random random_;
  std::map<ObjectKey, Local> local_;
  std::shared_ptr<bool> alive_;
};

}  // namespace rollguard::sim
