// SPDX-License-Identifier: Apache-2.0
// The cluster's callbacks and the timers come on their own loop; each is posted to the owner's
// thread, where a generation number tells whether it still matters: every list, watch and wait gets
// the next number, and what carries an older one is dropped. A weak pointer guards against an
// informer that is gone.
#include "agent/kube/informer.h"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "agent/base/text.h"
#include "agent/kube/object_cache.h"

namespace rollguard::kube {

class Informer::Impl : public std::enable_shared_from_this<Informer::Impl> {
 public:
  Impl(Cluster& cluster, Timers& timers, Random random, Executor executor, InformerOptions options)
      : cluster_(cluster),
        timers_(timers),
        random_(random),
        executor_(std::move(executor)),
        options_(std::move(options)),
        projection_(std::make_shared<Projection>(options_.projection)) {}

  void Start() {
    if (started_) return;
    started_ = true;
    StartList();
    ScheduleResync();
  }

  void Relist() {
    if (!started_ || stopped_) return;
    if (watch_ != 0) cluster_.CancelWatch(std::exchange(watch_, 0));
    if (wait_ != 0) timers_.CancelTimer(std::exchange(wait_, 0));
    stats_.watching = false;
    StartList();
  }

  void Stop() {
    ++generation_;
    stopped_ = true;
    if (watch_ != 0) cluster_.CancelWatch(watch_);
    if (wait_ != 0) timers_.CancelTimer(wait_);
    if (resync_ != 0) timers_.CancelTimer(resync_);
  }

  HandlerId AddHandler(InformerHandler handler) {
    HandlerId id = ++last_handler_;
    if (handler.upsert) {
      cache_.ForEach("", [&](const Json& object) { handler.upsert(object, nullptr); });
    }
    if (stats_.synced && handler.synced) handler.synced();
    handlers_.emplace(id, std::make_shared<const InformerHandler>(std::move(handler)));
    return id;
  }

  void RemoveHandler(HandlerId id) { handlers_.erase(id); }

  const ObjectCache& cache() const { return cache_; }

  InformerStats stats_;

 private:
  // Wraps `fn` so that it runs on the owner's thread and only while `generation` is current.
  template <class... Args>
  std::function<void(Args...)> Posted(uint64_t generation, void (Impl::*method)(Args...)) {
    return [weak = weak_from_this(), executor = executor_, generation, method](Args... args) {
      auto shared = std::make_shared<std::tuple<std::decay_t<Args>...>>(std::move(args)...);
      executor([weak, generation, method, shared] {
        std::shared_ptr<Impl> self = weak.lock();
        if (!self || self->generation_ != generation) return;
        std::apply([&](auto&... value) { ((*self).*method)(std::move(value)...); }, *shared);
      });
    };
  }

  // --- listing

  void StartList() {
    ++generation_;
    ++stats_.lists;
    ++list_;
    continue_.clear();
    restarted_ = false;
    pages_.clear();
    AskPage();
  }

  void AskPage() {
    ClusterRequest request;
    request.verb = Verb::kList;
    request.type = options_.type;
    request.ns = options_.ns;
    request.label_selector = options_.label_selector;
    request.field_selector = options_.field_selector;
    request.limit = options_.page;
    request.continue_token = continue_;
    request.timeout = options_.list_timeout;
    request.projection = projection_;
    cluster_.Call(std::move(request), Posted<Expected<Json>>(generation_, &Impl::PageCame));
  }

  // The next page is asked for before this one is read, so that the server works meanwhile; an
  // answer that comes at once waits for its turn.
  void PageCame(Expected<Json> page) {
    pages_.push_back(std::move(page));
    if (std::exchange(reading_, true)) return;
    while (!pages_.empty()) {
      Expected<Json> next = std::move(pages_.front());
      pages_.pop_front();
      ReadPage(std::move(next));
    }
    reading_ = false;
  }

  void ReadPage(Expected<Json> page) {
    if (!page.ok()) {
      ListFailed(page.error());
      return;
    }
    const uint64_t generation = generation_;
    const Json& metadata = page->At("metadata");
    continue_ = metadata.At("continue").Str();
    const bool last = continue_.empty();
    if (!last) AskPage();
    if (Json* items = page->Find("items"); items != nullptr && items->is_array()) {
      for (Json& item : items->items()) {
        Upsert(item);
        if (generation_ != generation) return;  // a handler stopped us
        item = Json();                          // each is let go as soon as it is packed
      }
    }
    if (!last) return;
    stats_.resource_version = metadata.At("resourceVersion").Str();
    ListComplete();
  }

