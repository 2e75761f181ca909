// SPDX-License-Identifier: Apache-2.0
// Every public call posts a function to the timers' loop; Core is only touched there. HTTP answers
// may arrive on another thread and are carried over the same way. Callbacks hold Core weakly: once
// the source is gone they do nothing.
#include "agent/prometheus/embedded.h"

#include <algorithm>
#include <map>
#include <utility>

#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/prometheus/scrape_pool.h"
#include "agent/promql/engine.h"
#include "agent/promql/parser.h"

namespace rollguard::prometheus {
namespace {

constexpr const char* kAccept =
    "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

}  // namespace

class EmbeddedSource::Core : public std::enable_shared_from_this<EmbeddedSource::Core> {
 public:
  Core(HttpClient& http, Timers& timers, const Clock& clock, EmbeddedOptions options)
      : http_(http), timers_(timers), clock_(clock), options_(std::move(options)) {
    options_.timeout = std::min(options_.timeout, options_.interval);
  }

  // Runs `fn(core)` on the loop, after `delay`, unless the source is gone by then.
  template <class F>
  void Post(F fn, Duration delay = Duration(0)) {
    timers_.After(delay, [weak = weak_from_this(), fn = std::move(fn)]() mutable {
      if (auto core = weak.lock()) fn(*core);
    });
  }

  void SetTargets(std::vector<ScrapeTarget> targets) {
    std::map<std::string, Target> kept;
    for (ScrapeTarget& target : targets) {
      auto old = targets_.find(target.url);
      if (old != targets_.end() && old->second.spec == target) {
        kept.insert(targets_.extract(old));
      } else {
        AddTarget(std::move(target), kept);
      }
    }
    Millis now = ToUnixMillis(clock_.Now());
    for (auto& [url, target] : targets_) target.series.Retire(now);
    targets_ = std::move(kept);
    if (!sweeping_) {
      sweeping_ = true;
      Post([](Core& core) { core.Sweep(); }, options_.interval);
    }
  }

  void Query(MetricQuery query, const MetricDone& done) {
    auto parsed = promql::ParseQuery(query.query);
    if (!parsed) return done(parsed.error());
    promql::EngineOptions options;
    options.lookback = options_.lookback;
    options.version3 = options_.promql_version3;
    auto deadline = clock_.Monotonic() + query.timeout;
    options.expired = [&] { return clock_.Monotonic() > deadline; };
    promql::Engine engine(store_, options);
    auto value =
        query.range ? engine.Range(*parsed, query.range->start, query.range->end, query.range->step)
                    : engine.Instant(*parsed, query.at);
    if (!value) return done(value.error());
    MetricAnswer answer{std::move(value).value()};
    EmbeddedStatus status = Status();
    if (status.targets == 0 || status.waiting > 0) {
      answer.suspect = true;
      answer.warnings = {status.targets == 0 ? std::string("no pod is being scraped")
                                             : StrCat(status.waiting, " of ", status.targets,
                                                      " targets have not been scraped yet")};
    }
    done(std::move(answer));
  }

  EmbeddedStatus Status() const {
    EmbeddedStatus status;
    status.targets = targets_.size();
    for (const auto& [url, target] : targets_) {
      status.waiting += target.scraped ? 0 : 1;
      status.down += target.scraped && !target.up ? 1 : 0;
    }
    status.series = store_.series_count();
    return status;
  }

  EmbeddedStatus FullStatus() const {
    EmbeddedStatus status = Status();
    status.samples = store_.sample_count();
    status.bytes = store_.MemoryBytes();
    return status;
  }

 private:
  using Millis = promql::Millis;

  struct Target {
    ScrapeTarget spec;
    TargetSeries series;
    uint64_t generation = 0;  // tells a target from an earlier one with the same URL
    bool scraped = false;
    bool up = false;
  };

