// SPDX-License-Identifier: Apache-2.0
// The deciding thread: runs what is to be done at once, then what is posted, in order, then timers
// that are due. Everything the controller and its sensors do happens here.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

#include "agent/base/time.h"
#include "agent/ports/timers.h"

namespace rollguard::app {

// Post, Ask, After, AtOnce and CancelTimer may be called from any thread.
class Loop : public Timers {
 public:
  explicit Loop(const Clock& clock) : clock_(clock) {}
  ~Loop() override { Stop(); }

  void Start();
  // Ends after what runs now; what waits is dropped.
  void Stop();

  void Post(std::function<void()> fn, Turn turn = Turn::kInOrder);
  // What the loop was asked for; its asker may do something else meanwhile.
  template <class T>
  class Asked {
   public:
    // Nothing when it took longer than `limit` or the loop has stopped. Not to be called on the
    // loop, and once.
    std::optional<T> Wait(Duration limit) {
      if (future_.wait_for(limit) != std::future_status::ready) return std::nullopt;
      return future_.get();
    }

   private:
    friend class Loop;
    // Held here too: a loop that has stopped drops what it was asked.
    std::shared_ptr<std::promise<T>> promise_ = std::make_shared<std::promise<T>>();
    std::future<T> future_ = promise_->get_future();
  };

  // Runs `fn` on the loop.
  template <class T>
  Asked<T> Begin(std::function<T()> fn, Turn turn = Turn::kInOrder) {
    Asked<T> asked;
    Post([promise = asked.promise_, fn = std::move(fn)] { promise->set_value(fn()); }, turn);
    return asked;
  }
  // The same, and waits for its result.
  template <class T>
  std::optional<T> Ask(std::function<T()> fn, Duration limit = std::chrono::seconds(2),
                       Turn turn = Turn::kInOrder) {
    return Begin<T>(std::move(fn), turn).Wait(limit);
  }

  TimerId After(Duration delay, std::function<void()> fn) override;
  TimerId AtOnce(std::function<void()> fn) override;
  void CancelTimer(TimerId id) override;

  size_t queued() const;
  // How long the oldest posted function has waited when it ran last.
  std::chrono::nanoseconds last_wait() const { return std::chrono::nanoseconds(last_wait_); }
  // Time spent in posted functions and timers, all in all.
  std::chrono::nanoseconds busy() const { return std::chrono::nanoseconds(busy_); }

 private:
  struct Posted {
    std::function<void()> fn;
    std::chrono::nanoseconds at;
  };
  TimerId AddTimer(std::chrono::nanoseconds due, std::function<void()> fn);
  void Run();

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Posted> posted_;
  std::map<std::pair<std::chrono::nanoseconds, TimerId>, std::function<void()>> timers_;
  std::unordered_map<TimerId, std::chrono::nanoseconds> due_;
  TimerId next_id_ = 1;
  bool stopping_ = false;
  std::atomic<int64_t> last_wait_{0};
  std::atomic<int64_t> busy_{0};
  std::thread thread_;
};

}  // namespace rollguard::app
