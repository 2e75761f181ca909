// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/kubelet.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::sim {
namespace {

constexpr Duration kBindDelay{30};
constexpr Duration kPullDelay{300};

std::string Stamp(Time now) { return FormatRfc3339(std::chrono::floor<std::chrono::seconds>(now)); }

// 10 s, 20 s, ... 5 min.
Duration BackOff(int failures) {
  return std::min(Duration(10'000) * (1 << std::min(failures, 6)), Duration(300'000));
}

void SetReady(Json& status, bool ready, Time now) {
  std::string_view value = ready ? "True" : "False";
  std::string_view reason = ready ? "" : "ContainersNotReady";
  for (auto type : {"ContainersReady", "Ready"}) {
    SetCondition(status, type, value, reason, "", now);
    if (!ready) continue;
    for (Json& c : status["conditions"].items()) {
      if (Text(c.At("type")) == type) c.Erase("reason");
    }
  }
  for (Json& c : status["containerStatuses"].items()) c.Set("ready", ready);
}

Json ContainerStatuses(const Json& pod, int restarts, const Json& state, const Json& last) {
  Json list = Json::Arr();
  for (const Json& c : pod.At("spec", "containers").items()) {
    Json one = Json::Obj({{"name", c.At("name")},
                          {"image", c.At("image")},
                          {"imageID", ""},
                          {"ready", false},
                          {"started", state.Find("running") != nullptr},
                          {"restartCount", restarts},
                          {"state", state}});
    if (!last.is_null()) one.Set("lastState", last);
    list.Push(std::move(one));
  }
  return list;
}

Json Waiting(std::string_view reason, std::string_view message) {
  return Json::Obj({{"waiting", Json::Obj({{"reason", reason}, {"message", message}})}});
}

Json Terminated(int64_t code, std::string_view reason, Time now) {
  return Json::Obj(
      {{"terminated",
        Json::Obj({{"exitCode", code}, {"reason", reason}, {"finishedAt", Stamp(now)}})}});
}

bool IsJobPod(const Json& pod) { return Text(ControllerOf(pod).At("kind")) == "Job"; }

}  // namespace

Kubelet::Kubelet(const ControllerContext& context, Behaviours& behaviours, int nodes)
    : api_(context.api),
      behaviours_(behaviours),
      pods_(context.api.TypeId("", "pods")),
      nodes_(std::max(1, nodes)),
      random_(context.seed),
      alive_(std::make_shared<bool>(true)) {
  behaviours_.OnChange([this, alive = alive_] {
    if (*alive) Reconsider();
  });
}

Kubelet::~Kubelet() { *alive_ = false; }

void Kubelet::Observe(const Change& change) {
  if (change.key.type != pods_) return;
  if (!change.after) {
    local_.erase(change.key);
    return;
  }
  if (!change.before) {
    local_[change.key] = {std::string(UidOf(*change.after)), 0, 0, false, false, false};
    Plan(change.key, kBindDelay, &Kubelet::Bind);
  }
  if (IsTerminating(*change.after)) Stop(change.key, *change.after);
}

void Kubelet::Plan(const ObjectKey& key, Duration delay, Step step) {
  Local& planned = local_[key];
  uint64_t turn = ++planned.turn;
  api_.scheduler().After(delay, [this, alive = alive_, key, turn, uid = planned.uid, step] {
    if (!*alive) return;
    auto it = local_.find(key);
    if (it == local_.end() || it->second.turn != turn || it->second.uid != uid) return;
    if (ObjectPtr pod = api_.store().Get(key)) (this->*step)(key, it->second, pod);
  });
}

Duration Kubelet::ReadyDelay(const RevisionBehaviour& behaviour) {
  auto jitter = static_cast<uint64_t>(std::max<int64_t>(0, behaviour.ready_jitter.count()));
  return behaviour.ready_after + Duration(static_cast<int64_t>(random_.Below(jitter + 1)));
}

void Kubelet::Bind(const ObjectKey& key, Local&, const ObjectPtr& pod) {
  if (IsTerminating(*pod)) return;
  Time now = api_.scheduler().Now();
  std::string node = StrCat("node-", random_.Below(static_cast<uint64_t>(nodes_)) + 1);
  api_.Update(key, [&](Json& o) {
    if (Text(o.At("spec", "nodeName")).empty()) o["spec"].Set("nodeName", node);
    Json& status = o["status"];
    status.Set("phase", "Pending")
        .Set("hostIP", "10.0.0.1")
        .Set("startTime", Stamp(now))
        .Set("qosClass", "BestEffort");
    SetCondition(status, "Initialized", "True", "", "", now);
    SetCondition(status, "PodScheduled", "True", "", "", now);
    status.Set("containerStatuses", ContainerStatuses(o, 0, Waiting("ContainerCreating", ""), {}));
    SetReady(status, false, now);
  });
  Plan(key, kPullDelay, &Kubelet::Start);
}

