// SPDX-License-Identifier: Apache-2.0
// Alertmanager's webhook under load, on the real path: server, parsing, durable in SQLite, decided
// on, answered. 1,000 alerts a second for a minute while 500 idle connections are held open, then
// the same for a while under a slowloris of 1,000 connections. Goal: nothing lost, p99 <= 50 ms.
//
//   bench_intake [--seconds N] [--rate ALERTS_PER_SECOND] [--per-post N] [--json]
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "agent/app/intake.h"
#include "agent/base/text.h"
#include "agent/history/sql_history.h"
#include "agent/http/server.h"
#include "agent/sim/world.h"
#include "tests/bench/report.h"
#include "tests/support/process.h"
#include "tests/support/real_clock.h"

namespace rollguard {
namespace {

using std::chrono::steady_clock;

constexpr int kSenders = 8;

struct Plan {
  int seconds = 60;
  int rate = 1000;
  int per_post = 10;
  int idle = 500;
  int slow = 0;
};

struct Figures {
  std::vector<double> millis;
  size_t posts = 0, refused = 0, alerts = 0;
};

int Connect(uint16_t port) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd);
    return -1;
  }
  return fd;
}

std::string Post(int sender, int number, int per_post) {
  std::string body = R"({"version":"4","groupKey":"g","status":"firing","receiver":"r","alerts":[)";
  for (int i = 0; i < per_post; ++i) {
    body +=
        StrCat(i == 0 ? "" : ",", R"({"status":"firing","labels":{"alertname":"Load","sender":")",
               sender, R"(","post":")", number, R"(","n":")", i,
               R"(","namespace":"shop","severity":"critical"},"annotations":{"summary":)",
               R"("5.3 % of requests fail"},"startsAt":"2026-11-02T10:00:00Z","endsAt":)",
               R"("0001-01-01T00:00:00Z","generatorURL":"http://prometheus/graph"})");
  }
  body += "]}";
  return StrCat("POST /api/v1/alerts HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n",
                "Content-Type: application/json\r\nContent-Length: ", body.size(), "\r\n\r\n",
                body);
}

// Sends and reads the whole answer; its status, 0 when the connection broke.
int Exchange(int fd, const std::string& request) {
  if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size()))
    return 0;
  std::string answer;
  char piece[16384];
  while (true) {
    ssize_t got = ::recv(fd, piece, sizeof piece, 0);
    if (got <= 0) return 0;
    answer.append(piece, static_cast<size_t>(got));
    size_t head = answer.find("\r\n\r\n");
    if (head == std::string::npos) continue;
    size_t at = answer.find("Content-Length: ");
    if (at == std::string::npos || at > head) return 0;
    size_t length = static_cast<size_t>(std::atoll(answer.c_str() + at + 16));
    if (answer.size() >= head + 4 + length) break;
  }
  return std::atoi(answer.c_str() + 9);
}