  // A continue token that has expired is answered with 410: then the whole list is asked at once.
  void ListFailed(const Error& error) {
    if (error.code == ErrorCode::kGone && !continue_.empty() && !restarted_) {
      restarted_ = true;
      continue_.clear();
      ++list_;
      AskPage();
      return;
    }
    Trouble(error);
    Miss();
    Retry(&Impl::StartList, error.retry_after);
  }

  void ListComplete() {
    RemoveUnseen();
    missed_ = 0;
    stats_.behind = false;
    if (!stats_.synced) {
      failures_ = 0;  // later only a watch that works does this: lists alone may go round for ever
      stats_.synced = true;
      Notify([](const InformerHandler& h) {
        if (h.synced) h.synced();
      });
    }
    StartWatch();
  }

  void RemoveUnseen() {
    for (const ObjectCache::Key& key : cache_.NotSeenBy(list_)) Remove(key.ns, key.name, nullptr);
  }

  // --- watching

  void StartWatch() {
    ++generation_;
    ++stats_.watches;
    WatchRequest request;
    request.type = options_.type;
    request.ns = options_.ns;
    request.label_selector = options_.label_selector;
    request.field_selector = options_.field_selector;
    request.resource_version = stats_.resource_version;
    // Not all at the same moment, and never shorter than asked.
    request.timeout = options_.watch_timeout + Spread(options_.watch_timeout);
    request.projection = projection_;
    WatchHandler handler;
    handler.event = Posted<WatchEvent>(generation_, &Impl::EventCame);
    handler.closed = Posted<Status>(generation_, &Impl::WatchClosed);
    stats_.watching = true;
    watch_events_ = 0;
    watch_ = cluster_.Watch(std::move(request), std::move(handler));
  }

  void EventCame(WatchEvent event) {
    ++stats_.events;
    ++watch_events_;
    failures_ = missed_ = 0;
    std::string version = event.object.At("metadata", "resourceVersion").Str();
    if (!version.empty()) stats_.resource_version = std::move(version);
    switch (event.type) {
      case WatchEvent::Type::kAdded:
      case WatchEvent::Type::kModified: Upsert(event.object); return;
      case WatchEvent::Type::kDeleted:
        Remove(event.object.At("metadata", "namespace").Str(),
               event.object.At("metadata", "name").Str(), &event.object);
        return;
      case WatchEvent::Type::kBookmark: return;
    }
  }

  void WatchClosed(Status status) {
    watch_ = 0;
    stats_.watching = false;
    if (status.ok()) {
      // A server that ends every watch at once, without an event, is not asked without a pause.
      if (watch_events_ > 0) {
        StartWatch();
      } else {
        Retry(&Impl::StartWatch, Duration(0));
      }
      return;
    }
    const Error& error = status.error();
    if (error.code == ErrorCode::kGone) {
      ++stats_.relists_gone;
      // The first time at once; a server that goes on saying so is asked with pauses.
      if (failures_++ == 0) {
        StartList();
      } else {
        Retry(&Impl::StartList, error.retry_after);
      }
      return;
    }
    Trouble(error);
    Miss();
    // Forbidden, not found, invalid: the list says more, and shows when it is over.
    const bool goes_on = error.retryable && !stats_.behind;
    Retry(goes_on ? &Impl::StartWatch : &Impl::StartList, error.retry_after);
  }

  // --- waiting

  Duration Spread(Duration d) {
    return Duration(static_cast<int64_t>(random_.Below(static_cast<uint64_t>(d.count()) + 1)));
  }

  // Doubles with each failure up to the limit; between half and the whole of it, at random.
  Duration Backoff() {
    Duration whole = options_.min_backoff;
    for (int i = 1; i < failures_ && whole < options_.max_backoff; ++i) whole *= 2;
    whole = std::min(whole, options_.max_backoff);
    return whole / 2 + Spread(whole / 2);
  }

  void Miss() {
    if (++missed_ >= kMostMissed) stats_.behind = stats_.synced;
  }

  void Retry(void (Impl::*next)(), Duration at_least) {
    ++failures_;
    ++generation_;
    Duration wait = std::max(Backoff(), at_least);
    wait_ = timers_.After(wait, Posted<>(generation_, next));
  }

  void Trouble(const Error& error) {
    ++stats_.failures;
    Notify([&](const InformerHandler& h) {
      if (h.trouble) h.trouble(error);
    });
  }

