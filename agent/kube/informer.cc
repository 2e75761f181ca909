// SPDX-License-Identifier: Apache-2.0
// The cluster's callbacks and the timers come on their own loop; each is posted to the owner's
// thread, where a generation number tells whether it still matters: every list, watch and wait gets
// the next number, and what carries an older one is dropped. A weak pointer guards against an
// informer that is gone.
#include "agent/kube/informer.h"

#include <algorithm>
#include <map>
#include <utility>

#include "agent/base/text.h"
#include "agent/kube/packed.h"

namespace rollguard::kube {
namespace {

// Orders by namespace, then name; looked up without building strings.
struct Key {
  std::string ns;
  std::string name;
};
struct KeyView {
  std::string_view ns;
  std::string_view name;
};
struct KeyLess {
  using is_transparent = void;
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    int order = std::string_view(a.ns).compare(b.ns);
    return order < 0 || (order == 0 && std::string_view(a.name) < std::string_view(b.name));
  }
};

struct Entry {
  std::string resource_version;
  std::string packed;
  uint64_t list = 0;  // the last list that saw it
};

std::string VersionOf(const Json& object) { return object.At("metadata", "resourceVersion").Str(); }

}  // namespace

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
      for (const auto& [key, entry] : cache_) handler.upsert(packer_.Unpack(entry.packed), nullptr);
    }
    if (stats_.synced && handler.synced) handler.synced();
    handlers_.emplace(id, std::move(handler));
    return id;
  }

  void RemoveHandler(HandlerId id) { handlers_.erase(id); }

  const Entry* Find(std::string_view ns, std::string_view name) const {
    auto found = cache_.find(KeyView{ns, name});
    return found != cache_.end() ? &found->second : nullptr;
  }

  void ForEach(std::string_view ns, const std::function<void(const Json&)>& visit) const {
    auto at = ns.empty() ? cache_.begin() : cache_.lower_bound(KeyView{ns, ""});
    for (; at != cache_.end() && (ns.empty() || at->first.ns == ns); ++at) {
      visit(packer_.Unpack(at->second.packed));
    }
  }

  Packer packer_;
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

  void PageCame(Expected<Json> page) {
    if (!page.ok()) {
      ListFailed(page.error());
      return;
    }
    const uint64_t generation = generation_;
    if (Json* items = page->Find("items"); items != nullptr && items->is_array()) {
      for (Json& item : items->items()) {
        Upsert(item);
        if (generation_ != generation) return;  // a handler stopped us
        item = Json();                          // each is let go as soon as it is packed
      }
    }
    const Json& metadata = page->At("metadata");
    continue_ = metadata.At("continue").Str();
    if (!continue_.empty()) {
      AskPage();
      return;
    }
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
    Retry(&Impl::StartList, error.retry_after);
  }

  void ListComplete() {
    RemoveUnseen();
    if (!stats_.synced) {
      failures_ = 0;  // later only a watch that works does this: lists alone may go round for ever
      stats_.synced = true;
      Notify([](InformerHandler& h) {
        if (h.synced) h.synced();
      });
    }
    StartWatch();
  }

  void RemoveUnseen() {
    std::vector<Key> gone;
    for (const auto& [key, entry] : cache_) {
      if (entry.list != list_) gone.push_back(key);
    }
    for (const Key& key : gone) Remove(key.ns, key.name, nullptr);
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
    failures_ = 0;
    if (std::string version = VersionOf(event.object); !version.empty()) {
      stats_.resource_version = std::move(version);
    }
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
    // Forbidden, not found, invalid: the list says more, and shows when it is over.
    Retry(error.retryable ? &Impl::StartWatch : &Impl::StartList, error.retry_after);
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

  void Retry(void (Impl::*next)(), Duration at_least) {
    ++failures_;
    ++generation_;
    Duration wait = std::max(Backoff(), at_least);
    wait_ = timers_.After(wait, Posted<>(generation_, next));
  }

  void Trouble(const Error& error) {
    ++stats_.failures;
    Notify([&](InformerHandler& h) {
      if (h.trouble) h.trouble(error);
    });
  }

  // --- the cache

  // Handlers may add and remove handlers meanwhile.
  template <class Fn>
  void Notify(const Fn& fn) {
    std::vector<HandlerId> ids;
    ids.reserve(handlers_.size());
    for (const auto& [id, handler] : handlers_) ids.push_back(id);
    for (HandlerId id : ids) {
      auto found = handlers_.find(id);
      if (found == handlers_.end()) continue;
      InformerHandler handler = found->second;
      fn(handler);
    }
  }

  bool WantsBefore() const {
    return std::any_of(handlers_.begin(), handlers_.end(),
                       [](const auto& entry) { return entry.second.wants_before; });
  }

  void Upsert(const Json& object) {
    const Json& metadata = object.At("metadata");
    Key key{metadata.At("namespace").Str(), metadata.At("name").Str()};
    if (key.name.empty()) return;
    std::string version = VersionOf(object);
    auto placed = cache_.try_emplace(std::move(key));
    const bool is_new = placed.second;
    Entry& entry = placed.first->second;
    entry.list = list_;
    if (!is_new && entry.resource_version == version && !version.empty()) return;  // a relist
    Json before;
    if (!is_new && WantsBefore()) before = packer_.Unpack(entry.packed);
    if (is_new) ++stats_.objects;
    stats_.bytes -= entry.packed.size();
    entry.packed = packer_.Pack(object);
    stats_.bytes += entry.packed.size();
    entry.resource_version = std::move(version);
    Notify([&](InformerHandler& h) {
      if (h.upsert) h.upsert(object, h.wants_before && !is_new ? &before : nullptr);
    });
  }

  void Remove(std::string_view ns, std::string_view name, const Json* last) {
    auto found = cache_.find(KeyView{ns, name});
    if (found == cache_.end()) return;
    Json object = last != nullptr ? Json() : packer_.Unpack(found->second.packed);
    stats_.bytes -= found->second.packed.size();
    --stats_.objects;
    cache_.erase(found);
    Notify([&](InformerHandler& h) {
      if (h.deleted) h.deleted(last != nullptr ? *last : object);
    });
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
    std::vector<Key> keys;
    keys.reserve(cache_.size());
    for (const auto& [key, entry] : cache_) keys.push_back(key);
    for (const Key& key : keys) {
      const Entry* entry = Find(key.ns, key.name);
      if (entry == nullptr) continue;
      Json object = packer_.Unpack(entry->packed);
      Notify([&](InformerHandler& h) {
        if (h.upsert) h.upsert(object, &object);
      });
    }
    ScheduleResync();
  }

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
  uint64_t watch_events_ = 0;
  int failures_ = 0;
  WatchId watch_ = 0;
  TimerId wait_ = 0;
  TimerId resync_ = 0;

  std::map<Key, Entry, KeyLess> cache_;
  std::map<HandlerId, InformerHandler> handlers_;
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
  const Entry* entry = impl_->Find(ns, name);
  if (entry == nullptr) return false;
  *object = impl_->packer_.Unpack(entry->packed);
  return true;
}

bool Informer::Has(std::string_view ns, std::string_view name) const {
  return impl_->Find(ns, name) != nullptr;
}

std::string_view Informer::ResourceVersion(std::string_view ns, std::string_view name) const {
  const Entry* entry = impl_->Find(ns, name);
  return entry != nullptr ? std::string_view(entry->resource_version) : std::string_view();
}

void Informer::ForEach(std::string_view ns, const std::function<void(const Json&)>& visit) const {
  impl_->ForEach(ns, visit);
}

const InformerStats& Informer::stats() const { return impl_->stats_; }

}  // namespace rollguard::kube