  void AddTarget(ScrapeTarget spec, std::map<std::string, Target>& kept) {
    std::string url = spec.url;
    TargetSeries series(store_, spec.labels, {options_.max_series_per_target, options_.max_series});
    kept.erase(url);
    kept.emplace(url, Target{std::move(spec), std::move(series), ++generations_});
    // Targets are spread over the interval by their name, so that pods are not scraped in bursts.
    auto spread =
        static_cast<int64_t>(Fnv1a64(url) % static_cast<uint64_t>(options_.interval.count()));
    Post([url, generation = generations_](Core& core) { core.Scrape(url, generation); },
         Duration(spread));
  }

  Target* Find(const std::string& url, uint64_t generation) {
    auto it = targets_.find(url);
    return it != targets_.end() && it->second.generation == generation ? &it->second : nullptr;
  }

  void Scrape(const std::string& url, uint64_t generation) {
    Target* target = Find(url, generation);
    if (target == nullptr) return;
    Post([url, generation](Core& core) { core.Scrape(url, generation); }, options_.interval);
    HttpRequest request;
    request.url = url;
    request.headers = {
        {"Accept", kAccept},
        {"X-Prometheus-Scrape-Timeout-Seconds", FormatNumber(ToSeconds(options_.timeout))}};
    request.timeout = options_.timeout;
    request.connect_timeout = options_.timeout;
    request.max_body = options_.max_body_bytes;
    request.accept_gzip = true;
    request.tls = target->spec.tls;
    request.group = "embedded-scrape";
    request.max_parallel = options_.max_parallel;
    Millis started = ToUnixMillis(clock_.Now());
    http_.Send(std::move(request),
               [weak = weak_from_this(), url, generation, started](Expected<HttpResponse> answer) {
                 auto core = weak.lock();
                 if (!core) return;
                 core->Post([url, generation, started, answer = std::move(answer)](Core& self) {
                   self.Finish(url, generation, started, answer);
                 });
               });
  }

  void Finish(const std::string& url, uint64_t generation, Millis started,
              const Expected<HttpResponse>& answer) {
    Target* target = Find(url, generation);
    if (target == nullptr) return;
    target->scraped = true;
    target->up = false;
    double seconds = static_cast<double>(ToUnixMillis(clock_.Now()) - started) / 1000.0;
    if (!answer || answer->status != 200) {
      target->series.Fail(started, seconds);
      return;
    }
    bool open_metrics = promql::IsOpenMetrics(answer->Header("content-type"));
    target->up = target->series.Accept(answer->body, open_metrics, started, seconds).ok();
  }

  // Forgets what is older than the retention.
  void Sweep() {
    Post([](Core& core) { core.Sweep(); }, options_.interval);
    auto gone = store_.DropBefore(ToUnixMillis(clock_.Now() - options_.retention));
    if (gone.empty()) return;
    std::sort(gone.begin(), gone.end());
    for (auto& [url, target] : targets_) target.series.Forget(gone);
  }

  HttpClient& http_;
  Timers& timers_;
  const Clock& clock_;
  EmbeddedOptions options_;
  promql::MemoryStore store_;
  std::map<std::string, Target> targets_;
  uint64_t generations_ = 0;
  bool sweeping_ = false;
};

EmbeddedSource::EmbeddedSource(HttpClient& http, Timers& timers, const Clock& clock,
                               EmbeddedOptions options)
    : core_(std::make_shared<Core>(http, timers, clock, std::move(options))) {}

EmbeddedSource::~EmbeddedSource() = default;

void EmbeddedSource::SetTargets(std::vector<ScrapeTarget> targets) {
  core_->Post(
      [targets = std::move(targets)](Core& core) mutable { core.SetTargets(std::move(targets)); });
}

void EmbeddedSource::Query(MetricQuery query, MetricDone done) {
  core_->Post([query = std::move(query), done = std::move(done)](Core& core) mutable {
    core.Query(std::move(query), done);
  });
}

void EmbeddedSource::Status(std::function<void(EmbeddedStatus)> done) {
  core_->Post([done = std::move(done)](Core& core) { done(core.FullStatus()); });
}

}  // namespace rollguard::prometheus
