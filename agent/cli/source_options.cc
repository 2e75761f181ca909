// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/source_options.h"

#include <condition_variable>
#include <memory>
#include <mutex>

#include "agent/base/text.h"
#include "agent/cli/system_clock.h"
#include "agent/net/curl_client.h"
#include "agent/prometheus/server_source.h"
#include "agent/spec/load.h"

namespace rollguard::cli {
namespace {

constexpr size_t kSideBySide = 8;

Expected<prometheus::ApiOptions> Named(const std::string& name, const std::string& config) {
  if (config.empty()) {
    return Error(ErrorCode::kInvalid, StrCat("--source ", Quote(name),
                                             " is no URL; give --config FILE to find a source "
                                             "of that name"));
  }
  auto text = ReadFile(config);
  if (!text) return text.error();
  auto parsed = spec::ParseAgentConfig(config, *text);
  if (!parsed) return parsed.error();
  std::vector<std::string_view> names;
  for (const spec::MetricsSourceConfig& source : parsed->metrics) {
    names.push_back(source.name);
    const auto* server = std::get_if<spec::PrometheusSource>(&source.source);
    if (source.name == name && server != nullptr) return prometheus::ApiOptionsOf(*server);
    if (source.name == name)
      return Error(ErrorCode::kInvalid,
                   StrCat("the source ", name, " is embedded: it has no past to ask"));
  }
  return Error(ErrorCode::kNotFound,
               StrCat(config, " has no source ", Quote(name), Suggestion(name, names)));
}

// What the threads of a round share.
struct Round {
  std::mutex mutex;
  std::condition_variable ready;
  std::vector<std::optional<Expected<MetricAnswer>>> answers;
  size_t under_way = 0;
  size_t done = 0;
};

}  // namespace

std::vector<std::string_view> SourceOptionNames() {
  return {"--source",        "--config", "--token-file", "--user",
          "--password-file", "--tenant", "--ca-file"};
}

Expected<prometheus::ApiOptions> SourceOf(const Options& options) {
  std::string source = options.Get("--source");
  if (source.empty()) return Error(ErrorCode::kInvalid, "give the server: --source URL");
  prometheus::ApiOptions api;
  if (source.find("://") == std::string::npos) {
    auto named = Named(source, options.Get("--config"));
    if (!named) return named.error();
    api = std::move(*named);
  } else {
    api.url = source;
  }
  auto take = [&](std::string_view name, std::string& out) {
    if (options.Has(name)) out = options.Get(name);
  };
  take("--token-file", api.bearer_token_file);
  take("--user", api.username);
  take("--password-file", api.password_file);
  take("--tenant", api.tenant);
  if (options.Has("--ca-file")) {
    auto tls = std::make_shared<TlsOptions>();
    tls->ca_file = options.Get("--ca-file");
    api.tls = std::move(tls);
  }
  return api;
}

std::vector<Expected<MetricAnswer>> AskAll(const prometheus::ApiOptions& api,
                                           std::vector<MetricQuery> queries,
                                           const std::function<void(size_t)>& answered) {
  Round round;
  round.answers.resize(queries.size());
  {
    net::CurlClient client(SystemClock());
    prometheus::ServerSource source(client, client, SystemClock(), 1, api);
    for (size_t i = 0; i < queries.size(); ++i) {
      std::unique_lock lock(round.mutex);
      round.ready.wait(lock, [&] { return round.under_way < kSideBySide; });
      ++round.under_way;
      lock.unlock();
      source.Query(std::move(queries[i]), [&round, &answered, i](Expected<MetricAnswer> answer) {
        std::lock_guard hold(round.mutex);
        round.answers[i] = std::move(answer);
        --round.under_way;
        ++round.done;
        if (answered) answered(round.done);
        round.ready.notify_one();
      });
    }
    std::unique_lock lock(round.mutex);
    round.ready.wait(lock, [&] { return round.done == queries.size(); });
  }
  std::vector<Expected<MetricAnswer>> out;
  for (auto& answer : round.answers) out.push_back(std::move(*answer));
  return out;
}

}  // namespace rollguard::cli
