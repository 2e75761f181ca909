// SPDX-License-Identifier: Apache-2.0
// One round of 1,000 guards with 5 metrics each against the real Prometheus, folded and one by one:
// requests, bytes received, time, processor time of the server and of this side.
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <future>

#include "agent/base/json.h"
#include "agent/base/random.h"
#include "agent/base/text.h"
#include "agent/net/curl_client.h"
#include "agent/prometheus/server_source.h"
#include "tests/bench/report.h"
#include "tests/support/real_clock.h"
#include "tests/support/real_prometheus.h"

namespace rollguard::prometheus {
namespace {

constexpr int kGuards = 1000;
constexpr int64_t kStart = 1'700'000'000;
constexpr int64_t kEnd = kStart + 600;

std::string Identity(int guard) {
  return StrCat("namespace=\"team", guard / 50, "\",app=\"service", guard, "\"");
}

std::string MakeData() {
  Random random(1);
  auto series = [&](std::string* out, const std::string& name, bool counter) {
    double value = 0;
    for (int64_t t = kStart; t <= kEnd; t += 30) {
      value = counter ? value + random.Uniform() * 100 : random.Uniform() * 100;
      *out += StrCat(name, " ", FormatNumber(value), " ", t, "\n");
    }
  };
  std::string requests, latency, memory, up;
  for (int g = 0; g < kGuards; ++g) {
    for (int pod = 0; pod < 2; ++pod) {
      std::string labels = StrCat(Identity(g), ",pod=\"p", pod, "\"");
      for (const char* code : {"200", "500"}) {
        series(&requests, StrCat("requests_total{", labels, ",code=\"", code, "\"}"), true);
      }
      for (const char* le : {"0.1", "0.5", "1", "+Inf"}) {
        series(&latency, StrCat("latency_bucket{", labels, ",le=\"", le, "\"}"), true);
      }
      series(&memory, StrCat("memory_bytes{", labels, "}"), false);
      series(&up, StrCat("up{", labels, "}"), false);
    }
  }
  return StrCat("# TYPE requests counter\n", requests, "# TYPE latency unknown\n", latency,
                "# TYPE memory_bytes gauge\n", memory, "# TYPE up gauge\n", up, "# EOF\n");
}

std::vector<std::string> Questions() {
  std::vector<std::string> out;
  for (int g = 0; g < kGuards; ++g) {
    std::string id = Identity(g);
    out.push_back(StrCat("sum(rate(requests_total{", id, ",code=~\"5..\"}[5m])) / sum(rate(",
                         "requests_total{", id, "}[5m])) > 0.01"));
    out.push_back(
        StrCat("histogram_quantile(0.99, sum by (le) (rate(latency_bucket{", id, "}[5m])))"));
    out.push_back(StrCat("max(memory_bytes{", id, "})"));
    out.push_back(StrCat("sum(rate(requests_total{", id, "}[5m])) < 1"));
    out.push_back(StrCat("absent(up{", id, "})"));
  }
  return out;
}

// Counts what comes in.
class CountingClient final : public HttpClient {
 public:
  explicit CountingClient(HttpClient& inner) : inner_(inner) {}
  HttpId Send(HttpRequest request, HttpDone done) override {
    return inner_.Send(std::move(request),
                       [this, done = std::move(done)](Expected<HttpResponse> r) {
                         if (r) bytes += r->body.size();
                         done(std::move(r));
                       });
  }
  HttpId Stream(HttpRequest request, HttpStream stream) override {
    return inner_.Stream(std::move(request), std::move(stream));
  }
  void Cancel(HttpId id) override { inner_.Cancel(id); }
  std::atomic<uint64_t> bytes{0};

 private:
  HttpClient& inner_;
};

// User and system time of a process, in seconds.
double ProcessorTime(pid_t pid) {
  std::ifstream in(StrCat("/proc/", pid, "/stat"));
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  size_t after_name = text.rfind(')');
  if (after_name == std::string::npos) return 0;
  auto fields = Split(std::string_view(text).substr(after_name + 2), ' ');
  double ticks = ParseDouble(fields[11]).value_or(0) + ParseDouble(fields[12]).value_or(0);
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double OwnTime() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Figures {
  uint64_t requests = 0, bytes = 0, failed = 0;
  double seconds = 0, server = 0, own = 0;
};

Figures Measure(testing::RealPrometheus& server, bool fold) {
  testing::RealClock clock;
  net::CurlClient client(clock);
  CountingClient counting(client);
  ApiOptions api;
  api.url = server.url();
  FoldOptions options;
  options.fold = fold;
  options.shadow_chance = 0;
  ServerSource source(counting, client, clock, 1, api, options);
  std::vector<std::string> questions = Questions();
  std::atomic<size_t> left = questions.size();
  std::atomic<uint64_t> failed{0};
  std::promise<void> all;
  MetricsSource::Round round;
  for (std::string& text : questions) {
    MetricQuery query;
    query.query = std::move(text);
    query.at = FromUnixMillis(kEnd * 1000);
    query.timeout = std::chrono::minutes(2);
    round.emplace_back(std::move(query), [&](Expected<MetricAnswer> answer) {
      if (!answer) ++failed;
      if (--left == 0) all.set_value();
    });
  }
  double server_before = ProcessorTime(server.pid()), own_before = OwnTime();
  auto begin = clock.Monotonic();
  source.Ask(std::move(round));
  all.get_future().wait();
  Figures figures;
  figures.seconds = std::chrono::duration<double>(clock.Monotonic() - begin).count();
  figures.server = ProcessorTime(server.pid()) - server_before;
  figures.own = OwnTime() - own_before;
  figures.requests = source.counters().requests;
  figures.bytes = counting.bytes;
  figures.failed = failed;
  return figures;
}

int Run(bench::Report& report) {
  testing::PrometheusOptions options;
  options.openmetrics = MakeData();
  auto server = testing::RealPrometheus::Start(options);
  if (server == nullptr) return 1;
  Measure(*server, true);  // opens the blocks
  for (bool fold : {true, false}) {
    Figures f = Measure(*server, fold);
    auto name = [&](const char* what) {
      return StrCat(kGuards * 5, " questions of ", kGuards, " guards, ",
                    fold ? "folded: " : "one by one: ", what);
    };
    if (fold) {
      report.AtMost(name("requests"), static_cast<double>(f.requests), "", 50);
    } else {
      report.Add(name("requests"), static_cast<double>(f.requests), "");
    }
    report.Add(name("received"), static_cast<double>(f.bytes) / 1024, "KiB");
    report.Add(name("time"), f.seconds, "s");
    report.Add(name("the server's CPU"), f.server, "s");
    report.Add(name("our CPU"), f.own, "s");
    report.Add(name("failed"), static_cast<double>(f.failed), "");
  }
  return report.Finish();
}

}  // namespace
}  // namespace rollguard::prometheus

int main(int argc, char** argv) {
  rollguard::bench::Report report("fold", argc, argv);
  return rollguard::prometheus::Run(report);
}
