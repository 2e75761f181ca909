// SPDX-License-Identifier: Apache-2.0
// The engine against the real Prometheus: the same awkward data, the same random queries, the same
// answers. ROLLGUARD_SEEDS=COUNT or FIRST:COUNT chooses how many seeds of 110 queries each.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/promql/engine.h"
#include "agent/promql/parser.h"
#include "tests/promql/query_generator.h"
#include "tests/support/catch.h"
#include "tests/support/real_prometheus.h"
#include "tests/support/remote_write.h"

namespace rollguard::promql {
namespace {

constexpr int kQueriesPerSeed = 110;
constexpr double kTolerance = 1e-9;
// Both sides below this are what rounding left of numbers around 1 to 1000 that cancelled.
constexpr double kNothing = 1e-12;

struct Seeds {
  uint64_t first = 1;
  uint64_t count = 50;
};

Seeds ChosenSeeds() {
  Seeds seeds;
  const char* text = std::getenv("ROLLGUARD_SEEDS");
  if (text == nullptr) return seeds;
  char* end = nullptr;
  seeds.count = std::strtoull(text, &end, 10);
  if (*end == ':') {
    seeds.first = seeds.count;
    seeds.count = std::strtoull(end + 1, nullptr, 10);
  }
  return seeds;
}

struct Question {
  std::string text;
  bool range = false;
  Millis start = 0;
  Millis end = 0;
  Millis step = 0;
};

std::string SecondsText(Millis t) {
  return Format("%lld.%03lld", static_cast<long long>(t / 1000), static_cast<long long>(t % 1000));
}

std::string Show(const Question& question) {
  if (!question.range) return StrCat(question.text, "  @ ", SecondsText(question.start));
  return StrCat(question.text, "  from ", SecondsText(question.start), " to ",
                SecondsText(question.end), " step ", SecondsText(question.step));
}

using Rows = std::map<std::string, std::map<Millis, double>>;

double NumberOf(const Json& text) { return std::strtod(text.Str().c_str(), nullptr); }
Millis TimeOf(const Json& seconds) {
  return static_cast<Millis>(std::llround(seconds.DoubleOr(0) * 1000));
}

// The server's result, by canonical labels.
Rows RowsOf(const Json& data) {
  Rows rows;
  std::string type = data.At("resultType").Str();
  const Json& result = data.At("result");
  if (type == "scalar") {
    rows["scalar"][TimeOf(result.At(size_t{0}))] = NumberOf(result.At(size_t{1}));
    return rows;
  }
  for (const Json& series : result.items()) {
    auto& row = rows[series.At("metric").Canonical()];
    const Json& values = series.At("values");
    if (type == "vector")
      row[TimeOf(series.At("value").At(size_t{0}))] = NumberOf(series.At("value").At(size_t{1}));
    for (const Json& point : values.items())
      row[TimeOf(point.At(size_t{0}))] = NumberOf(point.At(size_t{1}));
  }
  return rows;
}

// "" when equal.
std::string Difference(const Rows& want, const Rows& got) {
  for (const auto& [labels, points] : want) {
    auto row = got.find(labels);
    if (row == got.end()) return StrCat("missing series ", labels);
    for (const auto& [t, v] : points) {
      auto point = row->second.find(t);
      if (point == row->second.end())
        return StrCat("missing point of ", labels, " at ", SecondsText(t), " (", FormatValue(v),
                      ")");
      bool nothing = std::abs(v) < kNothing && std::abs(point->second) < kNothing;
      if (!nothing && !SameValue(v, point->second, kTolerance)) {
        return StrCat(labels, " at ", SecondsText(t), ": want ", FormatValue(v), ", got ",
                      FormatValue(point->second));
      }
    }
    if (points.size() != row->second.size()) return StrCat("extra points of ", labels);
  }
  for (const auto& [labels, points] : got) {
    if (!want.contains(labels)) return StrCat("extra series ", labels);
  }
  return "";
}

std::vector<double> InOrder(const Json& data) {
  std::vector<double> values;
  for (const Json& series : data.At("result").items())
    values.push_back(NumberOf(series.At("value").At(size_t{1})));
  return values;
}

constexpr Millis kSlice = 600'000;

Millis FirstSlice(const testing::WrittenSeries& series) {
  return series.samples.front().t_ms / kSlice;
}

class Duel {
 public:
  explicit Duel(uint64_t seed) {
    auto data = AwkwardData(seed);
    server_ = testing::RealPrometheus::Start({.openmetrics = "",
                                              .data_dir = "",
                                              .config = "",
                                              .flags = {"--web.enable-remote-write-receiver"}});
    ready_ = server_ != nullptr && testing::RemoteWriteAll(server_->port(), data, kSlice);
    // In the order in which the server saw the series: sums depend on it in their last digits.
    std::stable_sort(data.begin(), data.end(),
                     [](const auto& a, const auto& b) { return FirstSlice(a) < FirstSlice(b); });
    for (const auto& series : data) {
      auto id = store_.Intern(promql::Labels::FromPairs(series.labels));
      for (const auto& sample : series.samples) (void)store_.Append(id, sample.t_ms, sample.value);
    }
  }
  bool ready() const { return ready_; }
  int failures() const { return failures_; }
  int errors() const { return errors_; }
  int empty() const { return empty_; }

