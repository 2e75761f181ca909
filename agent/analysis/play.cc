// SPDX-License-Identifier: Apache-2.0
#include "agent/analysis/play.h"

#include "agent/base/text.h"

namespace rollguard::analysis {
namespace {

// Takes results one by one and knows which metrics have some left.
class Player {
 public:
  Player(Run& run, const Script& script, const SecretValues& secrets, const Watcher& watch)
      : run_(run),
        script_(script),
        secrets_(secrets),
        watch_(watch),
        used_(run.spec.metrics.size(), 0) {}

  // Metrics due at one instant are asked side by side: all begin before the first is finished.
  void Go(Time now) {
    std::vector<size_t> asked;
    for (size_t metric : DueMetrics(run_, now)) {
      if (Left(metric)) asked.push_back(metric);
    }
    for (size_t metric : asked) Begin(run_, metric, now);
    for (size_t metric : asked) Answer(metric, now);
  }

  // The next instant at which a metric with results left is due.
  std::optional<Time> Next() const {
    std::optional<Time> next;
    if (IsCompleted(run_.state.phase)) return next;
    Run other = run_;
    for (size_t i = 0; i < used_.size(); ++i) {
      if (!Left(i)) other.state.metrics[i].in_flight = true;  // not due any more
    }
    return NextDue(other);
  }

 private:
  const std::vector<Expected<Json>>* Results(size_t metric) const {
    auto found = script_.find(run_.spec.metrics[metric].metric.name);
    return found == script_.end() ? nullptr : &found->second;
  }
  bool Left(size_t metric) const {
    const auto* results = Results(metric);
    return results != nullptr && used_[metric] < results->size();
  }

  void Answer(size_t metric, Time now) {
    const Expected<Json>& result = (*Results(metric))[used_[metric]++];
    const spec::MetricProvider& provider = run_.spec.metrics[metric].metric.provider;
    if (!result) {
      Finish(run_, metric, result.error(), now, secrets_);
    } else if (std::holds_alternative<spec::JobProvider>(provider)) {
      FinishJob(run_, metric, result->BoolOr(result->Str() == "Successful"), "", now);
    } else {
      analysis::Answer answer = AnswerFromResult(*result);
      if (std::holds_alternative<spec::WebProvider>(provider)) {
        answer.untyped = true;
        answer.shown = result->Dump();
      }
      Finish(run_, metric, answer, now, secrets_);
    }
    const MetricState& state = run_.state.metrics[metric];
    if (watch_) watch_(state, state.measurements.back());
  }

  Run& run_;
  const Script& script_;
  const SecretValues& secrets_;
  const Watcher& watch_;
  std::vector<size_t> used_;
};

std::string MessageOf(const MetricState& state) {
  if (!state.message.empty() || state.measurements.empty()) return state.message;
  return state.measurements.back().message;
}

}  // namespace

Expected<Script> ParseScript(std::string_view text) {
  Script script;
  int line = 0;
  for (std::string_view row : Split(text, '\n')) {
    ++line;
    if (Trim(row).empty()) continue;
    auto json = ParseJson(row);
    auto fail = [&](std::string_view why) {
      return Error(ErrorCode::kInvalid, StrCat(line, ": ", why));
    };
    if (!json) return fail(json.error().message);
    if (!json->At("metric").is_string()) return fail("\"metric\" must name a metric");
    const Json* result = json->Find("result");
    const Json* error = json->Find("error");
    if ((result == nullptr) == (error == nullptr))
      return fail("either \"result\" or \"error\" must be given");
    auto& results = script[json->At("metric").Str()];
    if (result != nullptr) {
      results.emplace_back(*result);
    } else {
      results.emplace_back(
          Error(ErrorCode::kUnavailable, error->is_string() ? error->Str() : error->Dump()));
    }
  }
  return script;
}

void Play(Run& run, const Script& script, const SecretValues& secrets, const Watcher& watch) {
  Player player(run, script, secrets, watch);
  while (auto next = player.Next()) player.Go(*next);
}

Json Report(const Run& run) {
  Json metrics = Json::Arr();
  for (const MetricState& state : run.state.metrics) {
    Json measurements = Json::Arr();
    for (const Measurement& m : state.measurements) {
      double at = ToSeconds(m.finished - run.state.started);
      measurements.Push(Json::Obj({{"phase", ToString(m.phase)}, {"value", m.value}, {"at", at}}));
    }
    metrics.Push(Json::Obj({{"name", state.name},
                            {"phase", ToString(state.phase)},
                            {"message", MessageOf(state)},
                            {"count", state.count},
                            {"successful", state.successful},
                            {"failed", state.failed},
                            {"inconclusive", state.inconclusive},
                            {"error", state.error},
                            {"measurements", measurements}}));
  }
  Json summary = Json::Obj({{"phase", ToString(run.state.phase)}, {"message", run.state.message}});
  return Json::Obj({{"run", summary}, {"metrics", metrics}});
}

}  // namespace rollguard::analysis
