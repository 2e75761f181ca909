// SPDX-License-Identifier: Apache-2.0
#include "agent/app/on_loop.h"

namespace rollguard::app {
namespace {

// std::function copies its target: results travel behind a shared pointer.
template <class T, class Done>
auto Posting(Loop& loop, Done done, Turn turn = Turn::kInOrder) {
  return [&loop, done = std::move(done), turn](T value) {
    auto held = std::make_shared<T>(std::move(value));
    loop.Post([done, held] { done(std::move(*held)); }, turn);
  };
}

}  // namespace

void ClusterOnLoop::Call(ClusterRequest request, ClusterDone done) {
  const Turn turn = request.urgent ? Turn::kAtOnce : Turn::kInOrder;
  inner_.Call(std::move(request), Posting<Expected<Json>>(loop_, std::move(done), turn));
}

WatchId ClusterOnLoop::Watch(WatchRequest request, WatchHandler handler) {
  auto open = std::make_shared<bool>(true);
  WatchHandler posting;
  posting.event = [this, open, event = std::move(handler.event)](WatchEvent e) {
    auto held = std::make_shared<WatchEvent>(std::move(e));
    loop_.Post([open, event, held] {
      if (*open) event(std::move(*held));
    });
  };
  posting.closed = [this, open, closed = std::move(handler.closed)](const Status& status) {
    loop_.Post([open, closed, status] {
      if (*open) closed(status);
    });
  };
  WatchId id = inner_.Watch(std::move(request), std::move(posting));
  open_[id] = std::move(open);
  return id;
}

void ClusterOnLoop::CancelWatch(WatchId id) {
  auto found = open_.find(id);
  if (found == open_.end()) return;
  *found->second = false;
  open_.erase(found);
  inner_.CancelWatch(id);
}

HttpId HttpOnLoop::Send(HttpRequest request, HttpDone done) {
  return inner_.Send(std::move(request), Posting<Expected<HttpResponse>>(loop_, std::move(done)));
}

HttpId HttpOnLoop::Stream(HttpRequest request, HttpStream stream) {
  stream.data = [this, data = std::move(stream.data)](std::string_view bytes) {
    loop_.Post([data, copy = std::string(bytes)] { data(copy); });
  };
  stream.done = Posting<Expected<HttpResponse>>(loop_, std::move(stream.done));
  return inner_.Stream(std::move(request), std::move(stream));
}

MetricDone MetricsOnLoop::Carry(MetricDone done) {
  return Posting<Expected<MetricAnswer>>(loop_, std::move(done));
}

void MetricsOnLoop::Query(MetricQuery query, MetricDone done) {
  inner_.Query(std::move(query), Carry(std::move(done)));
}

void MetricsOnLoop::Ask(Round round) {
  for (auto& [query, done] : round) done = Carry(std::move(done));
  inner_.Ask(std::move(round));
}

ProbeId ProberOnLoop::Probe(ProbeRequest request, ProbeDone done) {
  return inner_.Probe(std::move(request), Posting<ProbeAnswer>(loop_, std::move(done)));
}

}  // namespace rollguard::app
