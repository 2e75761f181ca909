// SPDX-License-Identifier: Apache-2.0
// `rollguard query`: asks a live metrics server, draws ranges.
#include <cmath>
#include <cstdio>
#include <future>

#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/promql_text.h"
#include "agent/cli/system_clock.h"
#include "agent/net/curl_client.h"
#include "agent/prometheus/server_source.h"
#include "agent/promql/plot.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "query";
constexpr std::string_view kHelp =
    R"(usage: rollguard query --source URL [--at TIME] EXPR
       rollguard query --source URL --last DURATION [--step DURATION] EXPR

Asks a Prometheus-compatible server. An instant query prints one series a line, a range a small
picture of them.

TIME is Unix seconds or RFC 3339; now by default.

options:
  --source URL         the server
  --at TIME            when to evaluate; the end of a range
  --last DURATION      a range that long (1h)
  --step DURATION      the range's step (a hundredth and a bit of it)
  --width N            columns of the picture (72)
  --token-file FILE    bearer token
  --user NAME --password-file FILE
  --tenant NAME        X-Scope-OrgID
  --ca-file FILE       trust this CA and no other
  --timeout DURATION   (30s)
  -o json              the answer as the HTTP API writes it

exit code: 0 answered, 1 the expression or the answer is bad, 2 wrong usage

example:
  rollguard query --source http://localhost:9090 --last 1h 'sum(rate(http_requests_total[5m]))'
)";

std::optional<Time> ReadTime(const std::string& text) {
  if (text.empty()) return SystemClock().Now();
  if (auto seconds = ParseDouble(text); seconds && std::abs(*seconds) < 1e12) {
    return FromUnixMillis(static_cast<int64_t>(std::llround(*seconds * 1000)));
  }
  if (auto time = ParseRfc3339(text)) return *time;
  return std::nullopt;
}

prometheus::ApiOptions ApiOf(const Options& options) {
  prometheus::ApiOptions api;
  api.url = options.Get("--source");
  api.bearer_token_file = options.Get("--token-file");
  api.username = options.Get("--user");
  api.password_file = options.Get("--password-file");
  api.tenant = options.Get("--tenant");
  auto tls = std::make_shared<TlsOptions>();
  tls->ca_file = options.Get("--ca-file");
  api.tls = std::move(tls);
  return api;
}

// The question, or what is wrong with the command line.
Expected<MetricQuery> QuestionOf(const Options& options, std::string text) {
  MetricQuery query;
  query.query = std::move(text);
  auto at = ReadTime(options.Get("--at"));
  if (!at)
    return Error(ErrorCode::kInvalid, StrCat("--at ", Quote(options.Get("--at")), " is no time"));
  query.at = *at;
  auto timeout = ParsePromDuration(options.Get("--timeout", "30s"));
  if (!timeout) return timeout.error();
  query.timeout = *timeout;
  if (!options.Has("--last")) return query;
  auto last = ParsePromDuration(options.Get("--last"));
  if (!last) return last.error();
  auto step = ParsePromDuration(options.Get("--step", "1s"));
  if (!step) return step.error();
  if (!options.Has("--step")) *step = std::max<Duration>(std::chrono::seconds(1), *last / 120);
  query.range = MetricQuery::Range{*at - *last, *at, *step};
  return query;
}

Expected<MetricAnswer> Ask(const Options& options, MetricQuery query) {
  net::CurlClient client(SystemClock());
  prometheus::ServerSource source(client, client, SystemClock(), 1, ApiOf(options));
  std::promise<Expected<MetricAnswer>> promise;
  auto future = promise.get_future();
  source.Query(std::move(query),
               [&promise](Expected<MetricAnswer> answer) { promise.set_value(std::move(answer)); });
  return future.get();
}

void Show(const MetricAnswer& answer, const Options& options, size_t width) {
  for (const std::string& warning : answer.warnings) {
    std::fputs(StrCat("warning: ", warning, "\n").c_str(), stderr);
  }
  if (options.Get("--output") == "json") {
    std::puts(promql::ToJson(answer.value).Dump(2).c_str());
  } else if (const auto* matrix = std::get_if<promql::Matrix>(&answer.value);
             matrix != nullptr && options.Has("--last")) {
    promql::PlotSize size;
    size.width = width;
    std::fputs(promql::Plot(*matrix, size).c_str(), stdout);
  } else {
    std::string text = promql::ToString(answer.value);
    if (text.empty()) text = "no series";
    if (text.back() != '\n') text += '\n';
    std::fputs(text.c_str(), stdout);
  }
}

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(
      args, {{"--source", "--at", "--last", "--step", "--width", "--token-file", "--user",
              "--password-file", "--tenant", "--ca-file", "--timeout", "--output"},
             {}});
  if (!options) return UsageError(kName, options.error().message);
  if (!options->Has("--source")) return UsageError(kName, "give the server: --source URL");
  auto text = ExpressionOf(*options);
  if (!text) return UsageError(kName, text.error().message);
  auto width = ParseInt(options->Get("--width", "72"));
  if (!width || *width < 20 || *width > 1000) return UsageError(kName, "--width is 20 to 1000");
  auto question = QuestionOf(*options, *text);
  if (!question) return UsageError(kName, question.error().message);
  auto answer = Ask(*options, *question);
  if (!answer) return Fail(kName, answer.error().message);
  Show(*answer, *options, static_cast<size_t>(*width));
  return kOk;
}

}  // namespace

extern const Command kQueryCommand;
const Command kQueryCommand = {kName, "ask a live metrics server; ranges are drawn", kHelp, Run};

}  // namespace rollguard::cli
