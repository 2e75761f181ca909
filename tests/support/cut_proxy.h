// SPDX-License-Identifier: Apache-2.0
// A wire between two programs that a test can cut: bytes from its own address to another, TLS or
// not. Cut: what is open breaks and nothing new gets through. Stalled: every packet is lost, so
// data is sent again and again, no answer comes, and who begins a connection waits for its first
// packet to be answered. At a node of a network the router loses them on their way there; on the
// loopback the kernel drops what arrives at the wire's sockets. Forgotten, as by a firewall that
// was started anew: what is open is silent for good, what is new gets through.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

#include "tests/support/network.h"

namespace rollguard::testing {

class CutProxy {
 public:
  enum class Mode { kPass, kCut, kStall };

  // Where its sockets are: at that node, or on the loopback when there is no network.
  struct Site {
    Network* network = nullptr;
    size_t node = 0;
  };

  CutProxy(int to_port, Site site);
  // Asked for each connection, on a thread of the proxy; port 0: nobody is there.
  CutProxy(std::function<Address()> to, Site site);
  ~CutProxy();
  CutProxy(const CutProxy&) = delete;
  CutProxy& operator=(const CutProxy&) = delete;

  const Address& address() const { return address_; }
  // An error: packets are not lost, or still are.
  Status Set(Mode mode);
  void Forget();

 private:
  struct Link {
    int near = -1;
    int far = -1;
    bool forgotten = false;
    std::thread up, down;
    std::atomic<int> ended{0};
  };
  void Accept();
  void Carry(Link& link, int from, int to);
  int NewSocket(const std::string& host) const;
  int Dial();
  void Filter(bool packets);
  bool AwaitPass(const Link& link);  // false: the link is to end
  void Reap(bool all);

  const std::function<Address()> to_;
  const Site site_;
  Address address_;
  int listener_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  Mode mode_ = Mode::kPass;
  bool stopping_ = false;
  std::list<Link> links_;
  std::thread acceptor_;
};

}  // namespace rollguard::testing