void Kubelet::Start(const ObjectKey& key, Local& local, const ObjectPtr& pod) {
  RevisionBehaviour behaviour = behaviours_.For(*pod);
  if (behaviour.image_pull_fails) return FailToPull(key, local, pod);
  Time now = api_.scheduler().Now();
  uint64_t ip = Text(pod->At("status", "podIP")).empty() ? next_ip_++ : 0;
  local.running = true;
  local.crash_planned = behaviour.crash_after.count() > 0;
  api_.Update(key, [&](Json& o) {
    Json& status = o["status"];
    status.Set("phase", "Running");
    if (ip > 0) {
      std::string address = StrCat("10.244.", ip / 250 % 250, ".", ip % 250 + 1);
      status.Set("podIP", address).Set("podIPs", Json::Arr({Json::Obj({{"ip", address}})}));
    }
    Json last = status.At("containerStatuses").At(size_t{0}).At("lastState");
    Json state = Json::Obj({{"running", Json::Obj({{"startedAt", Stamp(now)}})}});
    status.Set("containerStatuses", ContainerStatuses(o, local.restarts, state, last));
  });
  if (IsJobPod(*pod)) return Plan(key, behaviour.job_runs, &Kubelet::Finish);
  Duration ready = ReadyDelay(behaviour);
  if (local.crash_planned && (behaviour.never_ready || behaviour.crash_after <= ready)) {
    Plan(key, behaviour.crash_after, &Kubelet::Crash);
  } else if (!behaviour.never_ready) {
    Plan(key, ready, &Kubelet::BecomeReady);
  }
}

void Kubelet::FailToPull(const ObjectKey& key, Local& local, const ObjectPtr&) {
  Time now = api_.scheduler().Now();
  bool first = local.restarts == 0 && local.turn <= 2;
  api_.Update(key, [&](Json& o) {
    std::string image(Text(o.At("spec", "containers").At(size_t{0}).At("image")));
    Json state = first
                     ? Waiting("ErrImagePull", StrCat("failed to pull image ", Quote(image)))
                     : Waiting("ImagePullBackOff", StrCat("Back-off pulling image ", Quote(image)));
    o["status"].Set("containerStatuses", ContainerStatuses(o, 0, state, {}));
    SetReady(o["status"], false, now);
  });
  Plan(key, first ? Duration(2'000) : Duration(15'000), &Kubelet::Start);
}

void Kubelet::BecomeReady(const ObjectKey& key, Local& local, const ObjectPtr& pod) {
  if (IsTerminating(*pod)) return;
  RevisionBehaviour behaviour = behaviours_.For(*pod);
  Time now = api_.scheduler().Now();
  if (behaviour.never_ready) return;
  api_.Update(key, [&](Json& o) { SetReady(o["status"], true, now); });
  if (behaviour.crash_after.count() == 0) return;
  local.crash_planned = true;
  auto started = ParseRfc3339(Text(
      pod->At("status", "containerStatuses").At(size_t{0}).At("state", "running", "startedAt")));
  Time crash = started.ok() ? *started + behaviour.crash_after : now + behaviour.crash_after;
  Plan(key, std::max(Duration(1), crash - now), &Kubelet::Crash);
}

void Kubelet::Crash(const ObjectKey& key, Local& local, const ObjectPtr& pod) {
  local.crash_planned = local.running = false;
  if (IsTerminating(*pod) || behaviours_.For(*pod).crash_after.count() == 0) {
    local.running = true;
    return;
  }
  Time now = api_.scheduler().Now();
  Duration wait = BackOff(local.restarts++);
  api_.Update(key, [&](Json& o) {
    Json state = Waiting("CrashLoopBackOff", StrCat("back-off ", FormatShortDuration(wait),
                                                    " restarting failed container"));
    o["status"].Set("containerStatuses",
                    ContainerStatuses(o, local.restarts, state, Terminated(1, "Error", now)));
    SetReady(o["status"], false, now);
  });
  Plan(key, wait, &Kubelet::Start);
}

void Kubelet::Finish(const ObjectKey& key, Local& local, const ObjectPtr& pod) {
  bool failed = behaviours_.For(*pod).job_fails;
  Time now = api_.scheduler().Now();
  local.running = false;
  api_.Update(key, [&](Json& o) {
    Json& status = o["status"];
    status.Set("phase", failed ? "Failed" : "Succeeded");
    status.Set("containerStatuses",
               ContainerStatuses(
                   o, 0, Terminated(failed ? 1 : 0, failed ? "Error" : "Completed", now), {}));
    SetReady(status, false, now);
  });
}

void Kubelet::Stop(const ObjectKey& key, const Json& pod) {
  Local& local = local_[key];
  if (local.stopping) return;
  local.stopping = true;
  Duration grace = std::chrono::seconds(Meta(pod).At("deletionGracePeriodSeconds").IntOr(30));
  Duration takes = std::min(grace, behaviours_.For(pod).terminate_after);
  api_.scheduler().After(takes, [this, alive = alive_, key, uid = local.uid] {
    if (!*alive) return;
    ObjectPtr now = api_.store().Get(key);
    if (now && UidOf(*now) == uid) api_.Purge(key);
  });
}

// The scenario changed its mind about how pods behave; running ones follow.
void Kubelet::Reconsider() {
  Time now = api_.scheduler().Now();
  for (const ObjectPtr& pod : api_.store().List(pods_)) {
    ObjectKey key = ApiServer::KeyOf(pods_, *pod);
    auto it = local_.find(key);
    if (it == local_.end() || !it->second.running || IsTerminating(*pod) || IsJobPod(*pod))
      continue;
    RevisionBehaviour behaviour = behaviours_.For(*pod);
    bool ready = PodIsReady(*pod);
    if (behaviour.never_ready && ready) {
      api_.Update(key, [&](Json& o) { SetReady(o["status"], false, now); });
    }
    if (behaviour.crash_after.count() > 0 && !it->second.crash_planned) {
      it->second.crash_planned = true;
      Plan(key, behaviour.crash_after, &Kubelet::Crash);
    } else if (behaviour.crash_after.count() == 0 && !behaviour.never_ready && !ready) {
      Plan(key, ReadyDelay(behaviour), &Kubelet::BecomeReady);
    }
  }
}

}  // namespace rollguard::sim
