// SPDX-License-Identifier: Apache-2.0
#include "tests/support/cut_proxy.h"

#include <linux/filter.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace rollguard::testing {
namespace {

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

CutProxy::CutProxy(int to_port, Site site)
    : CutProxy([to_port] { return Address(to_port); }, site) {}

CutProxy::CutProxy(std::function<Address()> to, Site site) : to_(std::move(to)), site_(site) {
  if (site_.network != nullptr) address_.host = site_.network->HostOf(site_.node);
  listener_ = NewSocket(address_.host);
  sockaddr_in address = address_.Inet();
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_, 256) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("cut_proxy");
    std::exit(1);
  }
  address_.port = ntohs(address.sin_port);
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

Status CutProxy::Set(Mode mode) {
  if (site_.network != nullptr) {
    Status done = site_.network->SetLost({address_}, mode == Mode::kStall);
    if (!done) return done;
  }
  std::lock_guard lock(mutex_);
  mode_ = mode;
  if (site_.network == nullptr) Filter(mode == Mode::kStall);
  changed_.notify_all();
  if (mode != Mode::kCut) return {};
  for (Link& link : links_) {
    if (link.forgotten) continue;
    ::shutdown(link.near, SHUT_RDWR);
    ::shutdown(link.far, SHUT_RDWR);
  }
  return {};
}

// Nothing that arrives is taken, and nothing is sent on.
void CutProxy::Forget() {
  std::lock_guard lock(mutex_);
  for (Link& link : links_) {
    link.forgotten = true;
    LosePackets(link.near, true);
    LosePackets(link.far, true);
  }
}

// What is on the machine's own loopback is reached there.
int CutProxy::NewSocket(const std::string& host) const {
  return site_.network != nullptr && host != Address().host
             ? site_.network->Socket(site_.node)
             : ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int CutProxy::Dial() {
  const Address to = to_();
  if (to.port == 0) return -1;
  const int fd = NewSocket(to.host);
  const sockaddr_in address = to.Inet();
  const timeval limit{15, 0}, none{0, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const bool there =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
  if (there) return fd;
  ::close(fd);
  return -1;
}

void CutProxy::Filter(bool packets) {
  LosePackets(listener_, packets);
  for (const Link& link : links_) {
    LosePackets(link.near, packets || link.forgotten);
    LosePackets(link.far, packets || link.forgotten);
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
    const bool cut = mode_ == Mode::kCut;
    lock.unlock();
    Reap(false);
    const int far = cut ? -1 : Dial();
    lock.lock();
    if (stopping_ || mode_ == Mode::kCut || far < 0) {
      if (far >= 0) ::close(far);
      ::close(near);
      continue;
    }
    int one = 1;
    ::setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    ::setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    Link& link = links_.emplace_back();
    link.near = near;
    link.far = far;
    if (mode_ == Mode::kStall && site_.network == nullptr) Filter(true);
    link.up = std::thread([this, &link] { Carry(link, link.near, link.far); });
    link.down = std::thread([this, &link] { Carry(link, link.far, link.near); });
  }
}

bool CutProxy::AwaitPass(const Link& link) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stopping_ || (mode_ != Mode::kStall && !link.forgotten); });
  return !stopping_ && mode_ == Mode::kPass;
}

void CutProxy::Carry(Link& link, int from, int to) {
  char buffer[16384];
  while (true) {
    ssize_t n = ::recv(from, buffer, sizeof buffer, 0);
    if (n <= 0 || !AwaitPass(link) || !SendAll(to, buffer, n)) break;
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
