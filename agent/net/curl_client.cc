// SPDX-License-Identifier: Apache-2.0
// The loop. Callers put exchanges, cancellations and timers into a shared inbox under one mutex and
// wake the loop; everything else belongs to the loop's thread. An id is `live` from Send until its
// last callback begins or it is cancelled; before each callback the loop checks that under the
// mutex and notes which id is running, and Cancel from elsewhere waits until that note changes.
#include "agent/net/curl_client.h"

#include <curl/curl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "agent/base/text.h"
#include "agent/net/exchange.h"
#include "agent/net/redact.h"

namespace rollguard::net {
namespace {

constexpr Nanos kNever = Nanos::max();
constexpr Nanos kLongestWait = std::chrono::minutes(1);
constexpr int kGivesWay = 10;  // its niceness

void InitCurlOnce() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)code;
}

struct Group {
  int running = 0;
  std::deque<HttpId> waiting;
};

}  // namespace

class CurlClient::Loop final : public ExchangeSink {
 public:
  Loop(const Clock& clock, CurlOptions options) : clock_(clock), options_(std::move(options)) {
    InitCurlOnce();
    multi_ = curl_multi_init();
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS,
                      static_cast<long>(options_.max_idle_connections));
    curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
    thread_ = std::thread([this] { Run(); });
  }

  ~Loop() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      live_.clear();
    }
    curl_multi_wakeup(multi_);
    thread_.join();
    for (auto& [id, exchange] : exchanges_) {
      if (exchange->easy != nullptr) curl_multi_remove_handle(multi_, exchange->easy);
    }
    exchanges_.clear();
    curl_multi_cleanup(multi_);
  }

  HttpId Submit(std::unique_ptr<Exchange> exchange) {
    exchange->sink = this;
    exchange->submitted = Monotonic();
    exchange->last_activity = exchange->submitted;
    HttpId id;
    {
      std::lock_guard lock(mutex_);
      id = ++last_id_;
      exchange->id = id;
      live_.insert(id);
      incoming_.push_back(std::move(exchange));
    }
    Wake();
    return id;
  }

  void Cancel(HttpId id) {
    std::unique_lock lock(mutex_);
    if (live_.erase(id) > 0) {
      cancelled_.push_back(id);
      Wake();
    }
    if (!OnLoop()) idle_.wait(lock, [&] { return running_ != id; });
  }

  TimerId After(Duration delay, std::function<void()> fn) {
    Nanos due = Monotonic() + std::max(delay, Duration(0));
    TimerId id;
    {
      std::lock_guard lock(mutex_);
      id = ++last_id_;
      timers_.emplace(std::pair(due, id), std::move(fn));
      timer_due_.emplace(id, due);
    }
    Wake();
    return id;
  }

  void CancelTimer(TimerId id) {
    std::function<void()> dropped;  // destroyed outside the lock
    std::unique_lock lock(mutex_);
    if (auto due = timer_due_.find(id); due != timer_due_.end()) {
      auto timer = timers_.find({due->second, id});
      if (timer != timers_.end()) {
        dropped = std::move(timer->second);
        timers_.erase(timer);
      }
      timer_due_.erase(due);
    }
    if (!OnLoop()) idle_.wait(lock, [&] { return running_ != id; });
    lock.unlock();
  }

  bool Deliver(HttpId id, const std::function<void(std::string_view)>& data,
               std::string_view bytes) override {
    if (!Begin(id, /*last=*/false)) return false;
    if (data) data(bytes);
    End();
    std::lock_guard lock(mutex_);
    return live_.contains(id);
  }

  Nanos Monotonic() const override { return clock_.Monotonic(); }

 private:
  bool OnLoop() const { return std::this_thread::get_id() == thread_id_; }

  void Wake() {
    if (!OnLoop()) curl_multi_wakeup(multi_);
  }

  bool Begin(HttpId id, bool last) {
    std::lock_guard lock(mutex_);
    if (last ? live_.erase(id) == 0 : !live_.contains(id)) return false;
    running_ = id;
    return true;
  }

  void End() {
    {
      std::lock_guard lock(mutex_);
      running_ = 0;
    }
    idle_.notify_all();
  }

  void Run() {
    // TLS writes to a peer that is gone must not end the process, and signals are main's to take.
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    thread_id_ = std::this_thread::get_id();
    if (options_.gives_way) ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kGivesWay);
    while (TakeInbox()) {
      RunTimers();
      ExpireDeadlines();
      int running = 0;
      curl_multi_perform(multi_, &running);
      Harvest();
      auto wait = std::chrono::ceil<std::chrono::milliseconds>(NextWait());
      curl_multi_poll(multi_, nullptr, 0, static_cast<int>(wait.count()), nullptr);
    }
  }

  // False when the loop shall end.
  bool TakeInbox() {
    std::vector<std::unique_ptr<Exchange>> incoming;
    std::vector<HttpId> cancelled;
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return false;
      incoming.swap(incoming_);
      cancelled.swap(cancelled_);
    }
    for (auto& exchange : incoming) Admit(std::move(exchange));
    for (HttpId id : cancelled) {
      if (auto found = exchanges_.find(id); found != exchanges_.end()) Discard(found);
    }
    return true;
  }

  void Admit(std::unique_ptr<Exchange> exchange) {
    Exchange& x = *exchange;
    exchanges_.emplace(x.id, std::move(exchange));
    if (x.request.timeout > Duration(0)) {
      deadlines_.emplace(x.submitted + x.request.timeout, x.id);
    }
    if (Status ok = CheckRequest(x.request); !ok.ok()) {
      Finish(x.id, ok.error());
      return;
    }
    if (Limited(x)) {
      Group& group = groups_[x.request.group];
      if (group.running >= x.request.max_parallel && !x.request.urgent) {
        group.waiting.push_back(x.id);
        if (x.request.timeout > Duration(0)) deadlines_.emplace(PatientUntil(x), x.id);
        return;
      }
      Join(group, x);
    }
    StartTransfer(x);
  }

  // Who waits longer for a place is not sent out: what is left of its time would rarely do, and a
  // server that cannot keep up would spend its own on answers that nobody waits for any more.
  static Nanos PatientUntil(const Exchange& x) { return x.submitted + x.request.timeout / 2; }

  static bool Limited(const Exchange& x) { return x.request.max_parallel > 0; }

  void StartTransfer(Exchange& x) {
    x.last_activity = Monotonic();
    if (x.idle_timeout > Nanos(0)) deadlines_.emplace(x.last_activity + x.idle_timeout, x.id);
    Status ok = Configure(x, options_);
    if (!ok.ok() || curl_multi_add_handle(multi_, x.easy) != CURLM_OK) {
      Finish(x.id, ok.ok() ? Error(ErrorCode::kInternal, "cannot start a request") : ok.error());
    }
  }

  void Harvest() {
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURLcode code = message->data.result;
      char* user = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &user);
      Complete(*reinterpret_cast<Exchange*>(user), code);
    }
  }

  void Complete(Exchange& x, CURLcode code) {
    // The start of a stream's refusal is enough, whatever its length.
    bool cut_refusal = x.is_stream && x.abort == Abort::kBodyTooLarge;
    if (code != CURLE_OK && !cut_refusal) {
      Finish(x.id, Explain(x, code));
      return;
    }
    x.response.elapsed = std::chrono::duration_cast<Duration>(Monotonic() - x.submitted);
    RedactAnswer(x.request, x.response);
    Finish(x.id, std::move(x.response));
  }

  void Finish(HttpId id, Expected<HttpResponse> result) {
    auto found = exchanges_.find(id);
    HttpDone done = std::move(found->second->done);
    Discard(found);
    if (!Begin(id, /*last=*/true)) return;
    if (done) done(std::move(result));
    done = nullptr;  // what it holds is released before a waiting Cancel goes on
    End();
  }

  using Exchanges = std::unordered_map<HttpId, std::unique_ptr<Exchange>>;

  void Discard(Exchanges::iterator found) {
    std::unique_ptr<Exchange> x = std::move(found->second);
    exchanges_.erase(found);
    if (x->request.timeout > Duration(0)) {
      deadlines_.erase({x->submitted + x->request.timeout, x->id});
    }
    if (x->easy != nullptr) curl_multi_remove_handle(multi_, x->easy);
    if (Limited(*x)) LeaveGroup(*x);
  }

  static void Join(Group& group, Exchange& x) {
    ++group.running;
    x.in_group = true;
  }

  // Gives the place to those who wait, in their order.
  void LeaveGroup(const Exchange& x) {
    auto found = groups_.find(x.request.group);
    if (found == groups_.end()) return;
    Group& group = found->second;
    if (x.in_group) {
      --group.running;
    } else {
      std::erase(group.waiting, x.id);
    }
    std::vector<HttpId> starting;
    while (!group.waiting.empty()) {
      Exchange& next = *exchanges_.at(group.waiting.front());
      if (group.running >= next.request.max_parallel) break;
      group.waiting.pop_front();
      Join(group, next);
      starting.push_back(next.id);
    }
    if (group.running == 0 && group.waiting.empty()) groups_.erase(found);
    for (HttpId id : starting) {
      if (auto next = exchanges_.find(id); next != exchanges_.end()) StartTransfer(*next->second);
    }
  }

  void ExpireDeadlines() {
    Nanos now = Monotonic();
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
      HttpId id = deadlines_.begin()->second;
      deadlines_.erase(deadlines_.begin());
      auto found = exchanges_.find(id);
      if (found != exchanges_.end()) Expire(*found->second, now);
    }
  }

  // Idle deadlines are not moved with every byte: when one falls due the last byte is looked at.
  void Expire(Exchange& x, Nanos now) {
    const bool waiting = Limited(x) && !x.in_group;
    bool total = x.request.timeout > Duration(0) &&
                 now >= (waiting ? PatientUntil(x) : x.submitted + x.request.timeout);
    Nanos idle_due = x.idle_timeout > Nanos(0) ? x.last_activity + x.idle_timeout : kNever;
    if (!total && idle_due > now) {
      if (idle_due != kNever) deadlines_.emplace(idle_due, x.id);
      return;
    }
    x.abort = total ? Abort::kTimeout : Abort::kIdle;
    Finish(x.id, Explain(x, CURLE_ABORTED_BY_CALLBACK));
  }

  void RunTimers() {
    Nanos now = Monotonic();
    for (;;) {
      std::function<void()> fn;
      {
        std::lock_guard lock(mutex_);
        if (timers_.empty() || timers_.begin()->first.first > now) return;
        auto first = timers_.begin();
        fn = std::move(first->second);
        running_ = first->first.second;
        timer_due_.erase(running_);
        timers_.erase(first);
      }
      fn();
      fn = nullptr;
      End();
    }
  }

  Nanos NextWait() {
    Nanos next = kNever;
    if (!deadlines_.empty()) next = deadlines_.begin()->first;
    {
      std::lock_guard lock(mutex_);
      if (stopping_ || !incoming_.empty() || !cancelled_.empty()) return Nanos(0);
      if (!timers_.empty()) next = std::min(next, timers_.begin()->first.first);
    }
    if (next == kNever) return kLongestWait;
    return std::clamp(next - Monotonic(), Nanos(0), kLongestWait);
  }

  const Clock& clock_;
  CurlOptions options_;
  CURLM* multi_ = nullptr;
  std::thread thread_;

  // The loop's own.
  Exchanges exchanges_;
  std::set<std::pair<Nanos, HttpId>> deadlines_;
  std::unordered_map<std::string, Group> groups_;

  std::atomic<std::thread::id> thread_id_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable idle_;

  bool stopping_ = false;
  uint64_t last_id_ = 0;
  uint64_t running_ = 0;  // the id whose callback runs now; exchanges and timers share the numbers
  std::unordered_set<HttpId> live_;
  std::vector<std::unique_ptr<Exchange>> incoming_;
  std::vector<HttpId> cancelled_;
  std::map<std::pair<Nanos, TimerId>, std::function<void()>> timers_;
  std::unordered_map<TimerId, Nanos> timer_due_;
};

CurlClient::CurlClient(const Clock& clock, CurlOptions options)
    : loop_(std::make_unique<Loop>(clock, std::move(options))) {}

CurlClient::~CurlClient() = default;

HttpId CurlClient::Send(HttpRequest request, HttpDone done) {
  auto exchange = std::make_unique<Exchange>();
  if (request.timeout <= Duration(0)) request.timeout = std::chrono::minutes(1);
  exchange->request = std::move(request);
  exchange->done = std::move(done);
  return loop_->Submit(std::move(exchange));
}

HttpId CurlClient::Stream(HttpRequest request, HttpStream stream) {
  auto exchange = std::make_unique<Exchange>();
  exchange->is_stream = true;
  exchange->request = std::move(request);
  exchange->data = std::move(stream.data);
  exchange->done = std::move(stream.done);
  exchange->idle_timeout = stream.idle_timeout;
  return loop_->Submit(std::move(exchange));
}

void CurlClient::Cancel(HttpId id) { loop_->Cancel(id); }

TimerId CurlClient::After(Duration delay, std::function<void()> fn) {
  return loop_->After(delay, std::move(fn));
}

void CurlClient::CancelTimer(TimerId id) { loop_->CancelTimer(id); }

}  // namespace rollguard::net
