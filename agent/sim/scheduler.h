// SPDX-License-Identifier: Apache-2.0
// Virtual time: a clock that only moves when the next event is due, and the queue of those events.
// Events of one instant run in the order in which they were asked for, so a run is a pure function
// of its inputs. Single-threaded: everything in agent/sim runs inside one Scheduler.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "agent/base/time.h"
#include "agent/ports/timers.h"

namespace rollguard::sim {

class Scheduler final : public Clock, public Timers {
 public:
  explicit Scheduler(Time start = FromUnixMillis(1'767'225'600'000));  // 2026-01-01T00:00:00Z

  Time Now() const override { return now_; }
  std::chrono::nanoseconds Monotonic() const override { return now_ - start_; }

  TimerId After(Duration delay, std::function<void()> fn) override;
  TimerId At(Time when, std::function<void()> fn);  // a past time counts as now
  void CancelTimer(TimerId id) override;

  // The time of the next event, if there is one.
  std::optional<Time> Next() const;
  // Moves to the next event and runs it. False when there is none.
  bool RunOne();
  // Runs every event due up to and including `until`, then stands at `until`.
  void RunUntil(Time until);
  void RunFor(Duration duration) { RunUntil(now_ + duration); }
  // Runs until `done` holds (checked after every event) or `limit` is reached; true when it holds.
  bool RunUntil(const std::function<bool()>& done, Duration limit);

  size_t pending() const { return callbacks_.size(); }
  uint64_t executed() const { return executed_; }

 private:
  struct Entry {
    Time when;
    uint64_t id;  // also the order of asking
  };
  void DropCancelled() const;

  Time start_;
  Time now_;
  uint64_t last_id_ = 0;
  uint64_t executed_ = 0;
  mutable std::vector<Entry> heap_;
  std::unordered_map<uint64_t, std::function<void()>> callbacks_;
};

}  // namespace rollguard::sim
