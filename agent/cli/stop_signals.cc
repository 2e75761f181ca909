// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/stop_signals.h"

#include <pthread.h>
#include <signal.h>

#include <cstdlib>

namespace rollguard::cli {
namespace {

// Tells the waiting thread to end; nobody else sends it.
constexpr int kEnd = SIGUSR2;

sigset_t OurSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGHUP, SIGINT, SIGTERM, kEnd}) sigaddset(&set, signal);
  return set;
}

}  // namespace

StopSignals::StopSignals() {
  sigset_t set = OurSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // A peer that closes its end is an error of that write, not the end of the process.
  ::signal(SIGPIPE, SIG_IGN);
  thread_ = std::thread([this] { Run(); });
}

StopSignals::~StopSignals() {
  pthread_kill(thread_.native_handle(), kEnd);
  thread_.join();
}

void StopSignals::OnHangup(std::function<void()> fn) {
  std::lock_guard lock(mutex_);
  on_hangup_ = std::move(fn);
}

int StopSignals::Wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stop_signal_ != 0; });
  return stop_signal_;
}

void StopSignals::Run() {
  sigset_t set = OurSignals();
  while (true) {
    int signal = 0;
    if (sigwait(&set, &signal) != 0) continue;
    if (signal == kEnd) return;
    std::unique_lock lock(mutex_);
    if (signal == SIGHUP) {
      auto hangup = on_hangup_;
      lock.unlock();
      if (hangup) hangup();
      continue;
    }
    if (stop_signal_ != 0) std::_Exit(128 + signal);
    stop_signal_ = signal;
    changed_.notify_all();
  }
}

}  // namespace rollguard::cli
