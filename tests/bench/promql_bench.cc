// SPDX-License-Identifier: Apache-2.0
// PromQL: parse time per query, and evaluation against the real Prometheus' own evalTotalTime on
// the same data in the same run. Both sides give their best of nine.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "agent/base/json.h"
#include "agent/base/random.h"
#include "agent/base/text.h"
#include "agent/promql/engine.h"
#include "agent/promql/parser.h"
#include "tests/bench/report.h"
#include "tests/support/real_prometheus.h"

namespace rollguard::promql {
namespace {

constexpr Millis kStart = 1'700'000'000'000;
constexpr Millis kInterval = 15'000;
constexpr int kSamples = 1'400;
constexpr int kSteps = 1'000;
constexpr int kRounds = 9;

struct Data {
  MemoryStore store;
  std::string openmetrics;

  void Add(const Labels& labels, const std::vector<double>& values) {
    auto id = store.Intern(labels);
    for (size_t i = 0; i < values.size(); ++i) {
      Millis t = kStart + static_cast<Millis>(i) * kInterval;
      if (!store.Append(id, t, values[i])) std::abort();
      openmetrics += StrCat(ReplaceAll(labels.ToString(), ", ", ","), " ", FormatNumber(values[i]),
                            " ", t / 1000, "\n");
    }
  }
};

std::vector<double> Counter(Random& random, double speed) {
  std::vector<double> values;
  double value = 0;
  for (int i = 0; i < kSamples; ++i) values.push_back(value += random.Uniform() * speed);
  return values;
}

Data MakeData() {
  Data data;
  Random random(1);
  auto family = [&](std::string_view name, auto add) {
    data.openmetrics += StrCat("# TYPE ", name, " unknown\n");
    for (int i = 0; i < 100; ++i) add(StrCat(i));
  };
  for (std::string_view name : {"a", "b", "err"}) {
    family(name, [&](const std::string& i) {
      data.Add(
          Labels({{"__name__", name}, {"i", i}, {"job", "checkout"}, {"instance", "10.0.0." + i}}),
          Counter(random, 30));
    });
  }
  const char* const bounds[] = {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25",
                                "0.5",   "1",    "2.5",   "5",    "10",  "+Inf"};
  family("h_bucket", [&](const std::string& i) {
    std::vector<double> below(kSamples, 0);
    for (const char* bound : bounds) {
      std::vector<double> own = Counter(random, 3);
      for (size_t s = 0; s < below.size(); ++s) below[s] += std::floor(own[s]);
      data.Add(Labels({{"__name__", "h_bucket"}, {"i", i}, {"job", "checkout"}, {"le", bound}}),
               below);
    }
  });
  data.openmetrics += "# EOF\n";
  return data;
}

double Milliseconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

double ParseMicroseconds(const std::string& text) {
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 1000; ++i) {
      if (!Parse(text).ok()) std::abort();
    }
    best = std::min(best, Milliseconds(std::chrono::steady_clock::now() - start));
  }
  return best;  // ms per thousand = us each
}

double Ours(const Data& data, const std::string& text, bool range) {
  auto query = ParseQuery(text);
  Engine engine(data.store);
  Time end = FromUnixMillis(kStart + (kSamples - 1) * kInterval);
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    auto start = std::chrono::steady_clock::now();
    auto result = range ? engine.Range(*query, end - Duration((kSteps - 1) * kInterval), end,
                                       Duration(kInterval))
                        : engine.Instant(*query, end);
    best = std::min(best, Milliseconds(std::chrono::steady_clock::now() - start));
    if (!result) std::abort();
  }
  return best;
}

double Theirs(testing::RealPrometheus& server, const std::string& text, bool range) {
  Millis end = (kStart + (kSamples - 1) * kInterval) / 1000;
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    testing::Form form = {{"query", text}, {"stats", "true"}};
    if (range) {
      form.insert(form.end(), {{"start", StrCat(end - (kSteps - 1) * kInterval / 1000)},
                               {"end", StrCat(end)},
                               {"step", StrCat(kInterval / 1000)}});
    } else {
      form.emplace_back("time", StrCat(end));
    }
    auto answer = server.http().Post(range ? "/api/v1/query_range" : "/api/v1/query", form);
    auto json = ParseJson(answer.body);
    if (!json || json->At("status").Str() != "success") std::abort();
    best =
        std::min(best, json->At("data", "stats", "timings", "evalTotalTime").DoubleOr(1e9) * 1e3);
  }
  return best;
}

struct Case {
  const char* name;
  const char* one;
  const char* hundred;
};

constexpr Case kCases[] = {
    {"selector", "a{i=\"7\"}", "a"},
    {"rate", "rate(a{i=\"7\"}[1m])", "rate(a[1m])"},
    {"sum by rate", "sum by (job) (rate(a{i=\"7\"}[1m]))", "sum by (job) (rate(a[1m]))"},
    {"ratio", "sum(rate(err{i=\"7\"}[1m])) / sum(rate(a{i=\"7\"}[1m]))",
     "sum(rate(err[1m])) / sum(rate(a[1m]))"},
    {"histogram_quantile", "histogram_quantile(0.9, rate(h_bucket{i=\"7\"}[5m]))",
     "histogram_quantile(0.9, rate(h_bucket[5m]))"},
    {"a - b", "a{i=\"7\"} - on (i) b{i=\"7\"}", "a - b"},
};

int Run(bool as_json) {
  Data data = MakeData();
  auto server = testing::RealPrometheus::Start(
      {.openmetrics = data.openmetrics, .data_dir = "", .config = "", .flags = {}});
  if (server == nullptr) return 1;
  Json rows = Json::Arr();
  double slowest = 0, least = 1e9;
  if (!as_json) {
    std::printf("%-20s %6s %7s %10s %12s %12s %8s\n", "query", "series", "steps", "parse us",
                "ours ms", "go ms", "faster");
  }
  for (const Case& test : kCases) {
    for (bool hundred : {false, true}) {
      std::string text = hundred ? test.hundred : test.one;
      double parse = ParseMicroseconds(text);
      slowest = std::max(slowest, parse);
      for (bool range : {false, true}) {
        double ours = Ours(data, text, range);
        double theirs = Theirs(*server, text, range);
        least = std::min(least, theirs / ours);
        rows.Push(Json::Obj({{"query", text},
                             {"series", hundred ? 100 : 1},
                             {"steps", range ? kSteps : 1},
                             {"parse_us", parse},
                             {"ours_ms", ours},
                             {"go_ms", theirs},
                             {"faster", theirs / ours}}));
        if (as_json) continue;
        std::printf("%-20s %6d %7d %10.2f %12.4f %12.4f %7.1fx\n", test.name, hundred ? 100 : 1,
                    range ? kSteps : 1, parse, ours, theirs, theirs / ours);
      }
    }
  }
  if (as_json) {
    std::printf("%s\n", rows.Dump(2).c_str());
    return 0;
  }
  bench::Report report("promql", 0, nullptr);
  report.Add({.name = "parse, the slowest of these queries",
              .value = slowest,
              .unit = "us",
              .at_most = 5,
              .at_least = {},
              .floor = {},
              .floor_is = {}});
  report.Add({.name = "times faster than the Go engine, the least of all",
              .value = least,
              .unit = "",
              .at_most = {},
              .at_least = 2,
              .floor = {},
              .floor_is = {}});
  return report.Finish();
}

}  // namespace
}  // namespace rollguard::promql

int main(int argc, char** argv) {
  return rollguard::promql::Run(argc > 1 && std::strcmp(argv[1], "--json") == 0);
}
