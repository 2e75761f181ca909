// SPDX-License-Identifier: Apache-2.0
// One watch of all pods; each event moves a pod to its next stage by a timer:
//   seen -> bound -> running -> ready (or crashed, or finished), and terminating -> gone.
// A stage is remembered per pod, so that an event that repeats what is known does nothing.
#include "tests/e2e/support/fake_kubelet.h"

#include <future>
#include <optional>
#include <utility>

#include "agent/base/text.h"
#include "agent/kube/resources.h"

namespace rollguard::testing {
namespace {

using std::chrono::milliseconds;
constexpr int kNodes = 3;
constexpr milliseconds kStep{20};

std::string NodeName(int n) { return StrCat("node-", n % kNodes + 1); }

Json Condition(const char* type, bool value, Time now) {
  return Json::Obj({{"type", type},
                    {"status", value ? "True" : "False"},
                    {"lastTransitionTime", FormatRfc3339(now)}});
}

Json Containers(const Json& pod, bool ready, int64_t restarts, const Json& state) {
  Json list = Json::Arr();
  for (const Json& container : pod.At("spec", "containers").items()) {
    list.Push(Json::Obj({{"name", container.At("name")},
                         {"image", container.At("image")},
                         {"imageID", StrCat("docker://", container.At("image").Str())},
                         {"ready", ready},
                         {"restartCount", restarts},
                         {"state", state}}));
  }
  return list;
}

Json Running(Time now) {
  return Json::Obj({{"running", Json::Obj({{"startedAt", FormatRfc3339(now)}})}});
}

Json Waiting(const char* reason) {
  return Json::Obj({{"waiting", Json::Obj({{"reason", reason}, {"message", reason}})}});
}

Json Terminated(int64_t code, Time now) {
  return Json::Obj({{"terminated", Json::Obj({{"exitCode", code},
                                              {"reason", code == 0 ? "Completed" : "Error"},
                                              {"finishedAt", FormatRfc3339(now)}})}});
}

}  // namespace

sim::Behaviours TestBehaviours() {
  sim::RevisionBehaviour quick;
  quick.ready_after = milliseconds(150);
  quick.ready_jitter = milliseconds(0);
  quick.drain = milliseconds(50);
  quick.terminate_after = milliseconds(150);
  quick.job_runs = milliseconds(150);
  sim::Behaviours table;
  table.SetDefault(quick);
  const auto with = [&](const char* image, auto change) {
    sim::RevisionBehaviour behaviour = quick;
    change(behaviour);
    table.SetImage(image, behaviour);
  };
  with("never-ready", [](auto& b) { b.never_ready = true; });
  with("image-missing", [](auto& b) { b.image_pull_fails = true; });
  with("crashes", [](auto& b) { b.crash_after = milliseconds(300); });
  with("job-fails", [](auto& b) { b.job_fails = true; });
  with("slow-start", [](auto& b) { b.ready_after = milliseconds(3000); });
  return table;
}

class FakeKubelet::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(kube::KubeClient& client, HttpClient& http, Timers& timers, const Clock& clock)
      : client_(client), http_(http), timers_(timers), clock_(clock) {}

  Expected<bool> MakeNodes();
  void Begin() { List(); }
  void Stop();

 private:
  struct Pod {
    std::string name, ns, uid;
    bool bound = false;
    bool started = false;
    bool ending = false;
    int64_t restarts = 0;
    bool writing = false;                  // a status of it
    std::optional<ClusterRequest> status;  // the newest that is to be written
  };

  Expected<Json> Wait(ClusterRequest request);
  void List();
  void Watch(const std::string& version);
  void See(const Json& pod, bool deleted);
  void Bind(Pod& known, const Json& pod);
  void Run(Pod& known, const Json& pod);
  void Ready(const Json& pod, Json status);
  void Crash(const Json& pod, const sim::RevisionBehaviour& behaviour);
  void End(const Json& pod, const sim::RevisionBehaviour& behaviour);
  void Patch(const Json& pod, Json status);
  void Remove(const Json& pod);
  // Asks; again later when a busy server did not do it, as long as the pod is there. Then `done`.
  void Ask(const std::string& uid, ClusterRequest request, std::function<void(Impl&)> done = {},
           int tries = 400);
  void WriteStatus(const std::string& uid);
  void Later(Duration delay, std::function<void(Impl&)> fn);
  Json BaseStatus(const Json& pod);

