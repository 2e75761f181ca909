// SPDX-License-Identifier: Apache-2.0
// A call is two events: it reaches the server, and its answer reaches the agent. A crash between
// the two leaves the effect without an answer; a crash before the first may leave either.
#include "agent/sim/sim_cluster.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/ports/projection.h"
#include "agent/sim/api_failure.h"

namespace rollguard::sim {
namespace {

bool IsWrite(const ClusterRequest& request) {
  return request.verb != Verb::kGet && request.verb != Verb::kList;
}

Error Unavailable(const ClusterRequest& request, std::string_view why) {
  return ApiFailure{503, "ServiceUnavailable", std::string(why), {}}.ToError(request);
}

void Project(Json& value, const std::shared_ptr<const ProjectionTree>& tree) {
  if (!tree || tree->empty()) return;
  if (value.At("items").is_array()) {
    for (Json& item : value["items"].items()) ApplyProjection(item, *tree);
  } else {
    ApplyProjection(value, *tree);
  }
}

// A server leaves apiVersion and kind out of the items of a list; a client puts them back.
void NameItems(Json& list, const ResourceType& type) {
  for (Json& item : list["items"].items()) {
    if (item.Find("kind") != nullptr) continue;
    Json named = Json::Obj({{"apiVersion", type.ApiVersion()}, {"kind", type.kind}});
    for (auto& [key, value] : item.members()) named.Set(key, std::move(value));
    item = std::move(named);
  }
}

std::shared_ptr<const ProjectionTree> TreeOf(const std::shared_ptr<const Projection>& projection) {
  return projection ? std::make_shared<const ProjectionTree>(*projection) : nullptr;
}

}  // namespace

struct SimCluster::Stream {
  WatchId id = 0;
  WatchRequest request;
  WatchHandler handler;
  std::shared_ptr<const ProjectionTree> projection;
  WatchId inner = 0;       // the API server's, 0 when not open
  bool open = true;        // events are still taken in
  bool cancelled = false;  // no callback any more
  Time last_delivery{};    // order is kept: nothing arrives before this
  TimerId expiry = 0;
};

SimCluster::SimCluster(ApiServer& api, FaultPlan faults, uint64_t seed)
    : api_(api),
      scheduler_(api.scheduler()),
      faults_(faults),
      random_(seed),
      epoch_(std::make_shared<uint64_t>(1)),
      alive_(std::make_shared<bool>(true)) {}

SimCluster::~SimCluster() {
  *alive_ = false;
  ++*epoch_;
  for (auto& [id, stream] : streams_) {
    stream->cancelled = true;
    if (stream->inner != 0) api_.CloseWatch(stream->inner);
    scheduler_.CancelTimer(stream->expiry);
  }
}

bool SimCluster::Faulty(double probability) {
  if (probability <= 0) return false;
  if (faults_.until != Time{} && scheduler_.Now() >= faults_.until) return false;
  return random_.Chance(probability);
}

Duration SimCluster::Latency() {
  auto spread = static_cast<uint64_t>(
      std::max<int64_t>(0, (faults_.latency_max - faults_.latency_min).count()));
  Duration latency =
      faults_.latency_min + Duration(static_cast<int64_t>(random_.Below(spread + 1)));
  return Faulty(faults_.slow) ? latency + faults_.slow_by : latency;
}

void SimCluster::Call(ClusterRequest request, ClusterDone done) {
  ++calls_;
  auto alive = alive_;
  uint64_t born = *epoch_;
  bool survives = random_.Chance(0.5);  // when the process dies before the call arrives
  auto shared = std::make_shared<ClusterRequest>(std::move(request));
  scheduler_.After(Latency(), [this, alive, born, survives, shared, done = std::move(done)] {
    if (!*alive) return;
    if (*epoch_ != born) {
      if (survives && !cut_) {
        ApiReply reply = api_.Serve(*shared);
        if (observer_) observer_(*shared, reply);
      }
      return;
    }
    Execute(*shared, done);
  });
}

void SimCluster::Execute(const ClusterRequest& request, const ClusterDone& done) {
  bool write = IsWrite(request);
  if (cut_) return Answer(Unavailable(request, "connection refused"), done);
  if (Faulty(faults_.throttled)) {
    ApiFailure slow{429, "TooManyRequests",
                    "the server has received too many requests and has asked us to try again later",
                    Json::Obj({{"retryAfterSeconds", 1}})};
    return Answer(slow.ToError(request), done);
  }
  if (Faulty(faults_.error_before))
    return Answer(Unavailable(request, "the server is currently unable to handle the request"),
                  done);
  if (write && request.verb != Verb::kCreate && Faulty(faults_.conflict)) {
    const TypeInfo* info = api_.types().Find(request.type.group, request.type.plural);
    if (info != nullptr) return Answer(StaleVersion(*info, request.name).ToError(request), done);
  }
  if (write) ++writes_;
  bool hooked = write && hook_ && writes_ == hook_at_;
  auto epoch = epoch_;
  auto alive = alive_;
  uint64_t born = *epoch;
  if (hooked && !hook_after_) {
    std::exchange(hook_, nullptr)();
    if (!*alive || *epoch != born) return;
  }
  ApiReply reply = api_.Serve(request);
  if (observer_) observer_(request, reply);
  if (hooked && hook_after_) {
    std::exchange(hook_, nullptr)();
    if (!*alive || *epoch != born) return;
  }
  if (!reply.ok()) return Answer(reply.failure->ToError(request), done);
  if (Faulty(faults_.error_after))
    return Answer(Unavailable(request, "the connection was lost before the answer came"), done);
  Json value = *reply.object;
  if (request.verb == Verb::kList) NameItems(value, request.type);
  Project(value, TreeOf(request.projection));
  Answer(std::move(value), done);
}

void SimCluster::Answer(Expected<Json> result, const ClusterDone& done) {
  uint64_t born = *epoch_;
  scheduler_.After(Latency(), [epoch = epoch_, born, done, result = std::move(result)]() mutable {
    if (*epoch == born) done(std::move(result));
  });
}

WatchId SimCluster::Watch(WatchRequest request, WatchHandler handler) {
  ++calls_;
  auto stream = std::make_shared<Stream>();
  stream->id = next_id_++;
  stream->projection = TreeOf(request.projection);
  stream->request = std::move(request);
  stream->handler = std::move(handler);
  streams_[stream->id] = stream;
  scheduler_.After(Latency(), [this, alive = alive_, stream] {
    if (!*alive || stream->cancelled) return;
    if (cut_ || Faulty(faults_.error_before)) {
      return Close(stream,
                   Error(ErrorCode::kUnavailable,
                         StrCat("watch ", stream->request.type.plural, ": connection refused")));
    }
    std::weak_ptr<Stream> weak = stream;
    auto opened = api_.OpenWatch(stream->request,
                                 [this, weak](WatchEvent::Type type, const ObjectPtr& object) {
                                   if (auto s = weak.lock()) OnEvent(s, type, object);
                                 });
    if (!opened) return Close(stream, opened.error());
    if (!stream->open) return api_.CloseWatch(*opened);  // a fault closed it during the replay
    stream->inner = *opened;
    if (stream->request.timeout.count() > 0) Expire(stream);
  });
  return stream->id;
}

// As the real server: a bookmark two seconds before a watch runs out, then its end.
void SimCluster::Expire(const std::shared_ptr<Stream>& stream) {
  constexpr Duration kBefore = std::chrono::seconds(2);
  const Duration timeout = stream->request.timeout;
  const Duration last = std::min(kBefore, timeout);
  stream->expiry = scheduler_.After(timeout - last, [this, stream, last] {
    api_.SendBookmark(stream->inner);
    if (!stream->open) return;
    stream->expiry = scheduler_.After(last, [this, stream] { Close(stream, {}); });
  });
}

void SimCluster::OnEvent(const std::shared_ptr<Stream>& stream, WatchEvent::Type type,
                         const ObjectPtr& object) {
  if (!stream->open) return;
  if (Faulty(faults_.watch_drop)) {
    return Close(stream,
                 Error(ErrorCode::kUnavailable,
                       StrCat("watch ", stream->request.type.plural, ": connection reset")));
  }
  if (Faulty(faults_.watch_gone)) {
    return Close(stream, Error(ErrorCode::kGone, StrCat("watch ", stream->request.type.plural,
                                                        ": too old resource version")));
  }
  Duration delay = Latency();
  if (Faulty(faults_.watch_stale))
    delay += Duration(
        static_cast<int64_t>(random_.Below(static_cast<uint64_t>(faults_.stale_by.count()) + 1)));
  stream->last_delivery = std::max(stream->last_delivery, scheduler_.Now() + delay);
  scheduler_.At(stream->last_delivery, [stream, type, object] {
    if (stream->cancelled) return;
    WatchEvent event{type, *object};
    Project(event.object, stream->projection);
    stream->handler.event(std::move(event));
  });
}

// No event is taken in any more; what is on its way still arrives, then `closed`.
void SimCluster::Close(const std::shared_ptr<Stream>& stream, Status status) {
  if (!stream->open) return;
  stream->open = false;
  if (stream->inner != 0) api_.CloseWatch(std::exchange(stream->inner, 0));
  scheduler_.CancelTimer(stream->expiry);
  stream->last_delivery = std::max(stream->last_delivery, scheduler_.Now() + Latency());
  scheduler_.At(stream->last_delivery, [this, alive = alive_, stream, status] {
    if (stream->cancelled) return;
    stream->cancelled = true;
    if (*alive) streams_.erase(stream->id);
    stream->handler.closed(status);
  });
}

void SimCluster::CancelWatch(WatchId id) {
  auto it = streams_.find(id);
  if (it == streams_.end()) return;
  auto stream = it->second;
  streams_.erase(it);
  stream->cancelled = true;
  stream->open = false;
  if (stream->inner != 0) api_.CloseWatch(stream->inner);
  scheduler_.CancelTimer(stream->expiry);
}

void SimCluster::Partition(bool cut) {
  cut_ = cut;
  if (cut) DropWatches(ErrorCode::kUnavailable);
}

void SimCluster::DropWatches(ErrorCode code) {
  auto streams = streams_;
  for (auto& [id, stream] : streams) {
    if (stream->inner != 0)
      Close(stream,
            Error(code, StrCat("watch ", stream->request.type.plural, ": connection reset")));
  }
}

void SimCluster::Crash() {
  ++*epoch_;
  auto streams = std::move(streams_);
  streams_.clear();
  for (auto& [id, stream] : streams) {
    stream->cancelled = true;
    stream->open = false;
    if (stream->inner != 0) api_.CloseWatch(stream->inner);
    scheduler_.CancelTimer(stream->expiry);
  }
}

void SimCluster::OnWrite(uint64_t nth, bool after_effect, std::function<void()> hook) {
  hook_at_ = writes_ + nth;
  hook_after_ = after_effect;
  hook_ = std::move(hook);
}

}  // namespace rollguard::sim
