// SPDX-License-Identifier: Apache-2.0
// `rollguard analysis query`: measures every metric of a template once, for real.
#include <algorithm>
#include <cstdio>
#include <future>
#include <memory>
#include <vector>

#include "agent/analysis/play.h"
#include "agent/base/text.h"
#include "agent/cli/analysis_files.h"
#include "agent/cli/command.h"
#include "agent/cli/system_clock.h"
#include "agent/net/curl_client.h"
#include "agent/prometheus/server_source.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "analysis query";
constexpr std::string_view kHelp =
    R"(usage: rollguard analysis query --template FILE [--arg NAME=VALUE]... [--source URL] [-o json]

Measures every metric of a template once, now and for real, and prints what each measurement is:
the verdict, the value and what went wrong. Nothing is changed anywhere: Jobs are not started.

options:
  --template FILE      AnalysisTemplate or ClusterAnalysisTemplate documents; may come several times
  --name NAME          this template of the file only
  --arg NAME=VALUE     an argument's value
  --secret NAME=VALUE  the value of an argument that comes from a Secret
  --source URL         the Prometheus to ask, whatever address the template names
  --exit-code          exit with 1 unless every measurement is Successful
  -o json              for machines, as `rollguard analysis run -o json`

exit code: 0 everything was measured, 1 something could not be, 2 wrong usage

example:
  rollguard analysis query --template rules/templates/latency.yaml --arg service-name=checkout \
    --arg namespace=shop --source http://localhost:9090
)";

using AnswerPromise = std::shared_ptr<std::promise<Expected<analysis::Answer>>>;

std::shared_ptr<const TlsOptions> TlsOf(bool insecure) {
  if (!insecure) return nullptr;
  auto tls = std::make_shared<TlsOptions>();
  tls->insecure = true;
  return tls;
}

// Adds what proves who asks; an error for what this command cannot do.
Status Prove(const spec::Authentication& authentication, HttpHeaders& headers) {
  if (authentication.oauth2) {
    return Error(ErrorCode::kInvalid,
                 "OAuth 2 is left to the agent; pass --source with a server that needs none");
  }
  if (authentication.basic) {
    const auto& basic = *authentication.basic;
    headers.emplace_back(
        "Authorization",
        StrCat("Basic ", Base64Encode(StrCat(basic.username, ":", basic.password))));
  }
  return {};
}

// Carries requests out side by side; every answer comes through its promise.
class Asker {
 public:
  explicit Asker(std::string source) : source_(std::move(source)) {}

  void operator()(const analysis::PrometheusQuery& query, const AnswerPromise& promise) {
    prometheus::ApiOptions api;
    api.url = source_.empty() ? query.address : source_;
    api.headers = query.headers;
    api.tls = TlsOf(query.insecure);
    if (api.url.empty()) {
      return promise->set_value(
          Error(ErrorCode::kInvalid, "the template names no address: pass --source URL"));
    }
    if (auto status = Prove(query.authentication, api.headers); !status)
      return promise->set_value(status.error());
    sources_.push_back(
        std::make_unique<prometheus::ServerSource>(client_, client_, SystemClock(), 1, api));
    MetricQuery ask;
    ask.query = query.query;
    ask.at = query.at;
    ask.timeout = query.timeout;
    if (query.range)
      ask.range = MetricQuery::Range{query.range->start, query.range->end, query.range->step};
    sources_.back()->Query(std::move(ask),
                           [promise, text = query.query](Expected<MetricAnswer> answer) {
                             if (!answer) return promise->set_value(answer.error());
                             auto out = analysis::AnswerFrom(answer->value);
                             if (out) out->query = text;
                             if (out) out->warnings = answer->warnings;
                             promise->set_value(std::move(out));
                           });
  }

