// SPDX-License-Identifier: Apache-2.0
// How long hostile PromQL holds us up, and what memory it takes: goal 100 ms each, and no more
// memory than a small multiple of the text.
#include <sys/resource.h>

#include <chrono>
#include <string>
#include <vector>

#include "agent/base/text.h"
#include "agent/promql/engine.h"
#include "agent/promql/parser.h"
#include "agent/promql/storage.h"
#include "tests/bench/report.h"

namespace rollguard::promql {
namespace {

constexpr double kGoalMs = 100;

struct Hostile {
  const char* name;
  std::string text;
  bool range = false;  // over ten years, every millisecond
};

std::string Repeat(const char* piece, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += piece;
  return out;
}

std::vector<Hostile> Inputs() {
  return {
      {"unclosed string", "up{job=\"" + Repeat("y", 200'000)},
      {"1 MB of a sum", "1" + Repeat("+x", 524'288)},
      {"1 MB of a name", Repeat("x", 1U << 20)},
      {"1 MB of matchers", "x{" + Repeat("a=\"b\",", 170'000) + "}"},
      {"60 KB of matchers", "x{" + Repeat("a=\"b\",", 10'000) + "}"},
      {"10,000 parentheses", Repeat("(", 10'000) + "x" + Repeat(")", 10'000)},
      {"10,000 subqueries", "x" + Repeat("[5m:]", 10'000)},
      {"a regular expression bomb", "x{a=~\"" + Repeat("(a{1,900}){1,900}", 100) + "\"}"},
      {"a 2 GB range", "count_over_time(vector(1)[4y:1s] @ 1700000000)"},
      {"a 2 GB range query", "x + 1", true},
      {"a bomb of subqueries",
       "max_over_time(max_over_time(max_over_time(max_over_time(x[1y:1s])[1y:1s])[1y:1s])[1y:1s])"},
      {"a product of subqueries", "sum_over_time(sum_over_time(vector(1)[1h:1s])[1h:1s])"},
  };
}

MemoryStore OneSeries() {
  MemoryStore store;
  auto id = store.Intern(Labels::FromPairs({{"__name__", "x"}}));
  for (int64_t t = 0; t < 240; ++t) (void)store.Append(id, 1'700'000'000'000 + t * 15'000, 1.0);
  return store;
}

std::string AnswerTo(const Hostile& input, const MemoryStore& store) {
  auto query = ParseQuery(input.text);
  if (!query) return query.error().message;
  Engine engine(store);
  const auto end = FromUnixMillis(1'700'003'600'000);
  auto value = input.range ? engine.Range(*query, end - std::chrono::hours(24 * 3650), end,
                                          std::chrono::milliseconds(1))
                           : engine.Instant(*query, end);
  return value.ok() ? "answered" : value.error().message;
}

long PeakKiB() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

int Run(bench::Report& report) {
  const MemoryStore store = OneSeries();
  for (const Hostile& input : Inputs()) {
    const long before = PeakKiB();
    const auto begin = std::chrono::steady_clock::now();
    const std::string answer = AnswerTo(input, store);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    report.AtMost(input.name, took.count(), "ms", kGoalMs);
    report.Add(StrCat(input.name, ": memory at its peak"), static_cast<double>(PeakKiB() - before),
               "KiB");
    report.Note(StrCat(input.name, ": ", Abbreviate(answer, 70)));
  }
  return report.Finish();
}

}  // namespace
}  // namespace rollguard::promql

int main(int argc, char** argv) {
  rollguard::bench::Report report("hostile", argc, argv);
  return rollguard::promql::Run(report);
}
