// SPDX-License-Identifier: Apache-2.0
#include "tests/promql/query_generator.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "agent/base/text.h"
#include "agent/promql/value.h"

namespace rollguard::promql {
namespace {

using testing::WrittenSeries;

constexpr double kInf = std::numeric_limits<double>::infinity();

// What may happen to a series at a scrape.
struct Temper {
  double gap = 0.0;      // start a gap of a few to many intervals
  double stale = 0.0;    // start a gap with a stale marker
  double strange = 0.0;  // NaN or an infinity instead of the value
};

template <class Next>
WrittenSeries Fill(std::vector<std::pair<std::string, std::string>> labels, const Temper& temper,
                   Random& random, Next next) {
  std::sort(labels.begin(), labels.end());
  WrittenSeries series{std::move(labels), {}};
  int64_t silent_until = 0;
  auto offset = static_cast<int64_t>(random.Below(15'000));
  for (int64_t t = kDataStart + offset; t < kDataEnd; t += 15'000) {
    double value = next();
    if (t < silent_until) continue;
    int64_t jitter = random.Chance(0.2) ? static_cast<int64_t>(random.Below(400)) : 0;
    bool stale = random.Chance(temper.stale);
    if (stale || random.Chance(temper.gap)) {
      silent_until =
          t + 15'000 * static_cast<int64_t>(2 + random.Below(random.Chance(0.3) ? 40 : 5));
      if (stale) series.samples.push_back({t + jitter, StaleMarker()});
      continue;
    }
    if (random.Chance(temper.strange)) {
      const double kStrange[] = {std::bit_cast<double>(kNormalNanBits), kInf, -kInf};
      value = kStrange[random.Below(3)];
    }
    series.samples.push_back({t + jitter, value});
  }
  return series;
}

const char* const kGroups[] = {"a", "b", "c"};

void AddGauges(std::vector<WrittenSeries>& out, Random& random) {
  for (const char* name : {"m", "n"}) {
    for (const char* group : kGroups) {
      for (const char* instance : {"0", "1", "2"}) {
        if (*name == 'n' && *group == 'c' && *instance == '2') continue;
        out.push_back(Fill({{"__name__", name}, {"g", group}, {"i", instance}},
                           {0.01, 0.01, *name == 'm' ? 0.0 : 0.01}, random,
                           [&] { return random.Normal() * 100; }));
      }
    }
  }
  out.push_back(Fill({{"__name__", "lonely"}}, {0.02, 0, 0}, random,
                     [&] { return std::floor(random.Uniform() * 10); }));
  for (const char* group : kGroups) {
    out.push_back(Fill({{"__name__", "info"}, {"g", group}, {"version", StrCat("v", group)}},
                       {0.005, 0.005, 0}, random, [] { return 1.0; }));
    out.push_back(Fill({{"__name__", "small"}, {"g", group}, {"zone", "x\"y\\z"}}, {0.02, 0, 0.02},
                       random, [&] { return random.Uniform() * 2.4 - 1.2; }));
    out.push_back(Fill({{"__name__", "whole"}, {"g", group}}, {0.01, 0.02, 0}, random,
                       [&] { return static_cast<double>(random.Below(5)); }));
    out.push_back(Fill({{"__name__", "when"}, {"g", group}}, {0.01, 0, 0.01}, random,
                       [&] { return std::floor(random.Normal() * 3e9); }));
  }
  // Appears late, vanishes early.
  WrittenSeries brief = Fill({{"__name__", "m"}, {"g", "z"}, {"i", "0"}}, {}, random,
                             [&] { return random.Uniform(); });
  std::erase_if(brief.samples, [](const auto& s) {
    return s.t_ms < kDataStart + 1'500'000 || s.t_ms > kDataStart + 2'400'000;
  });
  out.push_back(std::move(brief));
}

void AddCounters(std::vector<WrittenSeries>& out, Random& random) {
  for (const char* group : kGroups) {
    for (const char* code : {"200", "404", "500"}) {
      double value = random.Chance(0.5) ? 0 : random.Uniform() * 1000;
      out.push_back(Fill({{"__name__", "c_total"}, {"g", group}, {"code", code}}, {0.01, 0.01, 0},
                         random, [&, value]() mutable {
                           value = random.Chance(0.02) ? random.Uniform() * 3
                                                       : value + random.Uniform() * 20;
                           return value;
                         }));
    }
  }
}

void AddHistograms(std::vector<WrittenSeries>& out, Random& random) {
  const char* const bounds[] = {"0.1", "0.5", "1", "2.5", "10", "+Inf"};
  for (const char* group : {"a", "b"}) {
    std::vector<std::vector<double>> columns(6);
    double counts[6] = {};
    for (int i = 0; i < 400; ++i) {
      double below = 0;
      for (size_t b = 0; b < 6; ++b) {
        counts[b] += static_cast<double>(random.Below(4));
        below += counts[b];
        columns[b].push_back(below);
      }
    }
    for (size_t b = 0; b < 6; ++b) {
      size_t at = 0;
      out.push_back(Fill({{"__name__", "h_bucket"}, {"g", group}, {"le", bounds[b]}}, {0.01, 0, 0},
                         random, [&, b] { return columns[b][at++]; }));
    }
  }
  // A histogram with a bound below zero, one bound written twice, and no +Inf.
  const std::pair<const char*, double> odd[] = {{"-1", 3}, {"1", 5}, {"1.0", 2}, {"oops", 9}};
  for (const auto& [bound, level] : odd) {
    double base = level;
    out.push_back(Fill({{"__name__", "odd_bucket"}, {"le", bound}}, {}, random,
                       [&, base] { return base + std::floor(random.Uniform() * 3); }));
  }
}

}  // namespace

std::vector<WrittenSeries> AwkwardData(uint64_t seed) {
  Random random(seed);
  std::vector<WrittenSeries> out;
  AddGauges(out, random);
  AddCounters(out, random);
  AddHistograms(out, random);
  return out;
}

std::string QueryGenerator::Next(bool range) {
  int depth = 1 + static_cast<int>(random_.Below(4));
  uint64_t kind = random_.Below(20);
  if (kind < 2) return Scalar(depth);
  if (kind == 2 && !range) return Matrix(depth);
  return Vector(depth);
}

std::string QueryGenerator::Duration() {
  static const char* const kDurations[] = {"30s", "1m", "1m30s", "5m", "7m",   "10m",
                                           "17s", "1h", "2m",    "3m", "250ms"};
  return Pick(kDurations);
}

std::string QueryGenerator::Number() {
  static const char* const kNumbers[] = {"0",    "1",   "2",   "0.5", "-1",  "10",   "3.7", "1e3",
                                         "0x1F", "010", "100", "NaN", "Inf", "-Inf", ".25"};
  return Pick(kNumbers);
}

std::string QueryGenerator::Shift(bool subquery) {
  std::string offset;
  if (random_.Chance(0.15)) {
    // A subquery moved into the future by exactly its range meets an oddity of Prometheus.
    bool future = random_.Chance(0.25);
    offset = future ? StrCat(" offset -", subquery ? "17s" : Duration())
                    : StrCat(" offset ", Duration());
  }
  std::string at;
  if (random_.Chance(subquery ? 0.08 : 0.1)) {
    uint64_t kind = random_.Below(4);
    if (kind == 0) at = " @ start()";
    if (kind == 1) at = " @ end()";
    if (kind > 1) {
      int64_t t = kDataStart / 1000 + static_cast<int64_t>(random_.Below(4800));
      at = StrCat(" @ ", t, random_.Chance(0.3) ? ".5" : "");
    }
  }
  return random_.Chance(0.5) ? offset + at : at + offset;
}

std::string QueryGenerator::Matchers(bool histogram) {
  static const char* const kPlain[] = {"",
                                       "",
                                       "",
                                       "{g=\"a\"}",
                                       "{g=~\"a|b\"}",
                                       "{g!=\"a\"}",
                                       "{g!~\"b.*\"}",
                                       "{g=~\".+\"}",
                                       "{i=\"1\"}",
                                       "{i=~\"[01]\"}",
                                       "{g=\"none\"}",
                                       "{g=~\"\"}",
                                       "{i=\"\"}",
                                       "{g=\"a\",g!=\"b\"}",
                                       "{g=~\"(a|c)\", i!=\"2\"}"};
  if (histogram) return random_.Chance(0.6) ? "" : "{g=\"a\"}";
  return random_.Chance(0.5) ? "" : Pick(kPlain);
}

std::string QueryGenerator::Selector() {
  static const char* const kMetrics[] = {"m",      "m",       "n",       "n",
                                         "lonely", "info",    "small",   "whole",
                                         "when",   "c_total", "missing", "h_bucket"};
  if (random_.Chance(0.03)) return "{__name__=~\"m|n\"}";
  std::string name = Pick(kMetrics);
  return name + Matchers(name == "h_bucket");
}

std::string QueryGenerator::Distinct() {
  static const char* const kMetrics[] = {"m", "c_total", "m{g=~\"a|b\"}", "small offset 1m"};
  std::string metric = Pick(kMetrics);
  if (metric == "c_total" && random_.Chance(0.7)) return "increase(c_total[5m])";
  return metric == "small offset 1m" ? "m offset 90s" : metric;
}

std::string QueryGenerator::Labels() {
  static const char* const kLists[] = {"g", "i", "g, i", "", "code", "le", "nothing", "version, g"};
  return Pick(kLists);
}

std::string QueryGenerator::Matrix(int depth) {
  if (depth > 0 && random_.Chance(0.3)) {
    static const char* const kSteps[] = {"", "30s", "1m", "7s", "15s"};
    std::string inner = Vector(depth - 1);
    // Never shorter than a step: a subquery without any step of its own shows oddities of
    // Prometheus.
    static const char* const kRanges[] = {"1m", "1m30s", "3m", "5m", "10m", "1h"};
    return StrCat("(", inner, ")[", Pick(kRanges), ":", Pick(kSteps), "]", Shift(true));
  }
  return StrCat(Selector(), "[", Duration(), "]", Shift(false));
}

std::string QueryGenerator::Scalar(int depth) {
  if (depth <= 0) return Number();
  switch (random_.Below(6)) {
    case 0: return "(time() - 1.7e9)";
    case 1: return "pi()";
    case 2: return StrCat("scalar(", Vector(depth - 1), ")");
    case 3: {
      static const char* const kOps[] = {"+", "-", "*", "/", "== bool", "< bool"};
      return StrCat("(", Scalar(depth - 1), " ", Pick(kOps), " ", Scalar(depth - 1), ")");
    }
    case 4: return StrCat("-(", Scalar(depth - 1), ")");
    default: return Number();
  }
}

// Without @: what 2.42 does with that in an aggregation's parameter depends on its buffers.
std::string QueryGenerator::Parameter() {
  static const char* const kPlain[] = {"scalar(lonely)", "scalar(whole{g=\"a\"} / 4)",
                                       "(time() % 3)", "-(0.5)"};
  return random_.Chance(0.5) ? Number() : Pick(kPlain);
}

std::string QueryGenerator::WindowCall(int depth) {
  static const char* const kPlain[] = {"rate",
                                       "increase",
                                       "delta",
                                       "irate",
                                       "idelta",
                                       "deriv",
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
                                       "stdvar_over_time"};
  switch (random_.Below(12)) {
    case 0: return StrCat("quantile_over_time(", Number(), ", ", Matrix(depth - 1), ")");
    case 1: return StrCat("quantile_over_time(", Scalar(1), ", ", Matrix(0), ")");
    case 3: return StrCat("predict_linear(", Matrix(0), ", ", Number(), ")");
    case 2: {
      static const char* const kFactors[] = {"0.3, 0.6", "0.5, 0.1", "0.9, 0.99", "0.5, 1"};
      return StrCat("holt_winters(", Matrix(depth - 1), ", ", Pick(kFactors), ")");
    }
    case 4: return StrCat("rate(c_total", Matchers(false), "[", Duration(), "]", Shift(false), ")");
    default: return StrCat(Pick(kPlain), "(", Matrix(depth - 1), ")");
  }
}

std::string QueryGenerator::LabelCall(int depth) {
  static const char* const kPatterns[] = {"\"(.*)\"", "\"(a|b)\"", "\"(?P<x>.)\"",
                                          "\"\"",     "\"z+\"",    "\"(\""};
  static const char* const kReplacements[] = {"\"$1\"",  "\"x-${1}y\"", "\"\"", "\"$x\"",
                                              "\"$$1\"", "\"$1x\"",     "\"k\""};
  static const char* const kNames[] = {"g", "i", "new", "__name__", "code", "bad-name"};
  if (random_.Chance(0.6)) {
    return StrCat("label_replace(", Vector(depth - 1), ", \"", Pick(kNames), "\", ",
                  Pick(kReplacements), ", \"", Pick(kNames), "\", ", Pick(kPatterns), ")");
  }
  std::string sources;
  for (uint64_t i = random_.Below(3); i > 0; --i) sources += StrCat(", \"", Pick(kNames), "\"");
  return StrCat("label_join(", Vector(depth - 1), ", \"", Pick(kNames), "\", \"-\"", sources, ")");
}

// What turns a difference in the last digit into a large one: asked of samples as they were
// written.
std::string QueryGenerator::Amplifying() {
  static const char* const kFunctions[] = {"exp", "sin", "cos", "tan", "sinh", "cosh", "timestamp"};
  static const char* const kOperators[] = {"%", "^", "atan2"};
  std::string samples = Selector() + Shift(false);
  if (random_.Chance(0.5)) return StrCat(Pick(kFunctions), "(", samples, ")");
  std::string op = StrCat(" ", Pick(kOperators), " ");
  switch (random_.Below(4)) {
    case 0: return StrCat(samples, op, Number());
    case 1: return StrCat(Number(), op, samples);
    case 2: return StrCat("m", op, "n", Shift(false));
    default: return StrCat("m", op, "on (g) group_left ", random_.Chance(0.5) ? "whole" : "small");
  }
}

std::string QueryGenerator::Call(int depth) {
  static const char* const kNumbers[] = {
      "abs",         "ceil",          "floor", "sqrt",   "ln",    "log2",        "log10",
      "sgn",         "asin",          "acos",  "atan",   "tanh",  "asinh",       "acosh",
      "atanh",       "deg",           "rad",   "minute", "hour",  "day_of_week", "day_of_month",
      "day_of_year", "days_in_month", "month", "year",   "round", "absent",      "sort",
      "sort_desc",

  };
  static const char* const kDates[] = {"minute",       "hour",        "day_of_week",
                                       "day_of_month", "day_of_year", "days_in_month",
                                       "month",        "year"};
  switch (random_.Below(24)) {
    case 12:
    case 13:
    case 14:
    case 15: return Amplifying();
    case 0: return StrCat("clamp(", Vector(depth - 1), ", ", Scalar(1), ", ", Scalar(1), ")");
    case 1: return StrCat("clamp_min(", Vector(depth - 1), ", ", Scalar(1), ")");
    case 2: return StrCat("clamp_max(", Vector(depth - 1), ", ", Scalar(1), ")");
    case 3: return StrCat("round(", Vector(depth - 1), ", 0.5)");
    case 4: return StrCat("vector(", Scalar(depth - 1), ")");
    case 5: return StrCat(Pick(kDates), "()");
    case 6:
      return StrCat("histogram_quantile(", Scalar(1), ", ",
                    random_.Chance(0.5) ? "rate(h_bucket[5m])"
                                        : (random_.Chance(0.7) ? "h_bucket" : "odd_bucket"),
                    ")");
    case 7:
      return StrCat("histogram_quantile(0.9, sum by (le", random_.Chance(0.5) ? ", g" : "",
                    ") (rate(h_bucket[", Duration(), "])))");
    case 8:
    case 9: return LabelCall(depth);
    case 10: return StrCat("histogram_quantile(0.5, ", Vector(depth - 1), ")");
    case 11:
      return StrCat(random_.Chance(0.5)   ? "histogram_fraction(0, 1, "
                    : random_.Chance(0.5) ? "histogram_count("
                                          : "histogram_sum(",
                    Vector(depth - 1), ")");
    default: return StrCat(Pick(kNumbers), "(", Vector(depth - 1), ")");
  }
}

std::string QueryGenerator::Aggregate(int depth) {
  static const char* const kFolds[] = {"sum",   "avg",    "min",    "max", "count",
                                       "group", "stddev", "stdvar", "SUM", "Avg"};
  std::string clause;
  if (random_.Chance(0.6))
    clause = StrCat(random_.Chance(0.6) ? " by (" : " without (", Labels(), ")");
  bool after = random_.Chance(0.4);
  std::string head;
  std::string body;
  switch (random_.Below(8)) {
    case 0:
      head = random_.Chance(0.5) ? "topk" : "bottomk";
      body = StrCat(random_.Chance(0.1) ? Parameter() : StrCat(random_.Below(4)), ", ", Distinct());
      break;
    case 1:
      head = "quantile";
      body = StrCat(Parameter(), ", ", Vector(depth - 1));
      break;
    case 2:
      head = "count_values";
      body = StrCat("\"", random_.Chance(0.9) ? "val" : "g", "\", ",
                    random_.Chance(0.5) ? "whole" : "c_total");
      break;
    default: head = Pick(kFolds); body = Vector(depth - 1);
  }
  return after ? StrCat(head, "(", body, ")", clause) : StrCat(head, clause, " (", body, ")");
}

std::string QueryGenerator::Matching(bool set, bool grouping) {
  std::string out;
  bool some = random_.Chance(0.5) || (grouping && !set);
  if (some) out = StrCat(random_.Chance(0.5) ? " on (" : " ignoring (", Labels(), ")");
  if (some && grouping && !set) {
    static const char* const kIncludes[] = {"", "()", "(version)", "(g)", "(nothing)"};
    std::string include = Pick(kIncludes);
    // A label may not be in on() and in the include list at once.
    if (include == "(g)" && out.find("g") != std::string::npos) include = "";
    if (include == "(version)" && out.find("version") != std::string::npos) include = "()";
    if (include == "(nothing)" && out.find("nothing") != std::string::npos) include = "()";
    out += StrCat(random_.Chance(0.7) ? " group_left " : " group_right ", include);
  }
  return out;
}

std::string QueryGenerator::Binary(int depth) {
  static const char* const kArithmetic[] = {"+", "-", "*", "/"};
  static const char* const kComparisons[] = {"==", "!=", ">", "<", ">=", "<="};
  static const char* const kSets[] = {"and", "or", "unless"};
  std::string lhs = StrCat("(", Vector(depth - 1), ")");
  std::string rhs = StrCat("(", Vector(depth - 1), ")");
  bool related = random_.Chance(0.5);
  if (related) {
    lhs = random_.Chance(0.5) ? "m" : "n";
    rhs = random_.Chance(0.3) ? "info" : (random_.Chance(0.5) ? "n" : "m{g!=\"b\"}");
  }
  uint64_t kind = random_.Below(10);
  if (kind < 2) return StrCat(lhs, " ", Pick(kSets), Matching(true, false), " ", rhs);
  bool compare = kind < 5;
  std::string op = compare ? Pick(kComparisons) : Pick(kArithmetic);
  if (compare && random_.Chance(0.4)) op += " bool";
  if (kind >= 8) {
    return random_.Chance(0.5) ? StrCat(lhs, " ", op, " ", Scalar(depth - 1))
                               : StrCat(Scalar(depth - 1), " ", op, " ", rhs);
  }
  if (related && rhs == "info") {
    return StrCat(lhs, " ", op, " on (g) group_left ", random_.Chance(0.5) ? "(version)" : "", " ",
                  rhs);
  }
  return StrCat(lhs, " ", op, Matching(false, random_.Chance(0.3)), " ", rhs);
}

std::string QueryGenerator::Vector(int depth) {
  if (depth <= 0) return Selector() + Shift(false);
  switch (random_.Below(10)) {
    case 0: return Selector() + Shift(false);
    case 1: return StrCat("-(", Vector(depth - 1), ")");
    case 2:
    case 3:
    case 4: return WindowCall(depth);
    case 5:
    case 6: return Aggregate(depth);
    case 7: return Binary(depth);
    default: return random_.Chance(0.5) ? Call(depth) : Binary(depth);
  }
}

}  // namespace rollguard::promql
