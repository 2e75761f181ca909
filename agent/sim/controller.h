// SPDX-License-Identifier: Apache-2.0
// The shape of every controller: a change in the cluster names objects to look at again; each is
// reconciled once, a little later, however many changes there were.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "agent/base/random.h"
#include "agent/sim/api_server.h"

namespace rollguard::sim {

// Work to do by object key, without duplicates.
class WorkQueue {
 public:
  WorkQueue(Scheduler& scheduler, Duration lag, uint64_t seed,
            std::function<void(const ObjectKey&)> work);
  ~WorkQueue();

  void Add(const ObjectKey& key);                       // after the controllers' lag, plus jitter
  void AddAfter(const ObjectKey& key, Duration delay);  // besides; for deadlines and back-offs

 private:
  Scheduler& scheduler_;
  Duration lag_;
  Random random_;
  std::function<void(const ObjectKey&)> work_;
  std::set<ObjectKey> waiting_;
  std::shared_ptr<bool> alive_;
};

// A controller lives as long as its World; it only acts from scheduled events.
class Controller {
 public:
  virtual ~Controller() = default;
  // Called for every commit; may only enqueue.
  virtual void Observe(const Change& change) = 0;
};

struct ControllerContext {
  ApiServer& api;
  Duration lag;
  uint64_t seed;
};

// Enqueues the controller owner of a changed object when it is of that type.
void EnqueueOwner(WorkQueue& queue, const Change& change, int owner_type);

// Keeps the pods of one type of workload: looks at one again when it or a pod of its changes.
class PodController : public Controller {
 public:
  void Observe(const Change& change) override;

 protected:
  PodController(const ControllerContext& context, std::string_view group, std::string_view plural);

  virtual void Sync(const ObjectKey& key) = 0;

  ApiServer& api_;
  const int type_, pods_;
  WorkQueue queue_;
};

// What a workload's pods look like right now.
struct PodCounts {
  int64_t total = 0;  // not terminating, not finished
  int64_t ready = 0;
  int64_t available = 0;
  Duration next_available{0};  // until the next ready pod counts as available; 0: none waits
};
PodCounts CountPods(const std::vector<ObjectPtr>& pods, int64_t min_ready_seconds, Time now);

// "True" pods that count: not being deleted, not Succeeded or Failed.
bool PodIsActive(const Json& pod);

// A pod from a template, owned by `owner`.
Json MakePod(const Json& owner, const Json& pod_template, std::string_view name,
             std::string_view generate_name);

// Emits a core/v1 Event about an object, as kubectl describe shows it.
void EmitEvent(ApiServer& api, const Json& about, std::string_view type, std::string_view reason,
               std::string_view message, std::string_view component);

std::unique_ptr<Controller> MakeDeploymentController(const ControllerContext& context);
std::unique_ptr<Controller> MakeReplicaSetController(const ControllerContext& context);
std::unique_ptr<Controller> MakeStatefulSetController(const ControllerContext& context);
std::unique_ptr<Controller> MakeDaemonSetController(const ControllerContext& context);
std::unique_ptr<Controller> MakeEndpointsController(const ControllerContext& context);
std::unique_ptr<Controller> MakeJobController(const ControllerContext& context);
std::unique_ptr<Controller> MakeGarbageCollector(const ControllerContext& context);
std::unique_ptr<Controller> MakeNamespaceController(const ControllerContext& context);

}  // namespace rollguard::sim
