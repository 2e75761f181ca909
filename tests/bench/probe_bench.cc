// SPDX-License-Identifier: Apache-2.0
// What probing costs by itself: many checks at once against a local server that answers at once.
// The server's own share is measured with the plainest of clients; the rest is the prober's.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <future>
#include <vector>

#include "agent/base/text.h"
#include "agent/net/curl_client.h"
#include "agent/probe/net_prober.h"
#include "tests/bench/report.h"
#include "tests/support/real_clock.h"
#include "tests/support/tiny_server.h"

namespace rollguard {
namespace {

constexpr int kChecks = 1000;
constexpr Duration kSpread{1000};  // the interval over which the sensor's jitter spreads them

struct Figures {
  double p50 = 0, p99 = 0, max = 0;  // milliseconds
  int failed = 0;
};

Figures Measure(net::CurlClient& client, probe::NetProber& prober, const Clock& clock,
                const std::function<ProbeWhat()>& what, Duration spread) {
  std::vector<double> taken(kChecks, 0);
  std::atomic<int> left{kChecks}, failed{0};
  std::promise<void> finished;
  for (int i = 0; i < kChecks; ++i) {
    client.After(spread * i / kChecks, [&, i] {
      auto began = clock.Monotonic();
      prober.Probe({.what = what(), .timeout = std::chrono::seconds(30)},
                   [&, i, began](const ProbeAnswer& answer) {
                     std::chrono::duration<double, std::milli> took = clock.Monotonic() - began;
                     taken[static_cast<size_t>(i)] = took.count();
                     if (answer.verdict != ProbeAnswer::Verdict::kPass) ++failed;
                     if (--left == 0) finished.set_value();
                   });
    });
  }
  finished.get_future().wait();
  std::sort(taken.begin(), taken.end());
  return {taken[kChecks / 2], taken[kChecks * 99 / 100], taken.back(), failed};
}

void Run(bench::Report& report) {
  testing::RealClock clock;
  testing::TinyServer server([](const testing::TinyRequest&, testing::TinyConnection& connection) {
    connection.Respond(200, R"({"status": "ok"})");
  });
  net::CurlClient client(clock);
  probe::NetProber prober(client, clock);
  HttpProbe http;
  http.url = server.Url("/health");
  http.expect_body = "ok";
  spec::JourneyCheck walk;
  for (int i = 0; i < 3; ++i) {
    spec::JourneyCheck::Step step;
    step.url = server.Url("/step");
    step.extract = {{"s", spec::JourneyCheck::Extract::From::kJsonPath, "$.status"}};
    walk.steps.push_back(step);
  }
  auto journey = std::make_shared<const spec::JourneyCheck>(walk);
  struct Row {
    const char* name;
    std::function<ProbeWhat()> what;
    Duration spread;
  };
  const std::vector<Row> rows = {
      {"http, 1,000 in 1 s", [&] { return http; }, kSpread},
      {"http, 1,000 at once", [&] { return http; }, Duration(0)},
      {"tcp, 1,000 in 1 s",
       [&] {
         return TcpProbe{"127.0.0.1", server.port()};
       },
       kSpread},
      {"tcp, 1,000 at once",
       [&] {
         return TcpProbe{"127.0.0.1", server.port()};
       },
       Duration(0)},
      {"journey of 3, 1,000 in 1 s",
       [&] {
         return JourneyProbe{journey, {}};
       },
       kSpread},
  };
  for (const Row& row : rows) {
    Figures f = Measure(client, prober, clock, row.what, row.spread);
    report.Add(StrCat(row.name, ": p50"), f.p50, "ms");
    report.Add(StrCat(row.name, ": p99"), f.p99, "ms");
    report.Add(StrCat(row.name, ": failed"), f.failed, "");
  }
}

}  // namespace
}  // namespace rollguard

int main(int argc, char** argv) {
  rollguard::bench::Report report("probe", argc, argv);
  rollguard::Run(report);
  return report.Finish();
}