  // "" when both sides agree.
  std::string Ask(const Question& question) {
    auto answer = Theirs(question);
    auto theirs = ParseJson(answer.body);
    if (!theirs) return "the server's answer is no JSON: " + answer.body.substr(0, 200);
    Expected<Value> ours = Evaluate(question);
    bool failed = theirs->At("status").Str() != "success";
    if (failed != !ours.ok()) {
      return failed ? "only the server fails: " + theirs->At("error").Str()
                    : "only we fail: " + ours.error().message;
    }
    if (failed) {
      ++errors_;
      return "";
    }
    const Json& data = theirs->At("data");
    Json mine = ToJson(*ours);
    if (mine.At("resultType").Str() != data.At("resultType").Str()) return "other type";
    if (data.At("result").size() == 0) ++empty_;
    if (std::string difference = Difference(RowsOf(data), RowsOf(mine)); !difference.empty()) {
      return difference;
    }
    if (!question.range && question.text.starts_with("sort")) {
      auto want = InOrder(data);
      auto got = InOrder(mine);
      for (size_t i = 0; i < want.size(); ++i) {
        if (!SameValue(want[i], got[i], kTolerance)) return "another order";
      }
    }
    return "";
  }

  void Show(const Question& question) {
    auto ours = Evaluate(question);
    std::printf("server: %s\nhere:   %s\n", Theirs(question).body.c_str(),
                ours ? ToJson(*ours).Dump().c_str() : ours.error().message.c_str());
  }

  void Check(const Question& question) {
    // In a range query the server adds up series in a random order; where the last digit decides,
    // it may take another try.
    std::string problem;
    for (int attempt = 0; attempt < 4; ++attempt) {
      problem = Ask(question);
      if (problem.empty()) return;
    }
    if (++failures_ <= 20)
      std::printf("DIFFERENT  %s\n           %s\n", promql::Show(question).c_str(),
                  problem.c_str());
  }

 private:
  testing::HttpAnswer Theirs(const Question& question) {
    return question.range
               ? server_->QueryRange(question.text, SecondsText(question.start),
                                     SecondsText(question.end), SecondsText(question.step))
               : server_->Query(question.text, SecondsText(question.start));
  }

  Expected<Value> Evaluate(const Question& question) {
    auto query = ParseQuery(question.text);
    if (!query) return query.error();
    Engine engine(store_);
    if (!question.range) return engine.Instant(*query, FromUnixMillis(question.start));
    return engine.Range(*query, FromUnixMillis(question.start), FromUnixMillis(question.end),
                        Duration(question.step));
  }

