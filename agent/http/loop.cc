// SPDX-License-Identifier: Apache-2.0
// epoll, level-triggered: each connection asks for exactly what its state needs (read, write or
// nothing), so a connection whose request is being worked on costs no wake-ups. Deadlines are kept
// per connection and swept four times a second. Workers hand their answers back through Post.
#include "agent/http/loop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "agent/base/text.h"

namespace rollguard::http {
namespace {

constexpr uint64_t kListenerId = 0, kWakeId = 1;
// Events that follow each other so closely are sent together, to so many streams between two looks
// at the sockets.
constexpr std::chrono::milliseconds kTogether{5};
constexpr size_t kFedInOneTurn = 16;
constexpr auto kSweepEvery = std::chrono::milliseconds(250);

std::string AddressText(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* raw =
      address.ss_family == AF_INET6
          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr)
          : static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(&address)->sin_addr);
  return ::inet_ntop(address.ss_family, raw, text.data(), text.size()) != nullptr ? text.data()
                                                                                  : "unknown";
}

void AddToEpoll(int epoll, int fd, uint64_t id, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

Server::Loop::~Loop() {
  Stop(Duration(0));
  for (int fd : {listener_.fd, epoll_, wake_}) {
    if (fd >= 0) ::close(fd);
  }
}

Status Server::Loop::Start() {
  if (options_.tls) {
    auto tls = MakeTlsContext(*options_.tls);
    if (!tls) return tls.error();
    tls_ = std::move(*tls);
  }
  auto listener = OpenListener(options_.host, options_.port);
  if (!listener) return listener.error();
  listener_ = *listener;
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  wake_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (epoll_ < 0 || wake_ < 0)
    return Error(ErrorCode::kInternal,
                 StrCat("cannot create the event loop: ", std::strerror(errno)));
  AddToEpoll(epoll_, listener_.fd, kListenerId, EPOLLIN);
  AddToEpoll(epoll_, wake_, kWakeId, EPOLLIN);
  workers_ = std::make_unique<Workers>(options_.workers, options_.max_queued);
  thread_ = std::thread([this] { Run(); });
  return {};
}

void Server::Loop::Stop(Duration grace) {
  if (!thread_.joinable()) return;
  stopping_ = true;
  Wake();
  workers_->Stop();
  close_by_ = clock_.Monotonic() + grace;
  closing_ = true;
  Wake();
  thread_.join();
  connections_.clear();
}

void Server::Loop::Wake() const {
  uint64_t one = 1;
  [[maybe_unused]] ssize_t n = ::write(wake_, &one, sizeof one);
}

void Server::Loop::Post(std::function<void()> job) {
  {
    std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(job));
  }
  Wake();
}

uint64_t Server::Loop::Publish(std::string type, std::string topic, std::string data) {
  uint64_t id = hub_.Publish(std::move(type), std::move(topic), std::move(data));
  if (streams_ > 0 && !events_pending_.exchange(true)) Wake();
  return id;
}

ServerStats Server::Loop::stats() const {
  return {accepted_, requests_, refused_, evicted_, dropped_, open_, streams_};
}

void Server::Loop::RunPosted() {
  uint64_t count = 0;
  [[maybe_unused]] ssize_t n = ::read(wake_, &count, sizeof count);
  std::vector<std::function<void()>> jobs;
  {
    std::lock_guard lock(posted_mutex_);
    jobs.swap(posted_);
  }
  for (auto& job : jobs) job();
  if (events_pending_ && feed_at_ == kNever) feed_at_ = clock_.Monotonic() + kTogether;
}

// Whoever told of an event goes on deciding while it is sent: not at once, when the sender would
// take the processor from the teller, and not to all at once, when a webhook would wait behind
// them.
void Server::Loop::FeedStreams(size_t most) {
  if (clock_.Monotonic() >= feed_at_) {
    feed_at_ = kNever;
    events_pending_ = false;
    to_feed_.clear();
    for (const auto& [id, c] : connections_) {
      if (c->state == Connection::State::kStreaming) to_feed_.push_back(id);
    }
  }
  for (; most > 0 && !to_feed_.empty(); --most) {
    auto found = connections_.find(to_feed_.back());
    to_feed_.pop_back();
    if (found != connections_.end() && !FeedStream(*found->second)) Close(found->first);
  }
}

int Server::Loop::Patience() const {
  if (!to_feed_.empty()) return 0;
  if (feed_at_ == kNever) return static_cast<int>(kSweepEvery.count());
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(feed_at_ - clock_.Monotonic());
  return static_cast<int>(std::max<int64_t>(left.count(), 0));
}

