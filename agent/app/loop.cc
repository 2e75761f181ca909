// SPDX-License-Identifier: Apache-2.0
#include "agent/app/loop.h"

namespace rollguard::app {
namespace {

// Before every time there is.
constexpr std::chrono::nanoseconds kAtOnce = std::chrono::nanoseconds::min();

}  // namespace

void Loop::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Loop::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Loop::Post(std::function<void()> fn, Turn turn) {
  if (turn == Turn::kAtOnce) {
    AtOnce(std::move(fn));
    return;
  }
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    posted_.push_back({std::move(fn), clock_.Monotonic()});
  }
  wake_.notify_one();
}

TimerId Loop::After(Duration delay, std::function<void()> fn) {
  return AddTimer(clock_.Monotonic() + delay, std::move(fn));
}

TimerId Loop::AtOnce(std::function<void()> fn) { return AddTimer(kAtOnce, std::move(fn)); }

TimerId Loop::AddTimer(std::chrono::nanoseconds due, std::function<void()> fn) {
  TimerId id = 0;
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    id = next_id_++;
    first = timers_.empty() || due < timers_.begin()->first.first;
    timers_.emplace(std::pair(due, id), std::move(fn));
    due_.emplace(id, due);
  }
  if (first) wake_.notify_one();  // who wakes finds the lock free
  return id;
}

void Loop::CancelTimer(TimerId id) {
  std::lock_guard lock(mutex_);
  auto found = due_.find(id);
  if (found == due_.end()) return;
  timers_.erase({found->second, id});
  due_.erase(found);
}

size_t Loop::queued() const {
  std::lock_guard lock(mutex_);
  return posted_.size();
}

// Posted functions first: they carry what happened; timers only remind.
void Loop::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    std::function<void()> fn;
    auto now = clock_.Monotonic();
    const bool at_once = !timers_.empty() && timers_.begin()->first.first == kAtOnce;
    if (!at_once && !posted_.empty()) {
      last_wait_ = (now - posted_.front().at).count();
      fn = std::move(posted_.front().fn);
      posted_.pop_front();
    } else if (!timers_.empty() && timers_.begin()->first.first <= now) {
      due_.erase(timers_.begin()->first.second);
      fn = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
    } else if (timers_.empty()) {
      wake_.wait(lock);
      continue;
    } else {
      wake_.wait_for(lock, timers_.begin()->first.first - now);
      continue;
    }
    lock.unlock();
    fn();
    busy_ += (clock_.Monotonic() - now).count();
    lock.lock();
  }
}

}  // namespace rollguard::app