  std::unique_ptr<testing::RealPrometheus> server_;
  MemoryStore store_;
  bool ready_ = false;
  int failures_ = 0;
  int errors_ = 0;
  int empty_ = 0;
};

Question MakeQuestion(QueryGenerator& generator, Random& random, bool range) {
  Question question;
  question.text = generator.Next(range);
  question.range = range;
  question.start = kDataStart - 120'000 + static_cast<Millis>(random.Below(86 * 60)) * 1000;
  if (random.Chance(0.2)) question.start += static_cast<Millis>(random.Below(1000));
  const Millis steps[] = {1000, 7000, 15'000, 30'000, 60'000, 301'000};
  question.step = steps[random.Below(6)];
  question.end = question.start + question.step * static_cast<Millis>(random.Below(25));
  return question;
}

// "expr @ seconds" or "expr from S to E step D", as differences are printed.
std::optional<Question> ReadQuestion(std::string_view text) {
  Question question;
  auto seconds = [](std::string_view word) {
    return static_cast<Millis>(std::llround(ParseDouble(word).value_or(0) * 1000));
  };
  size_t from = text.rfind("  from ");
  if (from == std::string_view::npos) {
    size_t at = text.rfind("  @ ");
    if (at == std::string_view::npos) return std::nullopt;
    question.text = text.substr(0, at);
    question.start = seconds(text.substr(at + 4));
    return question;
  }
  auto words = Split(text.substr(from + 2), ' ');
  if (words.size() != 6) return std::nullopt;
  question.text = text.substr(0, from);
  question.range = true;
  question.start = seconds(words[1]);
  question.end = seconds(words[3]);
  question.step = seconds(words[5]);
  return question;
}

// Everything Prometheus 2.42 knows, but for what only native histograms have.
constexpr const char* kLanguage[] = {"rate",
                                     "increase",
                                     "delta",
                                     "irate",
                                     "idelta",
                                     "deriv",
                                     "predict_linear",
                                     "holt_winters",
                                     "changes",
                                     "resets",
                                     "avg_over_time",
                                     "min_over_time",
                                     "max_over_time",
                                     "sum_over_time",
                                     "count_over_time",
                                     "last_over_time",
                                     "present_over_time",
                                     "absent_over_time",
                                     "stddev_over_time",
                                     "stdvar_over_time",
                                     "quantile_over_time",
                                     "abs",
                                     "ceil",
                                     "floor",
                                     "round",
                                     "exp",
                                     "sqrt",
                                     "ln",
                                     "log2",
                                     "log10",
                                     "sgn",
                                     "clamp",
                                     "clamp_min",
                                     "clamp_max",
                                     "sin",
                                     "cos",
                                     "tan",
                                     "asin",
                                     "acos",
                                     "atan",
                                     "sinh",
                                     "cosh",
                                     "tanh",
                                     "asinh",
                                     "acosh",
                                     "atanh",
                                     "deg",
                                     "rad",
                                     "pi",
                                     "sort",
                                     "sort_desc",
                                     "absent",
                                     "scalar",
                                     "vector",
                                     "timestamp",
                                     "time",
                                     "label_replace",
                                     "label_join",
                                     "histogram_quantile",
                                     "minute",
                                     "hour",
                                     "day_of_week",
                                     "day_of_month",
                                     "day_of_year",
                                     "days_in_month",
                                     "month",
                                     "year",
                                     "sum",
                                     "avg",
                                     "min",
                                     "max",
                                     "count",
                                     "group",
                                     "stddev",
                                     "stdvar",
                                     "quantile",
                                     "topk",
                                     "bottomk",
                                     "count_values",
                                     "by",
                                     "without",
                                     "or",
                                     "and",
                                     "unless",
                                     "bool",
                                     "atan2",
                                     "on",
                                     "ignoring",
                                     "group_left",
                                     "group_right",
                                     "offset",
                                     "start",
                                     "end",
                                     "+",
                                     "-",
                                     "*",
                                     "/",
                                     "%",
                                     "^",
                                     "==",
                                     "!=",
                                     ">",
                                     "<",
                                     ">=",
                                     "<=",
                                     "@",
                                     ":"};

void CountWords(std::string_view query, std::map<std::string, int>& uses) {
  auto letter = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  auto sign = [](char c) {
    return std::string_view("+-*/%^=!><@:").find(c) != std::string_view::npos;
  };
  for (size_t i = 0; i < query.size();) {
    size_t end = i + 1;
    if (letter(query[i])) {
      while (end < query.size() && letter(query[end])) ++end;
    } else if (sign(query[i])) {
      while (end < query.size() && query[end] == '=') ++end;
    }
    ++uses[std::string(query.substr(i, end - i))];
    i = end;
  }
}

}  // namespace

// For looking into a difference: ROLLGUARD_QUESTION holds the line that was printed.
TEST_CASE("one question is shown from both sides", "[question]") {
  const char* chosen = std::getenv("ROLLGUARD_QUESTION");
  const char* text = chosen != nullptr
                         ? chosen
                         : "sum by (g) (m)  from 1700000100.000 to 1700000400.500 step 30.000";
  auto question = ReadQuestion(text);
  REQUIRE(question);
  CHECK(Show(*question) == text);
  Duel duel(ChosenSeeds().first + 6);
  REQUIRE(duel.ready());
  if (chosen != nullptr) duel.Show(*question);
  CHECK(duel.Ask(*question) == "");
}

TEST_CASE("the random queries use the whole language", "[promql][differential]") {
  std::map<std::string, int> uses;
  for (uint64_t seed = 1; seed <= Seeds{}.count; ++seed) {
    QueryGenerator generator(seed);
    for (int i = 0; i < kQueriesPerSeed; ++i) CountWords(generator.Next(i % 2 == 1), uses);
  }
  // How often differs: compilers evaluate a call's arguments, and so draw, in their own order.
  for (const char* word : kLanguage) {
    INFO(word);
    CHECK(uses[word] >= 1);
  }
}

TEST_CASE("random queries get the answers of the real Prometheus", "[promql][differential]") {
  Seeds seeds = ChosenSeeds();
  // Other seeds ask other data too.
  Duel duel(seeds.first + 6);
  REQUIRE(duel.ready());
  int asked = 0;
  for (uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
    QueryGenerator generator(seed);
    Random random(seed * 7919);
    for (int i = 0; i < kQueriesPerSeed; ++i, ++asked) {
      duel.Check(MakeQuestion(generator, random, i % 2 == 1));
    }
  }
  std::printf("%d queries, %d failed on both sides, %d with empty answers, %d differ\n", asked,
              duel.errors(), duel.empty(), duel.failures());
  CHECK(duel.failures() == 0);
  // A run in which nearly everything fails or finds nothing proves nothing.
  CHECK(duel.errors() < asked / 3);
  CHECK(duel.empty() < asked / 3);
}

}  // namespace rollguard::promql
