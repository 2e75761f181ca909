// SPDX-License-Identifier: Apache-2.0
// One lock around the world. Request threads take it for the time of one answer; a ticking thread
// takes it every few milliseconds to let virtual time catch up with the clock. A watch is a queue
// of lines that commits fill and its connection's thread drains.
#include "agent/cli/sim_server.h"

#include <httplib.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "agent/base/text.h"
#include "agent/cli/sim_prometheus.h"
#include "agent/sim/api_http.h"

namespace rollguard::cli {
namespace {

constexpr size_t kThreads = 160;  // every open watch holds one
constexpr size_t kMaxQueued = 64U << 20;

struct Lines {
  std::mutex mutex;
  std::condition_variable ready;
  std::string text;
  bool closed = false;

  void Push(const std::string& line) {
    std::lock_guard lock(mutex);
    if (text.size() + line.size() > kMaxQueued) closed = true;  // a reader that stopped reading
    if (!closed) text += line;
    ready.notify_one();
  }
  void Close() {
    std::lock_guard lock(mutex);
    closed = true;
    ready.notify_one();
  }
};

sim::ApiHttpRequest Convert(const httplib::Request& r) {
  sim::ApiHttpRequest out;
  out.method = r.method;
  out.path = r.path;
  for (const auto& [key, value] : r.params) out.query.emplace(key, value);
  out.accept = r.get_header_value("Accept");
  out.content_type = r.get_header_value("Content-Type");
  out.user_agent = r.get_header_value("User-Agent");
  out.body = r.body;
  return out;
}

}  // namespace

struct SimServer::Impl {
  Impl(sim::World& w, const Clock& c, SimServerOptions o)
      : world(w),
        clock(c),
        options(std::move(o)),
        http(w.api()),
        metrics(w.scheduler()),
        wall_start(c.Monotonic()),
        virtual_start(w.scheduler().Now()) {}

  // With the lock held: lets everything happen that is due by now.
  void CatchUp() {
    double passed =
        std::chrono::duration<double, std::milli>(clock.Monotonic() - wall_start).count();
    world.scheduler().RunUntil(virtual_start +
                               Duration(static_cast<int64_t>(passed * options.speed)));
  }

  void Answer(const httplib::Request& request, httplib::Response& response);
  void Watch(const sim::ApiHttpRequest& request, httplib::Response& response);
  void Tick();

  sim::World& world;
  const Clock& clock;
  SimServerOptions options;
  sim::ApiHttp http;
  SimPrometheus metrics;
  std::chrono::nanoseconds wall_start;
  Time virtual_start;
  std::mutex mutex;
  std::condition_variable stopping;
  std::atomic<bool> stopped{false};
  httplib::Server server;
};

void SimServer::Impl::Tick() {
  std::unique_lock lock(mutex);
  int rounds = 0;
  while (!stopped) {
    CatchUp();
    if (++rounds % 2000 == 0) world.api().SendBookmarks();
    stopping.wait_for(lock, std::chrono::milliseconds(5));
  }
}

void SimServer::Impl::Watch(const sim::ApiHttpRequest& request, httplib::Response& response) {
  auto lines = std::make_shared<Lines>();
  WatchId id = http.OpenStream(request, [lines](const std::string& line) { lines->Push(line); });
  if (id == 0) lines->Close();
  auto timeout = request.query.find("timeoutSeconds");
  int64_t seconds = timeout != request.query.end() ? ParseInt(timeout->second).value_or(0) : 0;
  auto end = clock.Monotonic() + std::chrono::seconds(seconds > 0 ? seconds : 3600);
  // Not plain "application/json": httplib would gzip that, and hold events back until a block is
  // full.
  response.set_chunked_content_provider(
      "application/json;stream=watch",
      [this, id, lines, end, marked = false](size_t, httplib::DataSink& sink) mutable {
        // As the real server: a bookmark two seconds before a watch runs out.
        if (!marked && clock.Monotonic() >= end - std::chrono::seconds(2)) {
          std::lock_guard world_lock(mutex);
          world.api().SendBookmark(id);
          marked = true;
        }
        std::unique_lock lock(lines->mutex);
        if (lines->text.empty() && !lines->closed)
          lines->ready.wait_for(lock, std::chrono::milliseconds(200));
        std::string text = std::exchange(lines->text, {});
        bool over = lines->closed || stopped || clock.Monotonic() >= end;
        lock.unlock();
        if (!text.empty() && !sink.write(text.data(), text.size())) return false;
        if (over) sink.done();
        return sink.is_writable();
      },
      [this, id](bool) {
        std::lock_guard lock(mutex);
        if (id != 0) http.CloseStream(id);
      });
}

void SimServer::Impl::Answer(const httplib::Request& request, httplib::Response& response) {
  sim::ApiHttpRequest converted = Convert(request);
  std::lock_guard lock(mutex);
  CatchUp();
  if (converted.path == "/metrics")
    return response.set_content(metrics.Page(), "text/plain; version=0.0.4");
  if (SimPrometheus::Serves(converted.path)) {
    auto param = [&request](const char* name) { return request.get_param_value(name); };
    SimPrometheus::Answer answer = metrics.Ask(converted.path, param);
    response.status = answer.status;
    return response.set_content(answer.body, "application/json");
  }
  sim::ApiHttpResponse answer = http.Handle(converted);
  response.status = answer.status;
  if (answer.watch) return Watch(converted, response);
  response.set_content(answer.body, answer.content_type.c_str());
}

SimServer::SimServer(sim::World& world, const Clock& clock, SimServerOptions options)
    : impl_(std::make_unique<Impl>(world, clock, std::move(options))) {
  impl_->server.new_task_queue = [] {
    return new httplib::ThreadPool(kThreads);
  };  // httplib deletes it
  impl_->server.set_tcp_nodelay(true);
  impl_->server.set_keep_alive_max_count(1'000'000);
  impl_->server.set_keep_alive_timeout(2);
  auto handler = [this](const httplib::Request& request, httplib::Response& response) {
    impl_->Answer(request, response);
  };
  impl_->server.Get(".*", handler)
      .Post(".*", handler)
      .Put(".*", handler)
      .Patch(".*", handler)
      .Delete(".*", handler);
  world.traffic().SetSink(&impl_->metrics);
  world.traffic().Start();
}

SimServer::~SimServer() {
  Stop();
  impl_->world.traffic().SetSink(nullptr);
}

Expected<int> SimServer::Bind() {
  SimServerOptions& o = impl_->options;
  int port = o.port;
  bool ok = port == 0 ? (port = impl_->server.bind_to_any_port(o.host.c_str())) > 0
                      : impl_->server.bind_to_port(o.host.c_str(), port);
  if (!ok)
    return Error(ErrorCode::kUnavailable,
                 StrCat("cannot listen on ", o.host, ":", o.port, ": is the port taken?"));
  return port;
}

void SimServer::Serve() {
  std::thread ticker([this] { impl_->Tick(); });
  if (!impl_->stopped) impl_->server.listen_after_bind();
  ticker.join();
}

void SimServer::Stop() {
  if (impl_->stopped.exchange(true)) return;
  impl_->stopping.notify_all();
  impl_->server.stop();
}

}  // namespace rollguard::cli
