// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/cluster_server.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "agent/base/text.h"
#include "agent/sim/api_http.h"
#include "agent/sim/world.h"
#include "tests/support/agent_process.h"
#include "tests/support/real_clock.h"
#include "tests/support/tiny_server.h"

namespace rollguard::bench {
namespace {

constexpr Duration kSettle = std::chrono::minutes(5);
constexpr Duration kStride = std::chrono::milliseconds(2);
// Some five minutes of them, as a real server's store keeps; fewer, and the pages of a long list
// expire while tens of thousands of objects change.
constexpr size_t kHistory = 300'000;
constexpr Duration kMoment = std::chrono::milliseconds(5);

sim::ApiHttpRequest Convert(const testing::TinyRequest& request) {
  sim::ApiHttpRequest out;
  out.method = request.method;
  out.path = testing::PercentDecode(request.Path());
  if (size_t mark = request.target.find('?'); mark != std::string::npos) {
    for (std::string_view pair : Split(std::string_view(request.target).substr(mark + 1), '&')) {
      size_t equals = pair.find('=');
      out.query[testing::PercentDecode(pair.substr(0, equals))] =
          equals == std::string_view::npos ? "" : testing::PercentDecode(pair.substr(equals + 1));
    }
  }
  out.accept = request.Header("accept");
  out.content_type = request.Header("content-type");
  out.user_agent = request.Header("user-agent");
  out.body = request.body;
  return out;
}

struct Lines {
  std::mutex mutex;
  std::condition_variable ready;
  std::string text;
};

sim::WorldOptions Options() {
  sim::WorldOptions options;
  options.start = testing::RealClock().Now() - kSettle;
  options.history = kHistory;
  return options;
}

// The child's side. One lock around the world, as in `rollguard sim`.
class Server {
 public:
  explicit Server(const std::vector<Json>& objects) : world_(Options()), http_(world_.api()) {
    for (const Json& object : objects) {
      if (Status s = world_.Load(object); !s) {
        std::fprintf(stderr, "cluster server: %s\n", s.error().message.c_str());
        std::_Exit(1);
      }
    }
    world_.scheduler().RunFor(kSettle);
    begun_ = clock_.Monotonic();
    virtual_begin_ = world_.scheduler().Now();
  }

  void Handle(const testing::TinyRequest& request, testing::TinyConnection& connection) {
    const double arrived = Monotonic();
    const std::string path = request.Path();
    if (request.Header("connection") == "close") connection.Close();  // once it is answered
    if (path.starts_with("/bench/")) {
      connection.Respond(200, Control(path, request));
      return;
    }
    ++requests_;
    sim::ApiHttpRequest converted = Convert(request);
    sim::ApiHttpResponse answer;
    {
      std::lock_guard lock(mutex_);
      if (!behind_) CatchUp();
      answer = http_.Handle(converted);
    }
    if (answer.watch) {
      Watch(converted, connection);
      return;
    }
    // Sending it is the loopback's, waiting for locks nobody's.
    const double answered = Monotonic();
    connection.Respond(answer.status, answer.body, {{"Content-Type", answer.content_type}});
    if (request.method == "GET" || path.find("/events") != std::string::npos) return;
    std::lock_guard lock(mutex_);
    writes_.push_back({request.method, path, arrived, answered});
  }

