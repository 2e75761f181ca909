// SPDX-License-Identifier: Apache-2.0
// Waiting without blocking: real time in the agent (agent/net's loop), virtual time in simulation.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "agent/base/time.h"

namespace rollguard {

using TimerId = uint64_t;  // never 0

// Where something waits for its turn: behind what came before, or ahead of all that is in order.
enum class Turn { kInOrder, kAtOnce };

// Implementations are thread-safe when their loop is (agent/net), and otherwise used from the one
// thread that drives virtual time. A function runs once, on the implementation's own loop, no
// earlier than its delay; functions of one delay run in the order they were asked for.
class Timers {
 public:
  virtual ~Timers() = default;
  virtual TimerId After(Duration delay, std::function<void()> fn) = 0;
  // Ahead of whatever else waits, where there is a queue: what takes a bad revision back.
  virtual TimerId AtOnce(std::function<void()> fn) { return After(Duration(0), std::move(fn)); }
  // After this returns the function does not run any more. Unknown and past ids are ignored.
  virtual void CancelTimer(TimerId id) = 0;
};

}  // namespace rollguard