void Server::Loop::Run() {
  std::array<epoll_event, 256> events{};
  bool accepting = true;
  while (!closing_ || AnswersPending()) {
    int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), Patience());
    for (int i = 0; i < n; ++i) {
      const epoll_event& e = events[static_cast<size_t>(i)];
      if (e.data.u64 == kListenerId) {
        AcceptAll();
      } else if (e.data.u64 == kWakeId) {
        RunPosted();
      } else {
        OnSocket(e.data.u64, e.events);
      }
    }
    if (stopping_ && accepting) {
      ::close(listener_.fd);
      listener_.fd = -1;
      accepting = false;
    }
    FeedStreams(kFedInOneTurn);
    if (clock_.Monotonic() >= next_sweep_) Sweep();
  }
}

// After the workers have ended: answers not yet handed over, or not yet written, within the grace.
bool Server::Loop::AnswersPending() {
  RunPosted();
  if (events_pending_) feed_at_ = clock_.Monotonic();
  FeedStreams(connections_.size());
  if (clock_.Monotonic() >= close_by_) return false;
  for (const auto& [id, c] : connections_) {
    if (c->state == Connection::State::kWriting) return true;
  }
  return false;
}

void Server::Loop::OnSocket(uint64_t id, uint32_t events) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& c = *found->second;
  bool gone = (events & (EPOLLERR | EPOLLHUP)) != 0 && (events & EPOLLIN) == 0;
  if (gone || !Advance(c)) Close(id);
}

void Server::Loop::AcceptAll() {
  while (true) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    int fd = ::accept4(listener_.fd, reinterpret_cast<sockaddr*>(&address), &size,
                       SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
      if (connections_.empty()) return;
      EvictOne();
      continue;
    }
    if (fd < 0) return;
    // What it wants has mostly come with it.
    OnSocket(Admit(fd, AddressText(address)), EPOLLIN);
  }
}

uint64_t Server::Loop::Admit(int fd, std::string remote) {
  int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  while (connections_.size() >= options_.max_connections) EvictOne();
  std::unique_ptr<SSL, SslDelete> ssl;
  if (tls_) {
    ssl.reset(SSL_new(tls_.get()));
    SSL_set_fd(ssl.get(), fd);
  }
  uint64_t id = next_id_++;
  auto connection = std::make_unique<Connection>(fd, id, std::move(remote), std::move(ssl));
  connection->last_active = clock_.Monotonic();
  SetDeadline(*connection, options_.head_deadline);
  AddToEpoll(epoll_, fd, id, EPOLLIN);
  connection->interest = EPOLLIN;
  connections_.emplace(id, std::move(connection));
  ++accepted_;
  open_ = connections_.size();
  return id;
}

// The connection that has been silent for longest and is not being worked on makes room.
void Server::Loop::EvictOne() {
  uint64_t victim = connections_.begin()->first;
  auto oldest = std::chrono::nanoseconds::max();
  for (const auto& [id, c] : connections_) {
    bool busy =
        c->state == Connection::State::kWorking || c->state == Connection::State::kStreaming;
    if (!busy && c->last_active < oldest) {
      oldest = c->last_active;
      victim = id;
    }
  }
  ++evicted_;
  Close(victim);
}

void Server::Loop::SetInterest(Connection& c, uint32_t events) {
  if (c.interest == events) return;
  c.interest = events;
  epoll_event event{};
  event.events = events;
  event.data.u64 = c.id;
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, c.fd, &event);
}

void Server::Loop::Expect(Connection& c, Io io) {
  SetInterest(c, io == Io::kWantWrite ? EPOLLOUT : EPOLLIN);
}

void Server::Loop::SetDeadline(Connection& c, Duration after) {
  c.deadline = clock_.Monotonic() + after;
}

void Server::Loop::Close(uint64_t id) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  if (found->second->state == Connection::State::kStreaming) --streams_;
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, found->second->fd, nullptr);
  connections_.erase(found);
  open_ = connections_.size();
}

void Server::Loop::Sweep() {
  auto now = clock_.Monotonic();
  next_sweep_ = now + kSweepEvery;
  std::vector<uint64_t> late;
  for (auto& [id, c] : connections_) {
    AskAgain(*c, now);
    if (now < c->deadline || c->state == Connection::State::kWorking) continue;
    late.push_back(id);
  }
  for (uint64_t id : late) {
    Connection& c = *connections_.at(id);
    bool keep = false;
    if (c.state == Connection::State::kStreaming && c.out.empty()) {
      c.out = ": still here\n\n";
      keep = FeedStream(c);
    } else if ((c.state == Connection::State::kHead && !c.idle) ||
               c.state == Connection::State::kBody) {
      keep = Refuse(c, 408, "the request took too long to arrive");
    }
    if (!keep) Close(id);
  }
}

}  // namespace rollguard::http
