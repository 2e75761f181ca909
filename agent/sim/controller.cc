// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/controller.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::sim {

WorkQueue::WorkQueue(Scheduler& scheduler, Duration lag, uint64_t seed,
                     std::function<void(const ObjectKey&)> work)
    : scheduler_(scheduler),
      lag_(lag),
      random_(seed),
      work_(std::move(work)),
      alive_(std::make_shared<bool>(true)) {}

WorkQueue::~WorkQueue() { *alive_ = false; }

void WorkQueue::Add(const ObjectKey& key) {
  if (!waiting_.insert(key).second) return;
  Duration jitter(static_cast<int64_t>(random_.Below(static_cast<uint64_t>(lag_.count()) + 1)));
  scheduler_.After(lag_ + jitter, [this, alive = alive_, key] {
    if (!*alive) return;
    waiting_.erase(key);
    work_(key);
  });
}

void WorkQueue::AddAfter(const ObjectKey& key, Duration delay) {
  scheduler_.After(delay, [this, alive = alive_, key] {
    if (*alive) Add(key);
  });
}

void EnqueueOwner(WorkQueue& queue, const Change& change, int owner_type) {
  for (const ObjectPtr* side : {&change.before, &change.after}) {
    if (!*side) continue;
    const Json& owner = ControllerOf(**side);
    if (!owner.is_null()) queue.Add({owner_type, change.key.ns, owner.At("name").Str()});
  }
}

PodController::PodController(const ControllerContext& c, std::string_view group,
                             std::string_view plural)
    : api_(c.api),
      type_(c.api.TypeId(group, plural)),
      pods_(c.api.TypeId("", "pods")),
      queue_(c.api.scheduler(), c.lag, c.seed, [this](const ObjectKey& key) { Sync(key); }) {}

void PodController::Observe(const Change& change) {
  if (change.key.type == type_ && change.after) queue_.Add(change.key);
  if (change.key.type == pods_) EnqueueOwner(queue_, change, type_);
}

bool PodIsActive(const Json& pod) {
  std::string_view phase = Text(pod.At("status", "phase"));
  return !IsTerminating(pod) && phase != "Succeeded" && phase != "Failed";
}

PodCounts CountPods(const std::vector<ObjectPtr>& pods, int64_t min_ready_seconds, Time now) {
  PodCounts counts;
  Duration min_ready = std::chrono::seconds(min_ready_seconds);
  for (const ObjectPtr& pod : pods) {
    if (!PodIsActive(*pod)) continue;
    ++counts.total;
    const Json& ready = ConditionOf(*pod, "Ready");
    if (Text(ready.At("status")) != "True") continue;
    ++counts.ready;
    if (PodIsAvailable(*pod, min_ready, now)) {
      ++counts.available;
      continue;
    }
    auto since = ParseRfc3339(Text(ready.At("lastTransitionTime")));
    Duration wait = since.ok() ? *since + min_ready - now : min_ready;
    if (counts.next_available.count() == 0 || wait < counts.next_available)
      counts.next_available = wait;
  }
  return counts;
}

Json MakePod(const Json& owner, const Json& pod_template, std::string_view name,
             std::string_view generate_name) {
  Json meta = Json::Obj({{"namespace", NamespaceOf(owner)}});
  if (!name.empty()) meta.Set("name", name);
  if (!generate_name.empty()) meta.Set("generateName", generate_name);
  for (auto key : {"labels", "annotations"}) {
    if (const Json* value = Meta(pod_template).Find(key)) meta.Set(key, *value);
  }
  meta.Set("ownerReferences", Json::Arr({ControllerRef(owner)}));
  return Json::Obj({{"metadata", std::move(meta)}, {"spec", pod_template.At("spec")}});
}

void EmitEvent(ApiServer& api, const Json& about, std::string_view type, std::string_view reason,
               std::string_view message, std::string_view component) {
  std::string now = FormatRfc3339(std::chrono::floor<std::chrono::seconds>(api.scheduler().Now()));
  std::string ns(NamespaceOf(about).empty() ? "default" : NamespaceOf(about));
  Json involved = Json::Obj({{"kind", about.At("kind")},
                             {"namespace", NamespaceOf(about)},
                             {"name", NameOf(about)},
                             {"uid", UidOf(about)},
                             {"apiVersion", about.At("apiVersion")},
                             {"resourceVersion", Meta(about).At("resourceVersion")}});
  Json event = Json::Obj(
      {{"metadata", Json::Obj({{"generateName", StrCat(NameOf(about), ".")}, {"namespace", ns}})},
       {"involvedObject", std::move(involved)},
       {"reason", reason},
       {"message", message},
       {"type", type},
       {"source", Json::Obj({{"component", component}})},
       {"firstTimestamp", now},
       {"lastTimestamp", now},
       {"count", 1}});
  api.Create(api.TypeId("", "events"), std::move(event));
}

}  // namespace rollguard::sim
