// SPDX-License-Identifier: Apache-2.0
// What 300 open pages cost the deciding thread: the time it spends telling a decision to the event
// stream, and how long it takes to answer a question meanwhile. Every stream's bytes are read and
// counted, so that nothing is measured that did not arrive.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>

#include "agent/base/text.h"
#include "agent/http/server.h"
#include "tests/api/api_world.h"
#include "tests/bench/report.h"

namespace rollguard {
namespace {

constexpr int kDecisions = 500;
constexpr std::chrono::milliseconds kPause{20};  // 50 decisions a second: a fleet in trouble

int Connect(uint16_t port) {
  int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return -1;
  std::string_view ask =
      "GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sre-token\r\n\r\n";
  (void)!::write(fd, ask.data(), ask.size());
  return fd;
}

// Open pages: sockets that one thread drains, counting events.
class Pages {
 public:
  Pages(uint16_t port, int count) {
    for (int i = 0; i < count; ++i) polls_.push_back({Connect(port), POLLIN, 0});
    reader_ = std::thread([this] { Read(); });
  }
  ~Pages() {
    stop_ = true;
    reader_.join();
    for (pollfd& p : polls_) ::close(p.fd);
  }
  uint64_t events() const { return events_; }

 private:
  void Read() {
    std::string buffer(64 << 10, '\0');
    while (!stop_) {
      if (::poll(polls_.data(), polls_.size(), 50) <= 0) continue;
      for (pollfd& p : polls_) {
        if ((p.revents & POLLIN) == 0) continue;
        ssize_t n = ::recv(p.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (n <= 0) continue;
        std::string_view got(buffer.data(), static_cast<size_t>(n));
        for (size_t at = got.find("\ndata: "); at != std::string_view::npos;
             at = got.find("\ndata: ", at + 1))
          ++events_;
      }
    }
  }

  std::vector<pollfd> polls_;
  std::thread reader_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> events_{0};
};

double Micros(std::chrono::nanoseconds ns) { return static_cast<double>(ns.count()) / 1000; }

double Quantile(std::vector<double>& sorted, double q) {
  return sorted[static_cast<size_t>(q * static_cast<double>(sorted.size() - 1))];
}

struct Figures {
  std::vector<double> told, asked;  // microseconds
  double delivered = 0;             // share of the events that every page read
};

Figures Measure(testing::ApiWorld& world, http::Server& server, int pages) {
  testing::RealClock clock;
  Pages open(server.port(), pages);
  testing::PollUntil([&] { return server.stats().streams >= static_cast<uint64_t>(pages); },
                     std::chrono::seconds(20));
  auto summary = world.Look("shop/cart");
  release::Decision decision;
  decision.id = "bench";
  decision.guard = "shop/cart";
  decision.reason = "HighErrorRate: 0.034 > 0.01 for 5m";
  decision.actor = "rollguard";
  Figures figures;
  uint64_t before = open.events();
  for (int i = 0; i < kDecisions; ++i) {
    auto begun = clock.Monotonic();
    std::chrono::nanoseconds told{0};
    world.Do([&] {
      auto from = clock.Monotonic();
      world.api().Decided(summary.guard, decision);
      told = clock.Monotonic() - from;
    });
    figures.asked.push_back(Micros(clock.Monotonic() - begun));
    figures.told.push_back(Micros(told));
    ::usleep(static_cast<useconds_t>(kPause.count()) * 1000);
  }
  auto wanted = static_cast<uint64_t>(pages) * kDecisions;
  testing::PollUntil([&] { return open.events() - before >= wanted; }, std::chrono::seconds(10));
  figures.delivered =
      wanted == 0 ? 1 : static_cast<double>(open.events() - before) / static_cast<double>(wanted);
  std::sort(figures.told.begin(), figures.told.end());
  std::sort(figures.asked.begin(), figures.asked.end());
  return figures;
}

void Run(bench::Report& report) {
  testing::ApiWorldOptions options;
  options.guards = {testing::CanaryManifest("shop", "cart", "[{setWeight: 20}]")};
  testing::ApiWorld world(std::move(options));
  testing::RealClock clock;
  http::Server server({}, world.router(), clock);
  if (Status started = server.Start(); !started) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
    return;
  }
  world.Do([&] {
    world.api().SetPublisher([&](std::string type, std::string topic, std::string data) {
      return server.Publish(std::move(type), std::move(topic), std::move(data));
    });
  });
  for (int pages : {0, 300}) {
    Figures f = Measure(world, server, pages);
    double told50 = Quantile(f.told, 0.5), told99 = Quantile(f.told, 0.99);
    double asked50 = Quantile(f.asked, 0.5), asked99 = Quantile(f.asked, 0.99);
    auto name = [&](const char* what) { return StrCat(pages, " open pages: ", what); };
    report.Add(name("tell a decision, p50"), told50, "us");
    report.Add(name("tell a decision, p99"), told99, "us");
    report.Add(name("ask for one, p50"), asked50, "us");
    report.Add(name("ask for one, p99"), asked99, "us");
    report.Add(name("events delivered"), 100 * f.delivered, "%");
  }
  world.Do([&] { world.api().SetPublisher({}); });
  server.Stop(Duration(0));
}

}  // namespace
}  // namespace rollguard

int main(int argc, char** argv) {
  rollguard::bench::Report report("page", argc, argv);
  rollguard::Run(report);
  return report.Finish();
}
