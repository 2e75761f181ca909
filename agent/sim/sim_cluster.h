// SPDX-License-Identifier: Apache-2.0
// The port `Cluster` over the simulated API server: what one agent process sees of it. Adds
// latency, faults and crashes; answers come from the Scheduler as events. One SimCluster is one
// connection: two agents are two SimClusters over one ApiServer.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "agent/base/random.h"
#include "agent/ports/cluster.h"
#include "agent/sim/api_server.h"
#include "agent/sim/faults.h"

namespace rollguard::sim {

class SimCluster final : public Cluster {
 public:
  SimCluster(ApiServer& api, FaultPlan faults, uint64_t seed);
  ~SimCluster() override;  // pending callbacks are dropped
  SimCluster(const SimCluster&) = delete;
  SimCluster& operator=(const SimCluster&) = delete;

  void Call(ClusterRequest request, ClusterDone done) override;
  WatchId Watch(WatchRequest request, WatchHandler handler) override;
  void CancelWatch(WatchId id) override;

  void SetFaults(const FaultPlan& faults) { faults_ = faults; }
  // Cut off: every call fails with kUnavailable, watches close; until healed.
  void Partition(bool cut);
  // Closes every open watch with that error, as a restarting API server does.
  void DropWatches(ErrorCode code);

  // The process dies now: no callback of calls and watches made so far ever runs. Calls on their
  // way may or may not still take effect (the seed decides). The SimCluster itself stays usable:
  // what is called from now on belongs to the restarted process.
  void Crash();

  // Runs when the Nth write from now (1 = the next) reaches the server: before its effect, or right
  // after it with the answer not yet sent. The hook usually calls Crash() and destroys the agent.
  void OnWrite(uint64_t nth, bool after_effect, std::function<void()> hook);
  uint64_t writes() const { return writes_; }  // that reached the server so far
  uint64_t calls() const { return calls_; }

  // Sees every request just before the server executes it, and the reply; for invariants and
  // traces.
  using Observer = std::function<void(const ClusterRequest&, const ApiReply&)>;
  void SetObserver(Observer observer) { observer_ = std::move(observer); }

 private:
  struct Stream;
  bool Faulty(double probability);
  Duration Latency();
  void Execute(const ClusterRequest& request, const ClusterDone& done);
  void Answer(Expected<Json> result, const ClusterDone& done);
  void OnEvent(const std::shared_ptr<Stream>& stream, WatchEvent::Type type,
               const ObjectPtr& object);
  void Expire(const std::shared_ptr<Stream>& stream);
  void Close(const std::shared_ptr<Stream>& stream, Status status);

  ApiServer& api_;
  Scheduler& scheduler_;
  FaultPlan faults_;
  Random random_;
  bool cut_ = false;
  uint64_t calls_ = 0;
  uint64_t writes_ = 0;
  uint64_t hook_at_ = 0;
  bool hook_after_ = false;
  std::function<void()> hook_;
  Observer observer_;
  std::shared_ptr<uint64_t>
      epoch_;  // changes with each crash; callbacks hold the value they began in
  std::shared_ptr<bool> alive_;
  WatchId next_id_ = 1;
  std::map<WatchId, std::shared_ptr<Stream>> streams_;
};

}  // namespace rollguard::sim
