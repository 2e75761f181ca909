// SPDX-License-Identifier: Apache-2.0
// One connection's way through the loop: handshake -> head -> body -> working -> writing -> head
// ... or -> streaming. Each step returns false when the connection must be closed.
#include <sys/epoll.h>

#include <algorithm>

#include "agent/base/text.h"
#include "agent/http/loop.h"

namespace rollguard::http {
namespace {

constexpr Duration kDrainTime = std::chrono::seconds(2);
constexpr size_t kDrainChunk = 64 << 10;

}  // namespace

bool Server::Loop::Advance(Connection& c) {
  c.last_active = clock_.Monotonic();
  switch (c.state) {
    case Connection::State::kHandshake: return OnHandshake(c);
    case Connection::State::kHead: return OnHead(c);
    case Connection::State::kBody: return OnBody(c);
    case Connection::State::kWriting: return OnWriting(c);
    case Connection::State::kStreaming: {
      if (c.Read(1 << 10) == Io::kClosed) return false;
      c.in.clear();  // a stream's client has nothing more to say
      return FeedStream(c);
    }
    case Connection::State::kDraining: return OnDraining(c);
    case Connection::State::kWorking: return true;
  }
  return false;
}

bool Server::Loop::OnHandshake(Connection& c) {
  Io io = c.Handshake();
  if (io == Io::kClosed) return false;
  if (io != Io::kDone) {
    Expect(c, io);
    return true;
  }
  c.state = Connection::State::kHead;
  return OnHead(c);
}

bool Server::Loop::OnHead(Connection& c) {
  Io io = c.Read(options_.limits.max_bytes + 4);
  if (c.in.empty()) {
    Expect(c, io);
    return io != Io::kClosed;
  }
  if (c.idle) {
    c.idle = false;
    SetDeadline(c, options_.head_deadline);
  }
  size_t end = FindHeadEnd(c.in);
  if (end == 0) {
    if (c.in.size() > options_.limits.max_bytes)
      return Refuse(c, 431, "the request head is too large");
    Expect(c, io);
    return io != Io::kClosed;
  }
  c.head = ParseHead(std::string_view(c.in).substr(0, end), options_.limits);
  if (c.head.refuse != 0) return Refuse(c, c.head.refuse, c.head.why);
  c.in.erase(0, end);
  c.state = Connection::State::kBody;
  SetDeadline(c, options_.body_deadline);
  if (c.head.expects_continue && c.in.size() < c.head.content_length) {
    c.out = "HTTP/1.1 100 Continue\r\n\r\n";
    if (c.Write() == Io::kClosed) return false;
  }
  return OnBody(c);
}

bool Server::Loop::OnBody(Connection& c) {
  size_t length = c.head.content_length;
  if (c.in.size() < length) {
    Io io = c.Read(length);
    if (c.in.size() < length) {
      Expect(c, io);
      return io != Io::kClosed;
    }
  }
  c.head.request.body = c.in.substr(0, length);
  c.in.erase(0, length);
  return Dispatch(c);
}

bool Server::Loop::Dispatch(Connection& c) {
  if (stopping_) return Refuse(c, 503, "the agent is stopping; try another replica");
  c.state = Connection::State::kWorking;
  SetInterest(c, 0);
  Request request = std::move(c.head.request);
  request.remote_address = c.remote;
  request.peer_identity = c.PeerIdentity();
  bool keep_alive = c.head.keep_alive;
  c.close_after_write = !keep_alive;
  const bool urgent = request.method == "POST" && !options_.urgent.empty() &&
                      request.target.starts_with(options_.urgent);
  bool accepted = workers_->Offer(
      [this, id = c.id, keep_alive, request = std::move(request)]() mutable {
        auto rendered = std::make_shared<Rendered>(router_.Render(std::move(request), keep_alive));
        Post([this, id, rendered] { Finish(id, std::move(*rendered)); });
      },
      urgent);
  if (accepted) {
    ++requests_;
    return true;
  }
  return Refuse(c, 503, "too many requests are waiting; try again in a second");
}

void Server::Loop::Finish(uint64_t id, Rendered rendered) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& c = *found->second;
  if (rendered.subscription) {
    if (!BeginStream(c, std::move(*rendered.subscription))) Close(id);
    return;
  }
  c.out = std::move(rendered.bytes);
  c.state = Connection::State::kWriting;
  SetDeadline(c, options_.write_deadline);
  if (!OnWriting(c)) Close(id);
}

