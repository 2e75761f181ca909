// SPDX-License-Identifier: Apache-2.0
// A few threads that run jobs in order of arrival, urgent ones first; one more runs urgent ones
// only, so that they find a thread while all others are busy. Offer refuses when too many wait.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace rollguard::http {

class Workers {
 public:
  Workers(int threads, size_t max_queued) : max_queued_(max_queued) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(/*all=*/true); });
    threads_.emplace_back([this] { Run(/*all=*/false); });
  }
  ~Workers() { Stop(); }

  bool Offer(std::function<void()> job, bool urgent = false) {
    std::unique_lock lock(mutex_);
    if (stopping_ || (urgent ? urgent_ : jobs_).size() >= max_queued_) return false;
    (urgent ? urgent_ : jobs_).push_back(std::move(job));
    const bool all_taken = urgent_.size() + jobs_.size() > idle_;
    lock.unlock();  // who wakes finds it free
    (urgent && all_taken ? urgent_ready_ : ready_).notify_one();
    return true;
  }

  // Runs what was accepted, then ends the threads.
  void Stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    ready_.notify_all();
    urgent_ready_.notify_all();
    for (std::thread& t : threads_) {
      if (t.joinable()) t.join();
    }
  }

 private:
  void Run(bool all) {
    std::unique_lock lock(mutex_);
    while (true) {
      if (all) ++idle_;
      (all ? ready_ : urgent_ready_).wait(lock, [&] {
        return stopping_ || !urgent_.empty() || (all && !jobs_.empty());
      });
      if (all) --idle_;
      if (urgent_.empty() && (!all || jobs_.empty())) return;
      auto& from = urgent_.empty() ? jobs_ : urgent_;
      auto job = std::move(from.front());
      from.pop_front();
      lock.unlock();
      job();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable ready_, urgent_ready_;
  std::deque<std::function<void()>> jobs_, urgent_;
  size_t max_queued_;
  size_t idle_ = 0;  // of those that run all jobs
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace rollguard::http