  kube::KubeClient& client_;
  HttpClient& http_;
  Timers& timers_;
  const Clock& clock_;
  const sim::Behaviours behaviours_ = TestBehaviours();
  std::mutex mutex_;  // the loop's callbacks against Stop
  bool stopped_ = false;
  WatchId watch_ = 0;
  std::map<std::string, Pod> pods_;  // by uid
  std::map<std::string, std::string> addresses_;
  int next_node_ = 0;
  int next_address_ = 0;
};

FakeKubelet::FakeKubelet(kube::KubeClient& client, HttpClient& http, Timers& timers,
                         const Clock& clock)
    : impl_(std::make_shared<Impl>(client, http, timers, clock)) {}

FakeKubelet::~FakeKubelet() { impl_->Stop(); }

Expected<bool> FakeKubelet::Start() {
  Expected<bool> ours = impl_->MakeNodes();
  if (ours.ok() && *ours) impl_->Begin();
  return ours;
}

Expected<Json> FakeKubelet::Impl::Wait(ClusterRequest request) {
  auto answer = std::make_shared<std::promise<Expected<Json>>>();
  std::future<Expected<Json>> result = answer->get_future();
  client_.Call(std::move(request),
               [answer](Expected<Json> got) { answer->set_value(std::move(got)); });
  return result.get();
}

Expected<bool> FakeKubelet::Impl::MakeNodes() {
  ClusterRequest list;
  list.verb = Verb::kList;
  list.type = kube::resources::Nodes();
  const Expected<Json> present = Wait(list);
  if (!present.ok()) return present.error();
  for (const Json& node : present->At("items").items()) {
    if (node.At("metadata", "labels", "rollguard.test/fake").Str() != "true") return false;
  }
  if (present->At("items").size() != 0) return true;
  for (int n = 0; n < kNodes; ++n) {
    ClusterRequest create;
    create.verb = Verb::kCreate;
    create.type = kube::resources::Nodes();
    create.body["metadata"]["name"] = NodeName(n);
    create.body["metadata"]["labels"]["rollguard.test/fake"] = "true";
    const Json room = Json::Obj({{"cpu", "64"}, {"memory", "256Gi"}, {"pods", "1000"}});
    create.body["status"] =
        Json::Obj({{"conditions", Json::Arr({Condition("Ready", true, clock_.Now())})},
                   {"capacity", room},
                   {"allocatable", room}});
    const Expected<Json> made = Wait(create);
    if (!made.ok()) return made.error();
  }
  return true;
}

void FakeKubelet::Impl::Stop() {
  WatchId watch = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
    watch = watch_;
  }
  if (watch != 0) client_.CancelWatch(watch);
}

void FakeKubelet::Impl::Later(Duration delay, std::function<void(Impl&)> fn) {
  timers_.After(delay, [weak = weak_from_this(), fn = std::move(fn)] {
    const std::shared_ptr<Impl> self = weak.lock();
    if (!self) return;
    const std::lock_guard<std::mutex> lock(self->mutex_);
    if (!self->stopped_) fn(*self);
  });
}

void FakeKubelet::Impl::List() {
  ClusterRequest list;
  list.verb = Verb::kList;
  list.type = kube::resources::Pods();
  client_.Call(list, [self = shared_from_this()](Expected<Json> got) {
    const std::lock_guard<std::mutex> lock(self->mutex_);
    if (self->stopped_) return;
    if (!got.ok()) return self->Later(milliseconds(500), [](Impl& i) { i.List(); });
    for (const Json& pod : got->At("items").items()) self->See(pod, false);
    self->Watch(got->At("metadata", "resourceVersion").Str());
  });
}

void FakeKubelet::Impl::Watch(const std::string& version) {
  WatchRequest request;
  request.type = kube::resources::Pods();
  request.resource_version = version;
  WatchHandler handler;
  handler.event = [weak = weak_from_this()](const WatchEvent& event) {
    const std::shared_ptr<Impl> self = weak.lock();
    if (!self || event.type == WatchEvent::Type::kBookmark) return;
    const std::lock_guard<std::mutex> lock(self->mutex_);
    if (!self->stopped_) self->See(event.object, event.type == WatchEvent::Type::kDeleted);
  };
  handler.closed = [weak = weak_from_this()](const Status&) {
    const std::shared_ptr<Impl> self = weak.lock();
    if (self) self->Later(milliseconds(100), [](Impl& i) { i.List(); });
  };
  watch_ = client_.Watch(request, handler);
}