  void Tick() {
    for (;;) {
      bool behind = false;
      {
        std::lock_guard lock(mutex_);
        behind = !CatchUp();
      }
      behind_ = behind;
      ::usleep(behind ? 500 : 5'000);
    }
  }

 private:
  // For a moment at most: with tens of thousands of objects that all change the world's time falls
  // behind the real one, and those who ask do not wait for it.
  bool CatchUp() {
    const auto now = clock_.Monotonic();
    const Time until = virtual_begin_ + std::chrono::duration_cast<Duration>(now - begun_);
    sim::Scheduler& scheduler = world_.scheduler();
    while (scheduler.Now() < until && clock_.Monotonic() - now < kMoment)
      scheduler.RunUntil(std::min(until, scheduler.Now() + kStride));
    return scheduler.Now() >= until;
  }

  void Watch(const sim::ApiHttpRequest& request, testing::TinyConnection& connection) {
    auto lines = std::make_shared<Lines>();
    WatchId id = 0;
    {
      std::lock_guard lock(mutex_);
      id = http_.OpenStream(request, [lines](const std::string& line) {
        std::lock_guard inner(lines->mutex);
        lines->text += line;
        lines->ready.notify_one();
      });
    }
    bool open = connection.StartChunked(200, {{"Content-Type", "application/json"}});
    while (open) {
      std::unique_lock lock(lines->mutex);
      if (lines->text.empty() && id != 0) lines->ready.wait(lock);
      std::string text = std::exchange(lines->text, {});
      lock.unlock();
      if (!text.empty()) open = connection.Chunk(text);
      if (id == 0) break;
    }
    connection.Close();
    std::lock_guard lock(mutex_);
    if (id != 0) http_.CloseStream(id);
  }

  std::string Control(const std::string& path, const testing::TinyRequest& request) {
    std::lock_guard lock(mutex_);
    if (path == "/bench/image") return SetImage(request);
    if (path == "/bench/phases") return Phases();
    if (path == "/bench/pods") return Pods();
    if (path == "/bench/writes") return Writes(request);
    return Json::Obj({{"requests", requests_.load()}}).Dump();
  }

  std::string SetImage(const testing::TinyRequest& request) {
    const auto from = ParseInt(request.Query("from")).value_or(0);
    const auto to = ParseInt(request.Query("to")).value_or(0);
    const int type = world_.api().TypeId("apps", "deployments");
    for (int64_t i = from; i < to; ++i) {
      world_.api().Update({type, StrCat("team-", i / 50), StrCat("svc-", i)}, [&](Json& object) {
        Json& containers = object["spec"]["template"]["spec"]["containers"];
        Json container = containers.At(size_t{0});
        container.Set("image", request.Query("image"));
        containers = Json::Arr();
        containers.Push(std::move(container));
        Json& metadata = object["metadata"];
        metadata.Set("generation", metadata.At("generation").IntOr(0) + 1);
      });
    }
    return "{}";
  }

  // Taken over for good: a change of the template no longer rolls out by itself.
  bool Held(const Json& guard) {
    const Json& metadata = guard.At("metadata");
    const auto target = world_.api().Get("apps", "deployments", metadata.At("namespace").Str(),
                                         guard.At("spec", "target", "name").Str());
    return target != nullptr && target->At("spec", "paused").BoolOr(false);
  }

  std::string Phases() {
    std::map<std::string, int64_t> count;
    for (const auto& guard : world_.api().List("rollguard.dev", "guards")) {
      const Json& status = guard->At("status");
      std::string phase = status.At("phase").Str();
      if (status.At("release", "weight").IntOr(0) == 20 && phase == "Progressing")
        phase = "Waiting";
      if (phase == "Idle" && !Held(*guard)) phase = "Unheld";
      ++count[phase];
    }
    Json out = Json::Obj();
    for (const auto& [phase, n] : count) out.Set(phase, n);
    return out.Dump();
  }

  std::string Pods() {
    Json out = Json::Arr();
    for (const auto& pod : world_.api().List("", "pods")) {
      if (pod->At("status", "phase").Str() != "Running") continue;
      out.Push(pod->At("metadata", "namespace").Str()).Push(pod->At("metadata", "name").Str());
    }
    return out.Dump();
  }

  std::string Writes(const testing::TinyRequest& request) {
    auto from = static_cast<size_t>(ParseInt(request.Query("from")).value_or(0));
    Json out = Json::Arr();
    for (size_t i = from; i < writes_.size(); ++i) {
      const ApiWrite& w = writes_[i];
      out.Push(w.method).Push(w.path).Push(w.arrived).Push(w.answered);
    }
    return out.Dump();
  }

  testing::RealClock clock_;
  sim::World world_;
  sim::ApiHttp http_;
  std::mutex mutex_;
  std::chrono::nanoseconds begun_{0};
  Time virtual_begin_{};
  std::vector<ApiWrite> writes_;
  std::atomic<int64_t> requests_{0};
  std::atomic<bool> behind_{false};
};

[[noreturn]] void Serve(const std::function<std::vector<Json>()>& objects, int port_pipe) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  Server server(objects());
  testing::TinyServer http([&](const testing::TinyRequest& request, testing::TinyConnection& c) {
    server.Handle(request, c);
  });
  const int port = http.port();
  if (::write(port_pipe, &port, sizeof port) != sizeof port) std::_Exit(1);
  server.Tick();
  std::_Exit(0);
}

}  // namespace

double Monotonic() {
  return std::chrono::duration<double>(testing::RealClock().Monotonic()).count();
}

ClusterServer::ClusterServer(const std::function<std::vector<Json>()>& objects) {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  std::fflush(stdout);
  pid_ = ::fork();
  if (pid_ == 0) Serve(objects, ends[1]);
  ::close(ends[1]);
  if (::read(ends[0], &port_, sizeof port_) != sizeof port_) {
    std::fprintf(stderr, "the cluster server did not start\n");
    std::exit(1);
  }
  ::close(ends[0]);
}

ClusterServer::~ClusterServer() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::string ClusterServer::Kubeconfig() const {
  return StrCat(
      R"({"apiVersion":"v1","kind":"Config","current-context":"b","clusters":[{"name":"b",)",
      R"("cluster":{"server":"http://127.0.0.1:)", port_,
      R"("}}],"users":[{"name":"b","user":{}}],"contexts":[{"name":"b","context":)",
      R"({"cluster":"b","user":"b"}}]})");
}

Json ClusterServer::Ask(const std::string& path) {
  auto answer = ParseJson(testing::Ask(port_, "GET", path).body);
  if (answer) return std::move(*answer);
  std::fprintf(stderr, "the cluster server did not answer %s\n", path.c_str());
  std::exit(1);
}

void ClusterServer::SetImage(int from, int to, const std::string& image) {
  Ask(StrCat("/bench/image?from=", from, "&to=", to, "&image=", image));
}

std::map<std::string, int> ClusterServer::Phases() {
  std::map<std::string, int> out;
  const Json answer = Ask("/bench/phases");
  for (const auto& [phase, n] : answer.members()) out[phase] = static_cast<int>(n.IntOr(0));
  return out;
}

std::vector<std::pair<std::string, std::string>> ClusterServer::Pods() {
  std::vector<std::pair<std::string, std::string>> out;
  const Json answer = Ask("/bench/pods");
  for (size_t i = 0; i + 1 < answer.size(); i += 2)
    out.emplace_back(answer.At(i).Str(), answer.At(i + 1).Str());
  return out;
}

std::vector<ApiWrite> ClusterServer::Writes(size_t from) {
  std::vector<ApiWrite> out;
  const Json answer = Ask(StrCat("/bench/writes?from=", from));
  for (size_t i = 0; i + 3 < answer.size(); i += 4) {
    out.push_back({answer.At(i).Str(), answer.At(i + 1).Str(), answer.At(i + 2).DoubleOr(0),
                   answer.At(i + 3).DoubleOr(0)});
  }
  return out;
}

int64_t ClusterServer::Requests() { return Ask("/bench/requests").At("requests").IntOr(0); }

}  // namespace rollguard::bench
