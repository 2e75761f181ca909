// SPDX-License-Identifier: Apache-2.0
// One thread that carries every probe over a plain socket: it polls what they wait for, lets them
// advance without blocking, and ends those whose time is up. Host names are looked up beside it
// (names.h), so that a dead name server holds up nobody but those who ask for names.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/ports/prober.h"

namespace rollguard::probe {

// What a task waits for. With `name`, for that host's addresses; else for the socket.
struct SocketWait {
  int fd = -1;
  bool read = false;
  bool write = false;
  std::string name;
};

// One probe. Belongs to the loop's thread from its first Advance to its end.
class SocketTask {
 public:
  virtual ~SocketTask() = default;
  // Goes as far as it can without blocking: what to wait for next, or the verdict.
  virtual std::variant<SocketWait, ProbeAnswer> Advance(Duration elapsed) = 0;
  // The addresses of the name it waited for ("127.0.0.1", "::1"), or why there are none.
  virtual void Named(Expected<std::vector<std::string>> addresses) = 0;
  // What it waits for, for people: "a connection to 10.0.0.7:5432".
  virtual std::string Awaited() const = 0;
};

using TaskId = uint64_t;  // never 0

// Thread-safe. The destructor drops what is under way without calling it.
class SocketLoop {
 public:
  explicit SocketLoop(const Clock& clock);
  ~SocketLoop();
  SocketLoop(const SocketLoop&) = delete;
  SocketLoop& operator=(const SocketLoop&) = delete;

  TaskId Add(std::unique_ptr<SocketTask> task, Duration timeout, ProbeDone done);
  // After this returns `done` does not run any more (called on the loop itself: none but the one
  // that is running).
  void Cancel(TaskId id);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

std::unique_ptr<SocketTask> MakeTcpTask(TcpProbe probe);
std::unique_ptr<SocketTask> MakePostgresTask(PostgresProbe probe, Duration timeout);
// Ends at once with this answer: what is wrong with a request is told like every other answer.
std::unique_ptr<SocketTask> MakeAnswerTask(ProbeAnswer answer);

}  // namespace rollguard::probe
