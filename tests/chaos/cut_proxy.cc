// SPDX-License-Identifier: Apache-2.0
#include "tests/chaos/cut_proxy.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace rollguard::testing {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int Dial(int port) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(port);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

// No packet that arrives there is taken, nor answered.
void LosePackets(int fd, bool lose) {
  sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog program{1, &none};
  const int unused = 0;
  if (lose) {
    ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
  } else {
    ::setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
  }
}

bool SendAll(int fd, const char* data, ssize_t size) {
  while (size > 0) {
    ssize_t n = ::send(fd, data, static_cast<size_t>(size), MSG_NOSIGNAL);
    if (n <= 0) return false;
    data += n;
    size -= n;
  }
  return true;
}

}  // namespace

CutProxy::CutProxy(int to_port) : CutProxy([to_port] { return to_port; }) {}

CutProxy::CutProxy(std::function<int()> to_port) : to_port_(std::move(to_port)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_, 256) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("cut_proxy");
    std::exit(1);
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

CutProxy::~CutProxy() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  Reap(true);
}

void CutProxy::Set(Mode mode) {
  std::lock_guard lock(mutex_);
  mode_ = mode;
  Lose(mode == Mode::kStall);
  changed_.notify_all();
  if (mode != Mode::kCut) return;
  for (Link& link : links_) {
    ::shutdown(link.near, SHUT_RDWR);
    ::shutdown(link.far, SHUT_RDWR);
  }
}

void CutProxy::Lose(bool packets) {
  LosePackets(listener_, packets);
  for (const Link& link : links_) {
    LosePackets(link.near, packets);
    LosePackets(link.far, packets);
  }
}

void CutProxy::Accept() {
  while (true) {
    int near = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    std::unique_lock lock(mutex_);
    if (stopping_ || near < 0) {
      if (near >= 0) ::close(near);
      return;
    }
    lock.unlock();
    Reap(false);
    lock.lock();
    int far = mode_ == Mode::kCut ? -1 : Dial(to_port_());
    if (far < 0) {
      ::close(near);
      continue;
    }
    int one = 1;
    ::setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    ::setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    Link& link = links_.emplace_back();
    link.near = near;
    link.far = far;
    if (mode_ == Mode::kStall) Lose(true);
    link.up = std::thread([this, &link] { Carry(link, link.near, link.far); });
    link.down = std::thread([this, &link] { Carry(link, link.far, link.near); });
  }
}

bool CutProxy::AwaitPass() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || mode_ != Mode::kStall; });
  return !stopping_ && mode_ == Mode::kPass;
}

void CutProxy::Carry(Link& link, int from, int to) {
  char buffer[16384];
  while (true) {
    ssize_t n = ::recv(from, buffer, sizeof buffer, 0);
    if (n <= 0 || !AwaitPass() || !SendAll(to, buffer, n)) break;
  }
  ::shutdown(from, SHUT_RDWR);
  ::shutdown(to, SHUT_RDWR);
  ++link.ended;
}

// Joins the links that have ended; all of them when the proxy goes.
void CutProxy::Reap(bool all) {
  std::list<Link> over;
  {
    std::lock_guard lock(mutex_);
    for (auto at = links_.begin(); at != links_.end();) {
      auto next = std::next(at);
      if (all) {
        ::shutdown(at->near, SHUT_RDWR);
        ::shutdown(at->far, SHUT_RDWR);
      }
      if (all || at->ended == 2) over.splice(over.end(), links_, at);
      at = next;
    }
  }
  for (Link& link : over) {
    link.up.join();
    link.down.join();
    ::close(link.near);
    ::close(link.far);
  }
}

}  // namespace rollguard::testing
