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
  // Runs `fn` on the loop and waits for its result, at most `limit`; nothing when it took longer or
  // the loop has stopped. Must not be called on the loop.
  template <class T>
  std::optional<T> Ask(std::function<T()> fn, Duration limit = std::chrono::seconds(2),
                       Turn turn = Turn::kInOrder) {
    auto promise = std::make_shared<std::promise<T>>();
    auto future = promise->get_future();
    Post([promise, fn = std::move(fn)] { promise->set_value(fn()); }, turn);
    if (future.wait_for(limit) != std::future_status::ready) return std::nullopt;
    return future.get();
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