// Refused posts are sent again, as Alertmanager does.
void SendAll(uint16_t port, int sender, const Plan& plan, Figures& out) {
  int fd = Connect(port);
  double gap = static_cast<double>(plan.per_post) * kSenders / plan.rate;
  int count = static_cast<int>(plan.seconds / gap);
  auto start = steady_clock::now();
  for (int i = 0; i < count; ++i) {
    auto due = start + std::chrono::duration_cast<steady_clock::duration>(
                           std::chrono::duration<double>(gap * i));
    std::this_thread::sleep_until(due);
    std::string request = Post(sender, i, plan.per_post);
    for (int attempt = 0; attempt < 50; ++attempt) {
      if (fd < 0) fd = Connect(port);
      auto sent = steady_clock::now();
      int status = Exchange(fd, request);
      out.millis.push_back(
          std::chrono::duration<double, std::milli>(steady_clock::now() - sent).count());
      ++out.posts;
      if (status == 200) {
        out.alerts += static_cast<size_t>(plan.per_post);
        break;
      }
      ++out.refused;
      if (status == 0) {
        ::close(fd);
        fd = -1;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }
  if (fd >= 0) ::close(fd);
}

// Connections that never finish their head: one byte now and then, opened again when they are shut.
void Slowloris(uint16_t port, int count, const std::atomic<bool>& stop, std::atomic<size_t>& shut) {
  std::vector<int> open(static_cast<size_t>(count), -1);
  while (!stop) {
    for (int& fd : open) {
      if (fd < 0) {
        fd = Connect(port);
        if (fd >= 0) (void)!::send(fd, "POST /api/v1/alerts HTTP/1.1\r\nX: ", 34, MSG_NOSIGNAL);
      } else if (::send(fd, "a", 1, MSG_NOSIGNAL) != 1) {
        ::close(fd);
        fd = -1;
        ++shut;
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  for (int fd : open) {
    if (fd >= 0) ::close(fd);
  }
}

double Percentile(std::vector<double> sorted, double share) {
  if (sorted.empty()) return 0;
  std::sort(sorted.begin(), sorted.end());
  return sorted[std::min(sorted.size() - 1,
                         static_cast<size_t>(share * static_cast<double>(sorted.size())))];
}

// The agent's side of the webhook, without guards.
struct Agent {
  testing::RealClock clock;
  testing::TempDir dir{"intake"};
  history::SqlHistory history{
      [path = dir.path() + "/history.db"] { return history::OpenSqlite(path); }, {}, clock};
  app::Loop loop{clock};
  sim::World world;
  std::unique_ptr<sim::SimCluster> cluster = world.Connect();
  app::AlertDesk desk{clock};
  std::unique_ptr<app::Controller> controller;
  app::Intake intake{loop, desk, history, clock};
  http::Router router;
  std::unique_ptr<http::Server> server;

  Agent() {
    app::ControllerPorts ports{.cluster = cluster.get(),
                               .timers = &loop,
                               .clock = &clock,
                               .executor = [](std::function<void()> fn) { fn(); }};
    controller = std::make_unique<app::Controller>(std::move(ports), app::ControllerParts{});
    desk.Attach(controller.get());
    router.Add("POST", "/api/v1/alerts", [this](const http::Request& request) {
      return intake.FromAlertmanager(request, "alertmanager");
    });
    server = std::make_unique<http::Server>(http::ServerOptions{.workers = 8}, router, clock);
  }

  bool Start() {
    if (!history.Start() || !server->Start()) return false;
    loop.Start();
    return true;
  }
};

struct Result {
  double p50 = 0, p99 = 0, max = 0;
  size_t sent = 0, kept = 0, refused = 0, idle_alive = 0, idle_shut = 0, shut = 0;
  double seconds = 0;
};

// Holds connections open that say nothing; the server shuts them after a while, and they come back.
void HoldIdle(uint16_t port, std::vector<int>& open, const std::atomic<bool>& stop,
              std::atomic<size_t>& shut) {
  while (!stop) {
    for (int& fd : open) {
      char byte = 0;
      bool closed = fd >= 0 && ::recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
      if (closed) {
        ::close(fd);
        fd = -1;
        ++shut;
      }
      if (fd < 0) fd = Connect(port);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
}

// How many answer as if nothing had happened.
size_t Answering(const std::vector<int>& idle) {
  size_t alive = 0;
  for (int fd : idle) {
    if (fd < 0) continue;
    if (Exchange(fd, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n") == 404) ++alive;
    ::close(fd);
  }
  return alive;
}

Result Play(const Plan& plan) {
  Agent agent;
  Result result;
  if (!agent.Start()) return result;
  std::vector<int> idle(static_cast<size_t>(plan.idle), -1);
  for (int& fd : idle) fd = Connect(agent.server->port());
  std::atomic<bool> stop{false};
  std::atomic<size_t> shut{0}, idle_shut{0};
  std::thread holder([&] { HoldIdle(agent.server->port(), idle, stop, idle_shut); });
  std::thread slow;
  if (plan.slow > 0)
    slow = std::thread([&] { Slowloris(agent.server->port(), plan.slow, stop, shut); });
  std::vector<Figures> figures(kSenders);
  std::vector<std::thread> senders;
  auto start = steady_clock::now();
  for (int i = 0; i < kSenders; ++i) {
    senders.emplace_back(
        [&, i] { SendAll(agent.server->port(), i, plan, figures[static_cast<size_t>(i)]); });
  }
  for (std::thread& sender : senders) sender.join();
  result.seconds = std::chrono::duration<double>(steady_clock::now() - start).count();
  stop = true;
  holder.join();
  if (slow.joinable()) slow.join();
  std::vector<double> all;
  for (const Figures& f : figures) {
    all.insert(all.end(), f.millis.begin(), f.millis.end());
    result.sent += f.alerts;
    result.refused += f.refused;
  }
  result.p50 = Percentile(all, 0.5);
  result.p99 = Percentile(all, 0.99);
  result.max = Percentile(all, 1);
  result.shut = shut;
  result.idle_shut = idle_shut;
  result.idle_alive = Answering(idle);
  (void)agent.history.Flush(std::chrono::seconds(30));
  auto kept = agent.history.Find({.kind = "alert", .limit = 10'000'000});
  result.kept = kept ? kept->size() : 0;
  agent.loop.Stop();
  return result;
}

void Print(const char* name, const Plan& plan, const Result& r, bool json) {
  if (json) {
    std::puts(Json::Obj({{"name", name},
                         {"alertsPerSecond", static_cast<double>(r.sent) / r.seconds},
                         {"sent", r.sent},
                         {"kept", r.kept},
                         {"refused", r.refused},
                         {"p50ms", r.p50},
                         {"p99ms", r.p99},
                         {"maxms", r.max}})
                  .Dump()
                  .c_str());
    return;
  }
  std::printf(
      "%-34s %7.0f alerts/s in posts of %d: sent %zu, kept %zu, refused and sent again %zu\n", name,
      static_cast<double>(r.sent) / r.seconds, plan.per_post, r.sent, r.kept, r.refused);
  std::printf(
      "%-34s p50 %.1f ms, p99 %.1f ms, max %.1f ms; idle connections answering %zu of %d (shut %zu "
      "times)",
      "", r.p50, r.p99, r.max, r.idle_alive, plan.idle, r.idle_shut);
  if (plan.slow > 0) std::printf("; slow ones shut %zu times", r.shut);
  std::puts("");
}

int Run(int argc, char** argv) {
  Plan plan;
  bool json = false;
  for (int i = 1; i < argc; ++i) {
    auto number = [&] { return i + 1 < argc ? std::atoi(argv[++i]) : 0; };
    if (std::strcmp(argv[i], "--seconds") == 0)
      plan.seconds = number();
    else if (std::strcmp(argv[i], "--rate") == 0)
      plan.rate = number();
    else if (std::strcmp(argv[i], "--per-post") == 0)
      plan.per_post = std::max(1, number());
    else if (std::strcmp(argv[i], "--json") == 0)
      json = true;
  }
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  Result held = Play(plan);
  Print("500 idle connections held", plan, held, json);
  Plan slow = plan;
  slow.slow = 1000;
  slow.seconds = std::max(5, plan.seconds / 3);
  Result attacked = Play(slow);
  Print("and a slowloris of 1,000", slow, attacked, json);
  bool lost = held.kept != held.sent || attacked.kept != attacked.sent || held.sent == 0;
  bool late = held.p99 > 50 || attacked.p99 > 50;
  bench::Report report("intake", 0, nullptr);
  report.Add({.name = "webhook p99, 500 idle connections held",
              .value = held.p99,
              .unit = "ms",
              .at_most = 50,
              .at_least = {},
              .floor = {},
              .floor_is = {}});
  report.Add({.name = "alerts lost",
              .value = static_cast<double>(held.sent) - static_cast<double>(held.kept),
              .unit = "",
              .at_most = 0,
              .at_least = {},
              .floor = {},
              .floor_is = {}});
  (void)report.Finish();
  if (lost) std::puts("LOST alerts");
  if (late) std::puts("the goal of p99 <= 50 ms is missed");
  return lost || late ? 1 : 0;
}

}  // namespace
}  // namespace rollguard

int main(int argc, char** argv) { return rollguard::Run(argc, argv); }