  // --- the cache

  // Handlers may add and remove handlers meanwhile; those that are added know it already.
  template <class Fn>
  void Notify(const Fn& fn) {
    const HandlerId last = last_handler_;
    for (auto at = handlers_.begin(); at != handlers_.end() && at->first <= last;) {
      const HandlerId id = at->first;
      const std::shared_ptr<const InformerHandler> handler = at->second;
      fn(*handler);
      at = handlers_.upper_bound(id);
    }
  }

  bool WantsBefore() const {
    return std::any_of(handlers_.begin(), handlers_.end(),
                       [](const auto& entry) { return entry.second->wants_before; });
  }

  void Upsert(const Json& object) {
    Json before;
    const auto seen = cache_.Put(object, list_, WantsBefore() ? &before : nullptr);
    if (seen == ObjectCache::Seen::kSame) return;  // a list tells it again
    Count();
    const bool is_new = seen == ObjectCache::Seen::kNew;
    Notify([&](const InformerHandler& h) {
      if (h.upsert) h.upsert(object, h.wants_before && !is_new ? &before : nullptr);
    });
  }

  void Remove(std::string_view ns, std::string_view name, const Json* last) {
    Json cached;
    if (!cache_.Remove(ns, name, last == nullptr ? &cached : nullptr)) return;
    Count();
    Notify([&](const InformerHandler& h) {
      if (h.deleted) h.deleted(last != nullptr ? *last : cached);
    });
  }

  void Count() {
    stats_.objects = cache_.size();
    stats_.bytes = cache_.bytes();
  }

  void ScheduleResync() {
    if (options_.resync <= Duration(0)) return;
    resync_ = timers_.After(options_.resync, [weak = weak_from_this(), executor = executor_] {
      executor([weak] {
        std::shared_ptr<Impl> self = weak.lock();
        if (self && !self->stopped_) self->Resync();
      });
    });
  }

  void Resync() {
    for (const ObjectCache::Key& key : cache_.Keys()) {
      Json object;
      if (!cache_.Get(key.ns, key.name, &object)) continue;  // a handler has had it removed
      Notify([&](const InformerHandler& h) {
        if (h.upsert) h.upsert(object, &object);
      });
    }
    ScheduleResync();
  }

  static constexpr int kMostMissed = 4;  // with the pauses between them a few seconds

  Cluster& cluster_;
  Timers& timers_;
  Random random_;
  Executor executor_;
  InformerOptions options_;
  std::shared_ptr<const Projection> projection_;

  bool started_ = false;
  bool stopped_ = false;
  uint64_t generation_ = 0;
  uint64_t list_ = 0;
  std::string continue_;
  bool restarted_ = false;
  std::deque<Expected<Json>> pages_;  // that came while one is read
  bool reading_ = false;
  uint64_t watch_events_ = 0;
  int failures_ = 0;
  int missed_ = 0;  // failures since the server last told anything
  WatchId watch_ = 0;
  TimerId wait_ = 0;
  TimerId resync_ = 0;

  ObjectCache cache_;
  std::map<HandlerId, std::shared_ptr<const InformerHandler>> handlers_;
  HandlerId last_handler_ = 0;
};

Informer::Informer(Cluster& cluster, Timers& timers, Random random, Executor executor,
                   InformerOptions options)
    : impl_(std::make_shared<Impl>(cluster, timers, random, std::move(executor),
                                   std::move(options))) {}

Informer::~Informer() { impl_->Stop(); }

void Informer::Start() { impl_->Start(); }
void Informer::Relist() { impl_->Relist(); }

Informer::HandlerId Informer::AddHandler(InformerHandler handler) {
  return impl_->AddHandler(std::move(handler));
}

void Informer::RemoveHandler(HandlerId id) { impl_->RemoveHandler(id); }

bool Informer::Get(std::string_view ns, std::string_view name, Json* object) const {
  return impl_->cache().Get(ns, name, object);
}

bool Informer::Has(std::string_view ns, std::string_view name) const {
  return impl_->cache().Has(ns, name);
}

std::string_view Informer::ResourceVersion(std::string_view ns, std::string_view name) const {
  return impl_->cache().VersionOf(ns, name);
}

void Informer::ForEach(std::string_view ns, const std::function<void(const Json&)>& visit) const {
  impl_->cache().ForEach(ns, visit);
}

const InformerStats& Informer::stats() const { return impl_->stats_; }

}  // namespace rollguard::kube