  void operator()(const analysis::WebRequest& request, const AnswerPromise& promise) {
    HttpRequest out;
    out.method = request.method;
    out.url = request.url;
    out.headers = request.headers;
    out.body = request.body;
    out.timeout = request.timeout;
    out.tls = TlsOf(request.insecure);
    if (auto status = Prove(request.authentication, out.headers); !status)
      return promise->set_value(status.error());
    client_.Send(std::move(out), [promise,
                                  path = request.json_path](Expected<HttpResponse> response) {
      if (!response) return promise->set_value(response.error());
      if (response->status < 200 || response->status >= 300) {
        return promise->set_value(Error(
            ErrorCode::kUnavailable, StrCat("received non 2xx response code: ", response->status)));
      }
      promise->set_value(analysis::AnswerFromWeb(response->body, path));
    });
  }

  void operator()(const analysis::JobRequest&, const AnswerPromise& promise) {
    promise->set_value(Error(ErrorCode::kInvalid, "a Job is not started from here"));
  }

 private:
  net::CurlClient client_{SystemClock()};
  std::vector<std::unique_ptr<prometheus::ServerSource>> sources_;  // gone before the client
  std::string source_;
};

void Measure(analysis::Run& run, const analysis::SecretValues& secrets, const std::string& source) {
  Asker asker(source);
  Time now = SystemClock().Now();
  std::vector<std::future<Expected<analysis::Answer>>> answers;
  for (size_t i = 0; i < run.spec.metrics.size(); ++i) {
    Begin(run, i, now);
    auto promise = std::make_shared<std::promise<Expected<analysis::Answer>>>();
    answers.push_back(promise->get_future());
    auto request = MakeRequest(run, i, secrets, now);
    if (request) {
      std::visit([&](const auto& r) { asker(r, promise); }, *request);
    } else {
      promise->set_value(request.error());
    }
  }
  for (size_t i = 0; i < answers.size(); ++i) Finish(run, i, answers[i].get(), now, secrets);
}

void Print(const analysis::Run& run) {
  for (const analysis::MetricState& state : run.state.metrics) {
    const analysis::Measurement& m = state.measurements.back();
    std::string line = StrCat(state.name, ": ", ToString(m.phase));
    if (!m.value.empty()) line += StrCat(" ", m.value);
    if (!m.message.empty()) line += StrCat(": ", m.message);
    std::puts(line.c_str());
    for (const std::string& warning : m.warnings) std::puts(StrCat("  warning: ", warning).c_str());
  }
}

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(
      args,
      {{"--template", "--name", "--arg", "--secret", "--source", "--output"}, {"--exit-code"}});
  if (!options) return UsageError(kName, options.error().message);
  if (!options->arguments.empty())
    return UsageError(kName, StrCat("unexpected ", Quote(options->arguments[0])));
  std::string output = options->Get("--output", "text");
  if (output != "text" && output != "json")
    return UsageError(kName, StrCat("the output is text or json, not ", Quote(output)));
  auto input = ReadAnalysisInput(*options);
  if (!input) return UsageError(kName, input.error().message);
  std::fputs(input->problems.c_str(), stderr);
  analysis::Run run = MakeOfflineRun(*input, options->Get("--name"), SystemClock().Now());
  // An argument that would come from a Secret may be given as any other.
  analysis::SecretValues secrets = input->secrets;
  for (const auto& arg : input->args) secrets.push_back(arg);
  std::erase_if(secrets, [&](const auto& s) {
    return std::none_of(
        run.spec.secrets.begin(), run.spec.secrets.end(),
        [&](const analysis::SecretArgument& wanted) { return wanted.name == s.first; });
  });
  Measure(run, secrets, options->Get("--source"));
  if (output == "json") {
    std::puts(analysis::Report(run).Dump(2).c_str());
  } else if (run.state.metrics.empty()) {
    std::puts(StrCat("Error: ", run.state.message).c_str());
  } else {
    Print(run);
  }
  bool measured = !run.state.metrics.empty();
  bool good = measured;
  for (const analysis::MetricState& state : run.state.metrics) {
    measured = measured && state.error == 0;
    good = good && state.successful > 0;
  }
  return !measured || (options->Has("--exit-code") && !good) ? kFound : kOk;
}

}  // namespace

extern const Command kAnalysisQueryCommand;
const Command kAnalysisQueryCommand = {kName, "measure a template once, for real", kHelp, Run};

}  // namespace rollguard::cli
