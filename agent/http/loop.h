// SPDX-License-Identifier: Apache-2.0
// The loop thread of the server: all state of all connections. Only Post, Publish and stats may be
// called from other threads.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "agent/http/connection.h"
#include "agent/http/event_hub.h"
#include "agent/http/listener.h"
#include "agent/http/server.h"
#include "agent/http/workers.h"

namespace rollguard::http {

class Server::Loop {
 public:
  Loop(ServerOptions options, const Router& router, const Clock& clock)
      : options_(std::move(options)), router_(router), clock_(clock) {}
  ~Loop();

  Status Start();
  void Stop(Duration grace);
  uint16_t port() const { return listener_.port; }
  uint64_t Publish(std::string type, std::string topic, std::string data);
  ServerStats stats() const;

 private:
  using Handle = std::unique_ptr<Connection>;

  void Run();
  void Wake() const;
  void Post(std::function<void()> job);
  void RunPosted();
  bool AnswersPending();
  void OnSocket(uint64_t id, uint32_t events);

  // Accepting.
  void AcceptAll();
  uint64_t Admit(int fd, std::string remote);
  void EvictOne();

  // One connection's way; each returns false when the connection must close.
  bool Advance(Connection& c);
  bool OnHandshake(Connection& c);
  bool OnHead(Connection& c);
  bool OnBody(Connection& c);
  bool OnWriting(Connection& c);
  bool OnDraining(Connection& c);
  bool Dispatch(Connection& c);
  void Finish(uint64_t id, Rendered rendered);
  bool BeginStream(Connection& c, EventSubscription subscription);
  bool FeedStream(Connection& c);
  void FeedStreams(size_t most);
  int Patience() const;  // milliseconds until there is something to do without being woken
  void AskAgain(Connection& c, std::chrono::nanoseconds now);
  bool Refuse(Connection& c, int status, std::string_view why);
  void NextRequest(Connection& c);

  void Expect(Connection& c, Io io);
  void SetInterest(Connection& c, uint32_t events);
  void SetDeadline(Connection& c, Duration after);
  void Close(uint64_t id);
  void Sweep();

  ServerOptions options_;
  const Router& router_;
  const Clock& clock_;
  Listener listener_;
  SslContext tls_;
  int epoll_ = -1;
  int wake_ = -1;
  std::thread thread_;
  std::unique_ptr<Workers> workers_;
  EventHub hub_;

  std::unordered_map<uint64_t, Handle> connections_;
  uint64_t next_id_ = 16;  // smaller numbers name the loop's own descriptors
  std::chrono::nanoseconds next_sweep_{0};
  static constexpr std::chrono::nanoseconds kNever = std::chrono::nanoseconds::max();
  std::chrono::nanoseconds feed_at_ = kNever;  // when events that wait are sent
  std::vector<uint64_t> to_feed_;              // streams still to be fed

  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
  std::chrono::nanoseconds close_by_{0};  // written before closing_ is set
  std::atomic<bool> stopping_{false};
  std::atomic<bool> closing_{false};
  std::atomic<bool> events_pending_{false};
  std::atomic<uint64_t> accepted_{0}, requests_{0}, refused_{0}, evicted_{0}, dropped_{0}, open_{0},
      streams_{0};
};

}  // namespace rollguard::http
