// SPDX-License-Identifier: Apache-2.0
// A wire between two programs that a test can cut: bytes from a loopback port to another, TLS or
// not. Cut: what is open breaks and nothing new gets through. Stalled: every packet is lost. The
// kernel drops what arrives at the wire's sockets, so data is sent again and again, no answer
// comes, and who begins a connection waits for its first packet to be answered.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace rollguard::testing {

class CutProxy {
 public:
  enum class Mode { kPass, kCut, kStall };

  explicit CutProxy(int to_port);
  // Asked for each connection, on a thread of the proxy; 0: nobody is there.
  explicit CutProxy(std::function<int()> to_port);
  ~CutProxy();
  CutProxy(const CutProxy&) = delete;
  CutProxy& operator=(const CutProxy&) = delete;

  int port() const { return port_; }
  void Set(Mode mode);

 private:
  struct Link {
    int near = -1;
    int far = -1;
    std::thread up, down;
    std::atomic<int> ended{0};
  };
  void Accept();
  void Carry(Link& link, int from, int to);
  void Lose(bool packets);
  bool AwaitPass();  // false: the link is to end
  void Reap(bool all);

  const std::function<int()> to_port_;
  int port_ = 0;
  int listener_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  Mode mode_ = Mode::kPass;
  bool stopping_ = false;
  std::list<Link> links_;
  std::thread acceptor_;
};

}  // namespace rollguard::testing
