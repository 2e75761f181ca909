// SPDX-License-Identifier: Apache-2.0
#include "agent/app/analysis_sensor.h"

#include <cmath>

#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"

namespace rollguard::app {
namespace {

constexpr Duration kJobPoll = std::chrono::seconds(5);

release::RunView::Phase ViewPhase(analysis::Phase phase) {
  using P = release::RunView::Phase;
  switch (phase) {
    case analysis::Phase::kPending: return P::kPending;
    case analysis::Phase::kRunning: return P::kRunning;
    case analysis::Phase::kSuccessful: return P::kSuccessful;
    case analysis::Phase::kFailed: return P::kFailed;
    case analysis::Phase::kInconclusive: return P::kInconclusive;
    case analysis::Phase::kError: return P::kError;
  }
  return P::kError;
}

}  // namespace

struct AnalysisSensor::Active {
  std::string guard;
  std::string ns;
  std::string id;
  std::string purpose;
  analysis::Run run;
  // Of the measurement that is under way, by metric: several may be at once.
  std::map<size_t, analysis::SecretValues> secrets;
  TimerId timer = 0;
  bool stopped = false;
};

AnalysisSensor::AnalysisSensor(Timers& timers, const Clock& clock, MetricsSources& sources,
                               Cluster& cluster, HttpClient* http)
    : timers_(timers), clock_(clock), sources_(sources), cluster_(cluster), http_(http) {
  if (http != nullptr) servers_ = std::make_unique<TemplateSources>(*http, timers, clock);
}

AnalysisSensor::~AnalysisSensor() {
  while (!runs_.empty()) Forget(runs_.begin()->first);
}

void AnalysisSensor::Start(const spec::Guard& guard, const release::StartAnalysis& action) {
  ActivePtr& active = runs_[guard.Id()][action.run];
  if (active != nullptr) return;
  active = std::make_shared<Active>();
  active->guard = guard.Id();
  active->ns = guard.metadata.ns;
  active->id = action.run;
  active->purpose = action.purpose;
  analysis::RunOptions options;
  options.ns = guard.metadata.ns;
  options.templates = action.analysis.templates;
  options.args = action.analysis.args;
  options.dry_run = action.analysis.dry_run;
  options.retention = action.analysis.retention;
  options.find = [this, ns = guard.metadata.ns](std::string_view name, bool cluster_scope) {
    return controller_->library().FindTemplate(name, cluster_scope, ns);
  };
  options.guard = Json::Obj(
      {{"metadata", Json::Obj({{"name", guard.metadata.name}, {"namespace", guard.metadata.ns}})}});
  Json labels = Json::Obj(), annotations = Json::Obj();
  for (const auto& [key, value] : guard.metadata.labels) labels.Set(key, value);
  for (const auto& [key, value] : guard.metadata.annotations) annotations.Set(key, value);
  options.guard["metadata"].Set("labels", labels).Set("annotations", annotations);
  options.stable_hash = action.stable_hash;
  options.latest_hash = action.candidate_hash;
  options.must_end = !action.background;
  Time now = clock_.Now();
  auto run = analysis::CreateRun(options, now);
  active->run = run ? std::move(*run) : analysis::FailedRun(run.error().message, now);
  Drive(active);
}

void AnalysisSensor::Stop(const std::string& guard, const std::string& run) {
  auto found = runs_.find(guard);
  if (found == runs_.end()) return;
  auto active = found->second.find(run);
  if (active != found->second.end()) analysis::Terminate(active->second->run, clock_.Now());
}

// Measures what is due and sleeps until the next is.
void AnalysisSensor::Drive(const ActivePtr& active) {
  if (active->stopped) return;
  Time now = clock_.Now();
  for (size_t metric : analysis::DueMetrics(active->run, now)) Measure(active, metric);
  if (active->timer != 0) timers_.CancelTimer(active->timer);
  active->timer = 0;
  if (auto next = analysis::NextDue(active->run)) {
    Duration wait = std::max(Duration(1), *next - now);
    active->timer = timers_.After(wait, [this, weak = std::weak_ptr(active)] {
      if (auto held = weak.lock()) {
        held->timer = 0;
        Drive(held);
      }
    });
  }
  const analysis::Phase phase = active->run.state.phase;
  if (analysis::IsCompleted(phase))
    controller_->Touch(active->guard,
                       phase == analysis::Phase::kSuccessful ? Turn::kInOrder : Turn::kAtOnce);
}

void AnalysisSensor::Measure(const ActivePtr& active, size_t metric) {
  analysis::Begin(active->run, metric, clock_.Now());
  active->secrets[metric].clear();
  active->run.spec.secrets.empty() ? Ask(active, metric) : ReadSecrets(active, metric);
}

// One secret after another, read anew for each measurement as Argo does.
void AnalysisSensor::ReadSecrets(const ActivePtr& active, size_t metric) {
  size_t next = active->secrets[metric].size();
  if (next == active->run.spec.secrets.size()) {
    Ask(active, metric);
    return;
  }
  const analysis::SecretArgument& argument = active->run.spec.secrets[next];
  ClusterRequest request;
  request.type = kube::resources::Secrets();
  request.ns = active->ns;
  request.name = argument.ref.name;
  cluster_.Call(std::move(request), [this, weak = std::weak_ptr(active), metric,
                                     argument](Expected<Json> secret) {
    auto held = weak.lock();
    if (!held) return;
    auto value = secret ? Base64Decode(secret->At("data", argument.ref.key).Str()) : std::nullopt;
    if (!secret || secret->At("data").Find(argument.ref.key) == nullptr || !value) {
      analysis::FailRun(
          held->run,
          secret ? StrCat("secret ", argument.ref.name, " has no key ", Quote(argument.ref.key))
                 : secret.error().message,
          clock_.Now());
      controller_->Touch(held->guard);
      return;
    }
    held->secrets[metric].emplace_back(argument.name, *value);
    ReadSecrets(held, metric);
  });
}

void AnalysisSensor::Ask(const ActivePtr& active, size_t metric) {
  auto request = analysis::MakeRequest(active->run, metric, active->secrets[metric], clock_.Now());
  if (!request) {
    analysis::FailRun(active->run, request.error().message, clock_.Now());
    controller_->Touch(active->guard);
    return;
  }
  std::visit([&](const auto& r) { Carry(active, metric, r); }, *request);
}

// The template's own server, or one of the agent's. Where there is no network (rehearsals), the
// agent's default stands for every address.
Expected<MetricsSource*> AnalysisSensor::SourceOf(const analysis::PrometheusQuery& query) {
  const bool own = !query.headers.empty() || query.insecure || query.authentication.basic ||
                   query.authentication.oauth2;
  if (query.address.empty() && own) {
    return Error(ErrorCode::kInvalid,
                 "headers, authentication and insecure belong to an address: name one, or set them "
                 "with the source in the agent's configuration");
  }
  if (!query.address.empty() && servers_ != nullptr) return servers_->Find(query);
  const std::string name = query.address.empty() ? query.source : std::string();
  MetricsSource* source = sources_.Find(name);
  if (source == nullptr) return Error(ErrorCode::kInvalid, sources_.Trouble(name));
  return source;
}

void AnalysisSensor::Carry(const ActivePtr& active, size_t metric,
                           const analysis::PrometheusQuery& query) {
  auto source = SourceOf(query);
  if (!source) {
    Answered(active, metric, source.error());
    return;
  }
  const std::string name = query.address.empty() ? query.source : query.address;
  MetricQuery ask{.query = query.query, .at = query.at, .range = {}, .timeout = query.timeout};
  if (query.range)
    ask.range = MetricQuery::Range{query.range->start, query.range->end, query.range->step};
  (*source)->Query(std::move(ask), [this, weak = std::weak_ptr(active), metric, name,
                                    alive = std::weak_ptr(alive_)](Expected<MetricAnswer> answer) {
    if (alive.expired()) return;
    sources_.Note(name, answer ? Status() : Status(answer.error()));
    auto held = weak.lock();
    if (!held) return;
    if (answer && answer->suspect) {
      Answered(held, metric,
               Error(ErrorCode::kUnavailable,
                     StrCat("the answer is partial: ",
                            answer->warnings.empty() ? "" : answer->warnings[0])));
    } else {
      Answered(held, metric,
               answer ? analysis::AnswerFrom(answer->value)
                      : Expected<analysis::Answer>(answer.error()));
    }
  });
}

void AnalysisSensor::Carry(const ActivePtr& active, size_t metric,
                           const analysis::WebRequest& request) {
  if (http_ == nullptr) {
    Answered(
        active, metric,
        Error(ErrorCode::kUnavailable, "web metrics cannot be measured here: there is no network"));
    return;
  }
  HttpRequest out;
  out.method = request.method;
  out.url = request.url;
  out.headers = request.headers;
  out.body = request.body;
  out.timeout = request.timeout;
  servers_->Send(std::move(out), request.authentication, request.insecure,
                 [this, weak = std::weak_ptr(active), metric,
                  path = request.json_path](Expected<HttpResponse> response) {
                   auto held = weak.lock();
                   if (!held) return;
                   if (!response) {
                     Answered(held, metric, response.error());
                   } else if (response->status < 200 || response->status >= 300) {
                     Answered(held, metric,
                              Error(ErrorCode::kUnavailable,
                                    StrCat("received non 2xx response code: ", response->status)));
                   } else {
                     Answered(held, metric, analysis::AnswerFromWeb(response->body, path));
                   }
                 });
}

void AnalysisSensor::Carry(const ActivePtr& active, size_t metric,
                           const analysis::JobRequest& request) {
  int64_t round = static_cast<int64_t>(active->run.state.metrics[metric].measurements.size()) +
                  active->run.state.metrics[metric].error;
  std::string name = StrCat("rollguard-", ShortHash(StrCat(active->guard, active->id, metric, ":",
                                                           round, ":", ToUnixMillis(clock_.Now())),
                                                    10));
  Json body =
      Json::Obj({{"apiVersion", "batch/v1"},
                 {"kind", "Job"},
                 {"metadata", request.metadata.is_object() ? request.metadata : Json::Obj()},
                 {"spec", request.spec}});
  body["metadata"].Set("name", name).Set("namespace", active->ns);
  ClusterRequest create;
  create.verb = Verb::kCreate;
  create.type = kube::resources::Jobs();
  create.ns = active->ns;
  create.name = name;
  create.body = std::move(body);
  cluster_.Call(std::move(create),
                [this, weak = std::weak_ptr(active), metric, name](const Expected<Json>& created) {
                  auto held = weak.lock();
                  if (!held) return;
                  if (!created && created.error().code != ErrorCode::kAlreadyExists) {
                    Answered(held, metric, created.error());
                    return;
                  }
                  PollJob(held, metric, name);
                });
}

void AnalysisSensor::PollJob(const ActivePtr& active, size_t metric, const std::string& name) {
  timers_.After(kJobPoll, [this, weak = std::weak_ptr(active), metric, name] {
    auto held = weak.lock();
    if (!held || held->stopped) return;
    ClusterRequest get;
    get.type = kube::resources::Jobs();
    get.ns = held->ns;
    get.name = name;
    cluster_.Call(std::move(get), [this, weak, metric, name](Expected<Json> job) {
      auto active_run = weak.lock();
      if (!active_run) return;
      for (const Json& condition : job ? job->At("status", "conditions").items() : Json::Array()) {
        std::string type = condition.At("type").Str();
        if (condition.At("status").Str() != "True" || (type != "Complete" && type != "Failed"))
          continue;
        analysis::FinishJob(active_run->run, metric, type == "Complete",
                            condition.At("message").Str(), clock_.Now());
        Drive(active_run);
        return;
      }
      if (!job && job.error().code == ErrorCode::kNotFound) {
        analysis::FinishJob(active_run->run, metric, job.error(), "the job is gone", clock_.Now());
        Drive(active_run);
        return;
      }
      PollJob(active_run, metric, name);
    });
  });
}

void AnalysisSensor::Answered(const ActivePtr& active, size_t metric,
                              const Expected<analysis::Answer>& answer) {
  analysis::Finish(active->run, metric, answer, clock_.Now(), active->secrets[metric]);
  Tell(*active, metric);
  Drive(active);
}

void AnalysisSensor::Tell(const Active& active, size_t metric) const {
  const analysis::MetricState& state = active.run.state.metrics[metric];
  if (!observer_ || state.measurements.empty()) return;
  const analysis::Measurement& last = state.measurements.back();
  observer_({.guard = active.guard,
             .metric = state.name,
             .at = last.finished == Time{} ? last.started : last.finished,
             .value = NumberIn(last.value),
             .verdict = analysis::ToString(last.phase)});
}

void AnalysisSensor::Contribute(const spec::Guard& guard, const release::GuardState&,
                                release::Observation& observation) {
  auto found = runs_.find(guard.Id());
  if (found == runs_.end()) return;
  for (const auto& [id, active] : found->second) {
    observation.runs.push_back({id, ViewPhase(active->run.state.phase), active->run.state.message,
                                analysis::ToJson(active->run.state)});
  }
}

// Runs of a release that has ended are forgotten.
void AnalysisSensor::Follow(const GuardView& view) {
  if (!view.state.release) Forget(view.guard.Id());
}

void AnalysisSensor::Forget(const std::string& guard) {
  auto found = runs_.find(guard);
  if (found == runs_.end()) return;
  for (auto& [id, active] : found->second) {
    active->stopped = true;
    if (active->timer != 0) timers_.CancelTimer(active->timer);
  }
  runs_.erase(found);
}

std::optional<double> NumberIn(std::string_view shown) {
  if (shown.size() > 2 && shown.front() == '[' && shown.back() == ']')
    shown = shown.substr(1, shown.size() - 2);
  auto number = ParseDouble(shown);
  return number && std::isfinite(*number) ? std::optional(*number) : std::nullopt;
}

const analysis::Run* AnalysisSensor::FindRun(const std::string& guard,
                                             const std::string& run) const {
  auto found = runs_.find(guard);
  if (found == runs_.end()) return nullptr;
  auto active = found->second.find(run);
  return active == found->second.end() ? nullptr : &active->second->run;
}

}  // namespace rollguard::app
