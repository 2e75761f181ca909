// SPDX-License-Identifier: Apache-2.0
#include "agent/prometheus/server_source.h"

#include <map>

namespace rollguard::prometheus {
namespace {

Expected<MetricAnswer> ToAnswer(QueryOutcome outcome) {
  if (!outcome.answer) return outcome.answer.error();
  MetricAnswer answer;
  answer.value = std::move(outcome.answer->value);
  answer.suspect = !outcome.answer->warnings.empty();
  answer.warnings = std::move(outcome.answer->warnings);
  return answer;
}

}  // namespace

ApiOptions ApiOptionsOf(const spec::PrometheusSource& source) {
  const spec::HttpEndpoint& endpoint = source.endpoint;
  ApiOptions options;
  options.url = endpoint.url;
  options.bearer_token_file = endpoint.auth.bearer_token_file;
  options.username = endpoint.auth.username;
  options.password_file = endpoint.auth.password_file;
  for (const auto& [name, value] : endpoint.headers) options.headers.emplace_back(name, value);
  options.tenant = source.tenant;
  options.tenant_header = source.tenant_header;
  auto tls = std::make_shared<TlsOptions>();
  tls->ca_file = endpoint.tls.ca_file;
  tls->cert_file = endpoint.tls.cert_file;
  tls->key_file = endpoint.tls.key_file;
  tls->server_name = endpoint.tls.server_name;
  tls->insecure = endpoint.tls.insecure_skip_verify;
  options.tls = std::move(tls);
  options.concurrency = static_cast<int>(source.concurrency);
  return options;
}

FoldOptions FoldOptionsOf(const spec::PrometheusSource& source) {
  FoldOptions options;
  options.fold = source.fold;
  options.max_values = static_cast<size_t>(source.fold_limit);
  return options;
}

// Lives on the loop.
struct ServerSource::State : std::enable_shared_from_this<ServerSource::State> {
  State(HttpClient& http, Timers& timers, const Clock& c, uint64_t seed, ApiOptions api_options,
        FoldOptions fold)
      : clock(c),
        random(seed),
        memory(fold),
        api(http, timers, c, seed + 1, std::move(api_options)) {}

  // `done`, with the state kept alive while it runs, or dropped when the source is gone.
  static QueryDone Held(std::weak_ptr<State> weak, QueryDone done) {
    return [weak, done = std::move(done)](QueryOutcome outcome) {
      if (auto self = weak.lock()) done(std::move(outcome));
    };
  }

  void Single(const MetricQuery& query, MetricDone done) {
    auto finish = Held(weak_from_this(), [done = std::move(done)](QueryOutcome outcome) {
      done(ToAnswer(std::move(outcome)));
    });
    ++counters.questions;
    ++counters.requests;
    if (query.range) {
      api.Range(query.query, query.range->start, query.range->end, query.range->step, query.timeout,
                std::move(finish));
    } else {
      api.Instant(query.query, query.at, query.timeout, std::move(finish));
    }
  }

  void Fold(Round questions, Time at, Duration timeout) {
    Time deadline = clock.Now() + timeout;
    std::weak_ptr<State> weak = weak_from_this();
    auto ask = [weak, at, deadline](const std::string& expr,
                                    std::function<void(QueryOutcome)> done) {
      auto self = weak.lock();
      if (self == nullptr) return;
      Duration left = std::max<Duration>(Duration(1), deadline - self->clock.Now());
      self->api.Instant(expr, at, left, Held(weak, std::move(done)));
    };
    MetricsRound::Start(std::move(questions), at, memory, random, counters, std::move(ask));
  }

  void Ask(Round round) {
    // Questions of one instant and patience fold together.
    std::map<std::pair<Time, Duration>, Round> instants;
    for (auto& [query, done] : round) {
      if (query.range || !memory.options().fold) {
        Single(query, std::move(done));
      } else {
        std::pair<Time, Duration> key(query.at, query.timeout);
        instants[key].emplace_back(std::move(query), std::move(done));
      }
    }
    for (auto& [key, questions] : instants) Fold(std::move(questions), key.first, key.second);
  }

  const Clock& clock;
  Random random;
  FoldMemory memory;
  FoldCounters counters;
  ApiClient api;
};

ServerSource::ServerSource(HttpClient& http, Timers& timers, const Clock& clock, uint64_t seed,
                           ApiOptions api, FoldOptions fold)
    : timers_(timers),
      state_(std::make_shared<State>(http, timers, clock, seed, std::move(api), fold)) {}

ServerSource::~ServerSource() = default;

const FoldCounters& ServerSource::counters() const { return state_->counters; }

void ServerSource::Post(std::function<void(State&)> work) {
  std::weak_ptr<State> weak = state_;
  timers_.After(Duration(0), [weak, work = std::move(work)] {
    if (auto state = weak.lock()) work(*state);
  });
}

void ServerSource::Query(MetricQuery query, MetricDone done) {
  Post([query = std::move(query), done = std::move(done)](State& state) {
    state.Single(query, done);
  });
}

void ServerSource::Ask(Round round) {
  Post([round = std::make_shared<Round>(std::move(round))](State& state) {
    state.Ask(std::move(*round));
  });
}

}  // namespace rollguard::prometheus
