// SPDX-License-Identifier: Apache-2.0
// Work that blocks and may wait: looking at rule files, pruning the history. One thread; each chore
// comes at its interval, or sooner when it is called for.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/base/time.h"

namespace rollguard::serve {

class Chores {
 public:
  explicit Chores(const Clock& clock) : clock_(clock) {}
  ~Chores() { Stop(); }

  // Before Start. The first run is one interval after the start.
  void Add(std::string name, Duration interval, std::function<void()> work);
  void Start();
  // Ends after the chore that runs now.
  void Stop();
  // From any thread: do this one now.
  void Call(const std::string& name);

 private:
  struct Chore {
    std::string name;
    Duration interval;
    std::function<void()> work;
    std::chrono::nanoseconds due{0};
  };
  void Run();

  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Chore> chores_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace rollguard::serve
