// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/chores.h"

#include <algorithm>

namespace rollguard::serve {

void Chores::Add(std::string name, Duration interval, std::function<void()> work) {
  chores_.push_back({std::move(name), interval, std::move(work)});
}

void Chores::Start() {
  for (Chore& chore : chores_) chore.due = clock_.Monotonic() + chore.interval;
  if (!chores_.empty()) thread_ = std::thread([this] { Run(); });
}

void Chores::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Chores::Call(const std::string& name) {
  std::lock_guard lock(mutex_);
  for (Chore& chore : chores_) {
    if (chore.name == name) chore.due = std::chrono::nanoseconds(0);
  }
  wake_.notify_all();
}

void Chores::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    auto next = std::min_element(chores_.begin(), chores_.end(),
                                 [](const Chore& a, const Chore& b) { return a.due < b.due; });
    auto now = clock_.Monotonic();
    if (next->due > now) {
      wake_.wait_for(lock, next->due - now);
      continue;
    }
    next->due = now + next->interval;
    auto work = next->work;
    lock.unlock();
    work();
    lock.lock();
  }
}

}  // namespace rollguard::serve