void FakeKubelet::Impl::See(const Json& pod, bool deleted) {
  const std::string uid = pod.At("metadata", "uid").Str();
  if (deleted) {
    pods_.erase(uid);
    return;
  }
  Pod& known = pods_[uid];
  if (pod.Find("metadata")->Find("deletionTimestamp") != nullptr) {
    if (known.ending) return;
    known.ending = true;
    Later(behaviours_.For(pod).terminate_after, [pod](Impl& i) { i.Remove(pod); });
    return;
  }
  if (pod.At("spec", "nodeName").Str().empty()) {
    Bind(known, pod);
  } else {
    Run(known, pod);
  }
}

// To the node that the pod asks for by affinity (a DaemonSet's does), else the next in turn.
void FakeKubelet::Impl::Bind(Pod& known, const Json& pod) {
  if (known.bound) return;
  known.bound = true;
  const Json& wanted =
      pod.At("spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
          .At("nodeSelectorTerms")
          .At(0)
          .At("matchFields")
          .At(0)
          .At("values")
          .At(0);
  ClusterRequest bind;
  bind.verb = Verb::kCreate;
  bind.type = kube::resources::Pods();
  bind.ns = pod.At("metadata", "namespace").Str();
  bind.name = pod.At("metadata", "name").Str();
  bind.subresource = "binding";
  bind.body["apiVersion"] = "v1";
  bind.body["kind"] = "Binding";
  bind.body["metadata"]["name"] = bind.name;
  bind.body["target"]["kind"] = "Node";
  bind.body["target"]["name"] = wanted.is_string() ? wanted.Str() : NodeName(next_node_++);
  Ask(pod.At("metadata", "uid").Str(), std::move(bind));  // the watch tells what became of it
}

void FakeKubelet::Impl::Ask(const std::string& uid, ClusterRequest request,
                            std::function<void(Impl&)> done, int tries) {
  ClusterRequest sent = request;
  client_.Call(std::move(sent), [weak = weak_from_this(), uid, tries, done = std::move(done),
                                 request = std::move(request)](const Expected<Json>& answer) {
    const std::shared_ptr<Impl> self = weak.lock();
    if (!self) return;
    const bool over = answer.ok() || tries == 0 || answer.error().code == ErrorCode::kNotFound;
    self->Later(milliseconds(over ? 0 : 300), [uid, request, tries, over, done](Impl& i) {
      if (over) {
        if (done) done(i);
      } else if (i.pods_.contains(uid)) {
        i.Ask(uid, request, done, tries - 1);
      }
    });
  });
}

// One at a time: of two under way the older could be the last to take effect.
void FakeKubelet::Impl::WriteStatus(const std::string& uid) {
  const auto pod = pods_.find(uid);
  if (pod == pods_.end() || pod->second.writing || !pod->second.status) return;
  pod->second.writing = true;
  Ask(uid, *std::exchange(pod->second.status, std::nullopt), [uid](Impl& i) {
    const auto known = i.pods_.find(uid);
    if (known == i.pods_.end()) return;
    known->second.writing = false;
    i.WriteStatus(uid);
  });
}

Json FakeKubelet::Impl::BaseStatus(const Json& pod) {
  std::string& address = addresses_[pod.At("metadata", "uid").Str()];
  if (address.empty()) {
    const int n = ++next_address_;
    address = StrCat("10.244.", n / 250, ".", n % 250 + 1);
  }
  Json status;
  status["phase"] = "Running";
  status["podIP"] = address;
  status["podIPs"] = Json::Arr({Json::Obj({{"ip", address}})});
  status["startTime"] = FormatRfc3339(clock_.Now());
  return status;
}

void FakeKubelet::Impl::Run(Pod& known, const Json& pod) {
  if (known.started) return;
  known.started = true;
  const sim::RevisionBehaviour behaviour = behaviours_.For(pod);
  if (behaviour.image_pull_fails) {
    Later(kStep, [pod](Impl& i) {
      Json status = i.BaseStatus(pod);
      status["phase"] = "Pending";
      status["containerStatuses"] = Containers(pod, false, 0, Waiting("ImagePullBackOff"));
      i.Patch(pod, status);
    });
    return;
  }
  Later(kStep, [pod](Impl& i) {
    const Time now = i.clock_.Now();
    Json status = i.BaseStatus(pod);
    status["conditions"] =
        Json::Arr({Condition("Initialized", true, now), Condition("Ready", false, now),
                   Condition("ContainersReady", false, now), Condition("PodScheduled", true, now)});
    status["containerStatuses"] = Containers(pod, false, 0, Running(now));
    i.Patch(pod, status);
  });
  if (pod.At("spec", "restartPolicy").Str() != "Always") {
    Later(kStep + behaviour.job_runs, [pod, behaviour](Impl& i) { i.End(pod, behaviour); });
  } else if (behaviour.crash_after.count() > 0) {
    Later(behaviour.crash_after, [pod, behaviour](Impl& i) { i.Crash(pod, behaviour); });
  } else if (!behaviour.never_ready) {
    Later(kStep + behaviour.ready_after, [pod](Impl& i) { i.Ready(pod, i.BaseStatus(pod)); });
  }
}

void FakeKubelet::Impl::Ready(const Json& pod, Json status) {
  const Time now = clock_.Now();
  status["conditions"] =
      Json::Arr({Condition("Initialized", true, now), Condition("Ready", true, now),
                 Condition("ContainersReady", true, now), Condition("PodScheduled", true, now)});
  status["containerStatuses"] = Containers(pod, true, 0, Running(now));
  Patch(pod, std::move(status));
}

// Never ready, one restart more each time, as a crash loop looks from outside.
void FakeKubelet::Impl::Crash(const Json& pod, const sim::RevisionBehaviour& behaviour) {
  const auto it = pods_.find(pod.At("metadata", "uid").Str());
  if (it == pods_.end() || it->second.ending) return;
  Json status = BaseStatus(pod);
  status["conditions"] = Json::Arr(
      {Condition("Ready", false, clock_.Now()), Condition("ContainersReady", false, clock_.Now())});
  Json containers = Containers(pod, false, ++it->second.restarts, Waiting("CrashLoopBackOff"));
  for (Json& one : containers.items()) one["lastState"] = Terminated(1, clock_.Now());
  status["containerStatuses"] = std::move(containers);
  Patch(pod, std::move(status));
  if (it->second.restarts < 20)
    Later(behaviour.crash_after * 2, [pod, behaviour](Impl& i) { i.Crash(pod, behaviour); });
}

void FakeKubelet::Impl::End(const Json& pod, const sim::RevisionBehaviour& behaviour) {
  const bool failed = behaviour.job_fails;
  Json status = BaseStatus(pod);
  status["phase"] = failed ? "Failed" : "Succeeded";
  status["conditions"] = Json::Arr(
      {Condition("Ready", false, clock_.Now()), Condition("ContainersReady", false, clock_.Now())});
  status["containerStatuses"] = Containers(pod, false, 0, Terminated(failed ? 1 : 0, clock_.Now()));
  Patch(pod, std::move(status));
}

void FakeKubelet::Impl::Patch(const Json& pod, Json status) {
  const auto it = pods_.find(pod.At("metadata", "uid").Str());
  if (it == pods_.end()) return;
  ClusterRequest request;
  request.verb = Verb::kPatch;
  request.type = kube::resources::Pods();
  request.patch = PatchKind::kStrategic;
  request.ns = pod.At("metadata", "namespace").Str();
  request.name = pod.At("metadata", "name").Str();
  request.subresource = "status";
  request.body["metadata"]["uid"] = pod.At("metadata", "uid");
  request.body["status"] = std::move(status);
  it->second.status = std::move(request);
  WriteStatus(pod.At("metadata", "uid").Str());
}

// The port has no grace period, so this one goes over plain HTTP.
void FakeKubelet::Impl::Remove(const Json& pod) {
  const kube::ClusterConfig& config = client_.config();
  HttpRequest request;
  request.method = "DELETE";
  request.url = StrCat(config.server, "/api/v1/namespaces/", pod.At("metadata", "namespace").Str(),
                       "/pods/", pod.At("metadata", "name").Str());
  request.headers = {{"Content-Type", "application/json"}};
  if (!config.token.empty())
    request.headers.emplace_back("Authorization", "Bearer " + config.token);
  request.tls = std::make_shared<const TlsOptions>(config.tls);
  Json body =
      Json::Obj({{"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"gracePeriodSeconds", 0}});
  body["preconditions"]["uid"] = pod.At("metadata", "uid");
  request.body = body.Dump();
  http_.Send(request, [weak = weak_from_this(), pod](const Expected<HttpResponse>& answer) {
    const std::shared_ptr<Impl> self = weak.lock();
    const bool done = answer.ok() && (answer->status < 400 || answer->status == 404);
    if (!self || done) return;
    self->Later(milliseconds(300), [pod](Impl& i) {
      if (i.pods_.contains(pod.At("metadata", "uid").Str())) i.Remove(pod);
    });
  });
}

}  // namespace rollguard::testing
