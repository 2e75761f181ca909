// SPDX-License-Identifier: Apache-2.0
// SIGHUP, SIGINT and SIGTERM for a command that runs until it is told to stop.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace rollguard::cli {

// Make it before any other thread: the signals are blocked for all threads that come later, and one
// thread waits for them. A second signal to stop ends the process at once, with code 128 + n.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Runs on the waiting thread.
  void OnHangup(std::function<void()> fn);
  // Blocks until the first signal to stop; gives its number.
  int Wait();

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> on_hangup_;
  int stop_signal_ = 0;
  std::thread thread_;
};

}  // namespace rollguard::cli