bool Server::Loop::OnWriting(Connection& c) {
  Io io = c.Write();
  if (io == Io::kClosed) return false;
  if (io != Io::kDone) {
    Expect(c, io);
    return true;
  }
  if (c.drain_before_close) {
    c.ShutdownWrite();
    c.state = Connection::State::kDraining;
    SetDeadline(c, kDrainTime);
    SetInterest(c, EPOLLIN);
    return OnDraining(c);
  }
  if (c.close_after_write || stopping_) return false;
  NextRequest(c);
  return c.in.empty() ? true : OnHead(c);
}

// Closing with unread bytes in the socket would reset the connection and take the answer with it.
bool Server::Loop::OnDraining(Connection& c) {
  c.in.clear();
  return c.Read(kDrainChunk) != Io::kClosed;
}

void Server::Loop::NextRequest(Connection& c) {
  c.state = Connection::State::kHead;
  c.idle = c.in.empty();
  c.out.shrink_to_fit();
  SetInterest(c, EPOLLIN);
  SetDeadline(c, c.idle ? options_.idle_timeout : options_.head_deadline);
}

bool Server::Loop::BeginStream(Connection& c, EventSubscription subscription) {
  c.state = Connection::State::kStreaming;
  ++streams_;
  c.wants = std::move(subscription.wants);
  c.sent_id = subscription.after_id;
  if (subscription.still_allowed) {
    c.still_allowed =
        std::make_shared<const std::function<bool()>>(std::move(subscription.still_allowed));
    c.ask_again = subscription.ask_again;
    c.ask_at = clock_.Monotonic() + c.ask_again;
  }
  c.out =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\nretry: 2000\n\n";
  if (c.sent_id == 0) c.sent_id = hub_.last_id();
  return FeedStream(c);
}

// A client that resumes from before what is still held, or has an event of another agent's, must load
// the whole picture again; so must one that fell behind.
bool Server::Loop::FeedStream(Connection& c) {
  if (hub_.HasGap(c.sent_id)) {
    c.out += "event: gap\ndata: {}\n\n";
    c.sent_id = std::min(c.sent_id, hub_.last_id());
  }
  for (const auto& event : hub_.After(c.sent_id)) {
    c.sent_id = event->id;
    if (!c.wants || c.wants(*event)) c.out += ToWire(*event);
  }
  Io io = c.Write();
  if (io == Io::kClosed) return false;
  if (c.out.size() > options_.max_stream_buffer) {
    ++dropped_;
    return false;
  }
  SetDeadline(c, c.out.empty() ? options_.heartbeat : options_.write_deadline);
  SetInterest(c, c.out.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
  return true;
}

// When every worker is busy the question is put at the next sweep.
void Server::Loop::AskAgain(Connection& c, std::chrono::nanoseconds now) {
  if (c.state != Connection::State::kStreaming || !c.still_allowed || now < c.ask_at) return;
  bool offered = workers_->Offer([this, id = c.id, ask = c.still_allowed] {
    if (!(*ask)()) Post([this, id] { Close(id); });
  });
  if (offered) c.ask_at = now + c.ask_again;
}

// Answers without the router and closes; what the client still sends is not read.
bool Server::Loop::Refuse(Connection& c, int status, std::string_view why) {
  ++refused_;
  Response problem = Problem(status, why);
  c.out = StrCat(
      "HTTP/1.1 ", status, " ", StatusText(status), "\r\nContent-Type: ", problem.content_type,
      "\r\nContent-Length: ", problem.body.size(), status == 503 ? "\r\nRetry-After: 1" : "",
      "\r\nConnection: close\r\n\r\n", problem.body);
  c.state = Connection::State::kWriting;
  c.drain_before_close = true;
  SetDeadline(c, options_.write_deadline);
  return OnWriting(c);
}

}  // namespace rollguard::http
