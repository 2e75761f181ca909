// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/scheduler.h"

#include <algorithm>

namespace rollguard::sim {
namespace {

// std::push_heap keeps the greatest on top; the earliest event has to be the greatest.
constexpr auto kLater = [](const auto& a, const auto& b) {
  return a.when != b.when ? a.when > b.when : a.id > b.id;
};

}  // namespace

Scheduler::Scheduler(Time start) : start_(start), now_(start) {}

TimerId Scheduler::After(Duration delay, std::function<void()> fn) {
  return At(now_ + std::max(delay, Duration(0)), std::move(fn));
}

TimerId Scheduler::At(Time when, std::function<void()> fn) {
  uint64_t id = ++last_id_;
  heap_.push_back({std::max(when, now_), id});
  std::push_heap(heap_.begin(), heap_.end(), kLater);
  callbacks_.emplace(id, std::move(fn));
  return id;
}

void Scheduler::CancelTimer(TimerId id) { callbacks_.erase(id); }

void Scheduler::DropCancelled() const {
  while (!heap_.empty() && !callbacks_.contains(heap_.front().id)) {
    std::pop_heap(heap_.begin(), heap_.end(), kLater);
    heap_.pop_back();
  }
}

std::optional<Time> Scheduler::Next() const {
  DropCancelled();
  if (heap_.empty()) return std::nullopt;
  return heap_.front().when;
}

bool Scheduler::RunOne() {
  DropCancelled();
  if (heap_.empty()) return false;
  Entry entry = heap_.front();
  std::pop_heap(heap_.begin(), heap_.end(), kLater);
  heap_.pop_back();
  auto node = callbacks_.extract(entry.id);
  now_ = entry.when;
  ++executed_;
  node.mapped()();
  return true;
}

void Scheduler::RunUntil(Time until) {
  for (auto next = Next(); next && *next <= until; next = Next()) RunOne();
  now_ = std::max(now_, until);
}

bool Scheduler::RunUntil(const std::function<bool()>& done, Duration limit) {
  Time end = now_ + limit;
  while (!done()) {
    auto next = Next();
    if (!next || *next > end) {
      now_ = std::max(now_, end);
      return false;
    }
    RunOne();
  }
  return true;
}

}  // namespace rollguard::sim
