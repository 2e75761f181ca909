// SPDX-License-Identifier: Apache-2.0
// A conversation's requests follow one another on the HTTP client's thread; its flight remembers
// which exchange is under way, so that Cancel can stop that one and wait for a callback that is
// just starting the next.
#include "agent/probe/net_prober.h"

#include <mutex>
#include <unordered_map>

#include "agent/probe/conversation.h"
#include "agent/probe/socket_loop.h"

namespace rollguard::probe {
namespace {

struct Flight {
  ProbeId id = 0;
  std::unique_ptr<Conversation> conversation;  // null: a socket task
  ProbeDone done;
  std::chrono::nanoseconds began{0};
  Duration timeout{0};
  std::mutex mutex;  // guards what follows
  HttpId exchange = 0;
  TaskId task = 0;
  bool over = false;  // answered or cancelled
};
using FlightPtr = std::shared_ptr<Flight>;

}  // namespace

class NetProber::Impl {
 public:
  Impl(HttpClient& http, const Clock& clock) : http_(http), clock_(clock), sockets_(clock) {}

  ~Impl() {
    std::unordered_map<ProbeId, FlightPtr> flights;
    {
      std::lock_guard lock(mutex_);
      flights.swap(flights_);
    }
    for (auto& [id, flight] : flights) Stop(*flight);
  }

  ProbeId Probe(ProbeRequest request, ProbeDone done) {
    auto flight = std::make_shared<Flight>();
    flight->done = std::move(done);
    flight->began = clock_.Monotonic();
    flight->timeout = request.timeout;
    {
      std::lock_guard lock(mutex_);
      flight->id = ++last_id_;
      flights_.emplace(flight->id, flight);
    }
    ProbeId id = flight->id;
    std::visit([&](auto& what) { Begin(flight, std::move(what)); }, request.what);
    return id;
  }

  void Cancel(ProbeId id) {
    FlightPtr flight;
    {
      std::lock_guard lock(mutex_);
      auto found = flights_.find(id);
      if (found == flights_.end()) return;
      flight = found->second;
      flights_.erase(found);
    }
    Stop(*flight);
  }

 private:
  void Begin(const FlightPtr& flight, TcpProbe probe) {
    AddTask(flight, MakeTcpTask(std::move(probe)));
  }
  void Begin(const FlightPtr& flight, PostgresProbe probe) {
    AddTask(flight, MakePostgresTask(std::move(probe), flight->timeout));
  }
  void Begin(const FlightPtr& flight, HttpProbe probe) {
    Converse(flight, MakeHttpConversation(std::move(probe)));
  }
  void Begin(const FlightPtr& flight, GrpcProbe probe) {
    Converse(flight, MakeGrpcConversation(std::move(probe), flight->timeout));
  }
  void Begin(const FlightPtr& flight, JourneyProbe probe) {
    Converse(flight, MakeJourneyConversation(std::move(probe)));
  }

  void AddTask(const FlightPtr& flight, std::unique_ptr<SocketTask> task) {
    std::lock_guard lock(flight->mutex);
    flight->task =
        sockets_.Add(std::move(task), flight->timeout,
                     [this, flight](ProbeAnswer answer) { Finish(flight, std::move(answer)); });
  }

  void Converse(const FlightPtr& flight, std::unique_ptr<Conversation> conversation) {
    flight->conversation = std::move(conversation);
    Turn turn = flight->conversation->Begin();
    if (auto* answer = std::get_if<ProbeAnswer>(&turn)) {
      AddTask(flight, MakeAnswerTask(std::move(*answer)));  // never inside Probe
      return;
    }
    Send(flight, std::move(std::get<HttpRequest>(turn)));
  }

  Duration Elapsed(const Flight& flight) const {
    return std::chrono::duration_cast<Duration>(clock_.Monotonic() - flight.began);
  }

  void Send(const FlightPtr& flight, HttpRequest request) {
    Duration left = flight->timeout - Elapsed(*flight);
    request.timeout = std::max(left, Duration(1));
    request.connect_timeout = request.timeout;
    auto failure = std::make_shared<HttpFailure>(HttpFailure::kNone);
    request.failure = failure;
    HttpId exchange =
        http_.Send(std::move(request), [this, flight, failure](Expected<HttpResponse> response) {
          Hear(flight, std::move(response), *failure);
        });
    std::unique_lock lock(flight->mutex);
    // A later exchange may have begun before this line was reached; ids grow.
    flight->exchange = std::max(flight->exchange, exchange);
    bool over = flight->over;
    lock.unlock();
    if (over) http_.Cancel(exchange);
  }

  void Hear(const FlightPtr& flight, Expected<HttpResponse> response, HttpFailure failure) {
    {
      std::lock_guard lock(flight->mutex);
      if (flight->over) return;
    }
    Turn turn = flight->conversation->Hear(response, failure, Elapsed(*flight));
    if (auto* answer = std::get_if<ProbeAnswer>(&turn)) {
      Finish(flight, std::move(*answer));
    } else {
      Send(flight, std::move(std::get<HttpRequest>(turn)));
    }
  }

  void Finish(const FlightPtr& flight, ProbeAnswer answer) {
    {
      std::lock_guard lock(flight->mutex);
      if (flight->over) return;
      flight->over = true;
    }
    flight->done(std::move(answer));
    flight->done = nullptr;
    std::lock_guard lock(mutex_);
    flights_.erase(flight->id);
  }

  // Waits for a callback that is running, and stops what that one may have begun meanwhile.
  void Stop(Flight& flight) {
    HttpId stopped = 0;
    for (;;) {
      HttpId exchange = 0;
      TaskId task = 0;
      {
        std::lock_guard lock(flight.mutex);
        flight.over = true;
        exchange = flight.exchange;
        task = flight.task;
      }
      if (task != 0) sockets_.Cancel(task);
      if (exchange == stopped) return;
      http_.Cancel(exchange);
      stopped = exchange;
    }
  }

  HttpClient& http_;
  const Clock& clock_;
  std::mutex mutex_;
  ProbeId last_id_ = 0;
  std::unordered_map<ProbeId, FlightPtr> flights_;
  SocketLoop sockets_;  // last: its callbacks use what stands above
};

NetProber::NetProber(HttpClient& http, const Clock& clock)
    : impl_(std::make_unique<Impl>(http, clock)) {}
NetProber::~NetProber() = default;

ProbeId NetProber::Probe(ProbeRequest request, ProbeDone done) {
  return impl_->Probe(std::move(request), std::move(done));
}

void NetProber::Cancel(ProbeId id) { impl_->Cancel(id); }

}  // namespace rollguard::probe
