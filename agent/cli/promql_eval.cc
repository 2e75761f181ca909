// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/options.h"
#include "agent/promql/engine.h"
#include "agent/promql/parser.h"
#include "agent/proof/series_file.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "promql eval";

constexpr std::string_view kHelp =
    R"(usage: rollguard promql eval [--series FILE] [--at TIME] EXPR
       rollguard promql eval [--series FILE] --start TIME --end TIME --step DURATION EXPR

Evaluates a PromQL expression on the series of a file: YAML with input_series, interval and
start_timestamp as rule tests have them, or a metrics page (text format or OpenMetrics).

TIME is a duration since the start of the series (5m), Unix seconds or RFC 3339.

options:
  --series FILE         the series (- for the standard input); there are none by default
  --at TIME             when to evaluate (0, the start)
  --start, --end TIME   evaluate over a range
  --step DURATION       the range's step (1m)
  --promql-version N    2 (as Prometheus 2.42; the default) or 3
  -o json               the answer as the HTTP API writes it

exit code: 0 evaluated, 1 the expression or the file is wrong, 2 wrong usage

examples:
  rollguard promql eval '0.5 * 3 ^ 2'
  rollguard promql eval --series series.yaml --at 5m 'sum by (job) (rate(requests_total[2m]))'
  curl -s localhost:8080/metrics | rollguard promql eval --series - 'count by (__name__) ({job=""})'
)";

// "5m" after `start`, "1700000000.5", "2026-11-02T10:00:00Z".
std::optional<Time> ReadTime(const std::string& text, Time start) {
  if (text.empty() || text == "0") return start;
  if (auto duration = ParsePromDuration(text, true)) return start + *duration;
  if (auto seconds = ParseDouble(text); seconds && std::abs(*seconds) < 1e12) {
    return FromUnixMillis(static_cast<int64_t>(std::llround(*seconds * 1000)));
  }
  if (auto time = ParseRfc3339(text)) return *time;
  return std::nullopt;
}

// Instant vectors have no order of their own unless the query gives one.
void SortAnswer(promql::Value& value, const promql::Query& query) {
  auto* vector = std::get_if<promql::Vector>(&value);
  if (vector == nullptr) return;
  promql::NodeId root = promql::SkipParens(query, query.root);
  if (auto* call = query.As<promql::CallNode>(root)) {
    if (call->function->id == promql::FunctionId::kSort ||
        call->function->id == promql::FunctionId::kSortDesc) {
      return;
    }
  }
  if (auto* aggregate = query.As<promql::AggregateNode>(root)) {
    if (aggregate->op == promql::AggregateOp::kTopk ||
        aggregate->op == promql::AggregateOp::kBottomk) {
      return;
    }
  }
  std::sort(vector->begin(), vector->end(),
            [](const auto& a, const auto& b) { return a.labels < b.labels; });
}

// Prints what is wrong; true when there was nothing.
bool Report(const Diagnostics& problems, std::string_view text) {
  for (const Diagnostic& d : problems.Sorted()) std::fputs(Render(d, text).c_str(), stderr);
  return !problems.has_errors();
}

bool ReportExpression(const promql::ParseResult& parsed, std::string_view expr) {
  Diagnostics problems;
  for (const promql::ParseError& error : parsed.errors) {
    problems.Error("expression", error.place, error.message);
  }
  return Report(problems, expr);
}

struct Moments {
  Time at{};
  bool range = false;
  Time start{};
  Time end{};
  Duration step = std::chrono::minutes(1);
};

// The exit code when an option is wrong.
std::optional<int> ReadMoments(const Options& options, Time start, Moments& out) {
  auto read = [&](std::string_view name, Time& time) {
    auto value = ReadTime(options.Get(name), start);
    if (value) time = *value;
    return value.has_value();
  };
  out.range = options.Has("--start") || options.Has("--end");
  for (auto [name, time] : {std::pair("--at", &out.at), std::pair("--start", &out.start),
                            std::pair("--end", &out.end)}) {
    if (!read(name, *time)) {
      return UsageError(kName, StrCat(name, " must be a duration, Unix seconds or RFC 3339"));
    }
  }
  if (options.Has("--step")) {
    auto step = ParsePromDuration(options.Get("--step"));
    if (!step) return UsageError(kName, "--step must be a duration like 30s");
    out.step = *step;
  }
  return std::nullopt;
}

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(
      args,
      {{"--series", "--at", "--start", "--end", "--step", "--promql-version", "--output"}, {}});
  if (!options) return UsageError(kName, options.error().message);
  if (options->arguments.size() != 1) return UsageError(kName, "give exactly one expression");
  std::string version = options->Get("--promql-version", "2");
  if (version != "2" && version != "3") return UsageError(kName, "--promql-version is 2 or 3");

  const std::string& expr = options->arguments[0];
  promql::ParseResult parsed = promql::Parse(expr);
  if (!ReportExpression(parsed, expr)) return kFound;
  // Where a page's samples stand must be known before it is loaded; relative times count from 0.
  Moments moments;
  if (auto code = ReadMoments(*options, Time(), moments)) return *code;
  proof::SeriesFile series;
  if (options->Has("--series")) {
    const std::string file = options->Get("--series");
    auto text = ReadFile(file);
    if (!text) return Fail(kName, text.error().message);
    Diagnostics problems;
    series =
        proof::LoadSeriesFile(file, *text, moments.range ? moments.start : moments.at, problems);
    if (!Report(problems, *text)) return kFound;
  }
  if (auto code = ReadMoments(*options, series.start, moments)) return *code;

  promql::EngineOptions engine_options;
  engine_options.version3 = version == "3";
  engine_options.default_step = series.interval;
  promql::Engine engine(series.store, engine_options);
  auto value = moments.range ? engine.Range(parsed.query, moments.start, moments.end, moments.step)
                             : engine.Instant(parsed.query, moments.at);
  if (!value) return Fail(kName, value.error().message);
  SortAnswer(*value, parsed.query);
  bool json = options->Get("--output") == "json";
  std::string out = json ? promql::ToJson(*value).Dump(2) + "\n" : promql::ToString(*value);
  std::fputs(out.c_str(), stdout);
  return kOk;
}

}  // namespace

extern const Command kPromqlEvalCommand;
const Command kPromqlEvalCommand = {"promql eval", "evaluate PromQL on a file of series", kHelp,
                                    Run};

}  // namespace rollguard::cli
