// SPDX-License-Identifier: Apache-2.0
// One turn of one check: who is asked, and what the answer means.
#include <algorithm>

#include "agent/analysis/answer.h"
#include "agent/app/health_watch.h"
#include "agent/base/text.h"
#include "agent/base/tidy.h"
#include "agent/kube/resources.h"

namespace rollguard::app {
namespace {

constexpr Duration kSecretTimeout = std::chrono::seconds(5);

HealthSample FromAnswer(const ProbeAnswer& answer, const std::string& subject) {
  HealthSample sample;
  sample.answer = answer;
  if (!subject.empty()) sample.answer.why = StrCat(subject, ": ", answer.why);
  sample.share = answer.verdict == ProbeAnswer::Verdict::kPass ? 1 : 0;
  if (answer.verdict == ProbeAnswer::Verdict::kPass) sample.value = ToSeconds(answer.latency);
  return sample;
}

HealthSample Unknown(std::string why) {
  HealthSample sample;
  sample.answer = ProbeAnswer::Unknown(std::move(why));
  return sample;
}

HealthSample Verdict(bool well, std::string why) {
  return FromAnswer(well ? ProbeAnswer::Pass(Duration(0), std::move(why))
                         : ProbeAnswer::Fail(ProbeFault::kContent, Duration(0), std::move(why)),
                    {});
}

// The one number of an answer; nothing: it has none. An error when it has several.
Expected<std::optional<double>> OneNumber(const promql::Value& value) {
  auto answer = analysis::AnswerFrom(value);
  if (!answer) return answer.error();
  if (analysis::IsNoData(answer->value)) return std::optional<double>();
  auto number = ParseDouble(answer->shown);
  if (!number && answer->shown.starts_with('[') && answer->shown.ends_with(']'))
    number = ParseDouble(Trim(answer->shown.substr(1, answer->shown.size() - 2)));
  if (!number) {
    return Error(ErrorCode::kInvalid, StrCat("the query gives ", Abbreviate(answer->shown, 80),
                                             ", not one value; aggregate it, as with sum(...)"));
  }
  return number;
}

}  // namespace

void HealthSensor::Ask(const WatchPtr& watch, const BeatPtr& beat) {
  if (beat->waiting > 0) return;  // the last turn is still under way
  ++beat->round;
  beat->probes.clear();
  const spec::CheckKind& kind = beat->check.kind;
  if (const auto* pods = std::get_if<spec::PodsCheck>(&kind)) {
    Hear(watch, beat, JudgePods(*pods, PodsOf(*watch, beat->candidate)));
  } else if (std::holds_alternative<spec::PromqlCheck>(kind)) {
    AskQuery(watch, beat);
  } else if (std::holds_alternative<spec::AlertmanagerCheck>(kind)) {
    AskAlerts(watch, beat);
  } else if (ports_.prober == nullptr) {
    CannotAsk(watch, beat, "there is no network here");
  } else if (std::holds_alternative<spec::PostgresCheck>(kind)) {
    AskPostgres(watch, beat);
  } else {
    AskNetwork(watch, beat);
  }
}

void HealthSensor::CannotAsk(const WatchPtr& watch, const BeatPtr& beat, std::string why) {
  beat->hold = StrCat("it cannot be asked: ", why);
  Hear(watch, beat, Unknown(std::move(why)));
}

void HealthSensor::AskNetwork(const WatchPtr& watch, const BeatPtr& beat) {
  const Track& track = watch->tracks[beat->candidate ? 1 : 0];
  auto planned =
      PlanProbes(beat->check, track.variables, PodsOf(*watch, beat->candidate), beat->round - 1);
  if (!planned) {
    if (planned.error().code == ErrorCode::kNotFound) {
      beat->hold.clear();
      Hear(watch, beat, Unknown(planned.error().message));
    } else {
      CannotAsk(watch, beat, planned.error().message);
    }
    return;
  }
  beat->waiting = planned->size();
  for (PlannedProbe& probe : *planned) Send(watch, beat, probe.subject, std::move(probe.request));
}

void HealthSensor::Send(const WatchPtr& watch, const BeatPtr& beat, const std::string& subject,
                        ProbeRequest request) {
  beat->probes.push_back(ports_.prober->Probe(
      std::move(request), [this, weak = std::weak_ptr(watch), turn = std::weak_ptr(beat),
                           subject](const ProbeAnswer& answer) {
        auto held = weak.lock();
        auto asked = turn.lock();
        if (!held || !asked || held->over) return;
        --asked->waiting;
        if (answer.verdict == ProbeAnswer::Verdict::kUnknown)
          asked->hold = StrCat("it cannot be asked: ", answer.why);
        Hear(held, asked, FromAnswer(answer, subject));
      }));
}

void HealthSensor::AskPostgres(const WatchPtr& watch, const BeatPtr& beat) {
  const auto& check = std::get<spec::PostgresCheck>(beat->check.kind);
  auto send = [this, timeout = beat->check.timeout, check](const WatchPtr& held,
                                                           const BeatPtr& asked, std::string url) {
    ProbeRequest request;
    request.what = PostgresProbe{std::move(url), check.query, check.max_pool_use};
    request.timeout = timeout;
    Send(held, asked, {}, std::move(request));
  };
  beat->waiting = 1;
  if (!check.url_from) {
    auto url = FillIn(check.url, watch->tracks[beat->candidate ? 1 : 0].variables);
    if (url) {
      send(watch, beat, std::move(*url));
    } else {
      beat->waiting = 0;
      CannotAsk(watch, beat, url.error().message);
    }
    return;
  }
  if (ports_.cluster == nullptr) {
    beat->waiting = 0;
    CannotAsk(watch, beat, "Secrets cannot be read here");
    return;
  }
  ClusterRequest request;
  request.type = kube::resources::Secrets();
  request.ns = watch->ns;
  request.name = check.url_from->name;
  request.timeout = kSecretTimeout;
  ports_.cluster->Call(
      std::move(request),
      [this, alive = std::weak_ptr(alive_), weak = std::weak_ptr(watch), turn = std::weak_ptr(beat),
       key = check.url_from->key, name = check.url_from->name, send](Expected<Json> secret) {
        auto held = weak.lock();
        auto asked = turn.lock();
        if (alive.expired() || !held || !asked || held->over) return;
        auto url = secret ? Base64Decode(secret->At("data").At(key).Str()) : std::nullopt;
        if (url && !url->empty()) {
          send(held, asked, std::string(Trim(*url)));
          return;
        }
        asked->waiting = 0;
        CannotAsk(held, asked,
                  secret ? StrCat("Secret ", name, " has no usable key ", Quote(key))
                         : secret.error().message);
      });
}

void HealthSensor::AskAlerts(const WatchPtr& watch, const BeatPtr& beat) {
  const auto& check = std::get<spec::AlertmanagerCheck>(beat->check.kind);
  if (!ports_.firing) {
    CannotAsk(watch, beat, "there are no alerts here");
    return;
  }
  if (std::string trouble = ports_.alerts_trouble ? ports_.alerts_trouble() : std::string();
      !trouble.empty()) {
    CannotAsk(watch, beat, std::move(trouble));
    return;
  }
  // What was firing before the release began says nothing against its candidate.
  auto since = beat->candidate ? std::optional(watch->began) : std::nullopt;
  auto alert = ports_.firing(check.matchers, since);
  if (alert) {
    Hear(watch, beat,
         Verdict(false, StrCat("alert ", alert->Name(), " is firing since ",
                               FormatClockTime(alert->starts_at))));
    return;
  }
  auto older = since ? ports_.firing(check.matchers, std::nullopt) : std::nullopt;
  Hear(watch, beat,
       Verdict(true, older ? StrCat("no matching alert since the release began (", older->Name(),
                                    " was firing before)")
                           : "no matching alert is firing"));
}

void HealthSensor::AskQuery(const WatchPtr& watch, const BeatPtr& beat) {
  const auto& check = std::get<spec::PromqlCheck>(beat->check.kind);
  const std::string& mine = watch->tracks[beat->candidate ? 1 : 0].pattern;
  if (mine.empty()) {
    beat->hold.clear();
    Hear(watch, beat, Unknown("this track has no pods yet"));
    return;
  }
  promql::Bindings vars = watch->bindings;
  vars["pods"] = PodsValue(mine);
  vars["candidate_pods"] = PodsValue(watch->tracks[1].pattern);
  vars["stable_pods"] = PodsValue(watch->tracks[0].pattern);
  vars["window"] = promql::VariableValue::OfDuration(beat->check.window.count());
  const Time now = ports_.clock->Now();
  auto bound = BindQueryWithin(watch->own, beat->candidate,
                               promql::Parse(check.query.text, {.variables = true}),
                               check.query.text, std::move(vars), now);
  if (!bound) {
    CannotAsk(watch, beat, bound.error().message);
    return;
  }
  if (ports_.sources == nullptr || ports_.sources->Find(check.source) == nullptr) {
    CannotAsk(watch, beat,
              ports_.sources == nullptr ? "there are no metrics here"
                                        : ports_.sources->Trouble(check.source));
    return;
  }
  beat->waiting = 1;
  MetricQuery query{.query = std::move(*bound), .at = now};
  query.timeout = beat->check.timeout;
  rounds_[check.source].emplace_back(
      std::move(query),
      [this, alive = std::weak_ptr(alive_), weak = std::weak_ptr(watch), turn = std::weak_ptr(beat),
       source = check.source](const Expected<MetricAnswer>& answer) {
        if (alive.expired()) return;
        ports_.sources->Note(source, answer ? Status() : Status(answer.error()));
        auto held = weak.lock();
        auto asked = turn.lock();
        if (!held || !asked || held->over) return;
        asked->waiting = 0;
        HearQuery(held, asked, answer);
      });
  if (flush_ == 0) flush_ = ports_.timers->After(Duration(0), [this] { FlushRounds(); });
}

// All that fell due at this instant goes out together.
void HealthSensor::FlushRounds() {
  flush_ = 0;
  auto rounds = std::move(rounds_);
  rounds_.clear();
  for (auto& [name, round] : rounds) {
    if (MetricsSource* source = ports_.sources->Find(name)) source->Ask(std::move(round));
  }
}

void HealthSensor::HearQuery(const WatchPtr& watch, const BeatPtr& beat,
                             const Expected<MetricAnswer>& answer) {
  const auto& check = std::get<spec::PromqlCheck>(beat->check.kind);
  if (!answer || answer->suspect) {
    CannotAsk(watch, beat,
              !answer ? answer.error().message
                      : StrCat("the answer is partial: ",
                               answer->warnings.empty() ? "" : answer->warnings[0]));
    return;
  }
  auto number = OneNumber(answer->value);
  if (!number) {
    CannotAsk(watch, beat, number.error().message);
    return;
  }
  if (!number->has_value()) {
    switch (check.no_data) {
      case spec::NoData::kPass: Hear(watch, beat, Verdict(true, "no data, which passes")); return;
      case spec::NoData::kFail: Hear(watch, beat, Verdict(false, "no data, which fails")); return;
      case spec::NoData::kHold: break;
    }
    beat->hold = "the query has no data";
    Hear(watch, beat, Unknown("the query has no data"));
    return;
  }
  const double value = **number;
  const std::string shown = TidyNumbers(FormatNumber(value));
  HealthSample sample = Verdict(true, StrCat("the value is ", shown));
  if (check.min && value < *check.min)
    sample = Verdict(false, StrCat("the value is ", shown, ", required are at least ",
                                   FormatNumber(*check.min)));
  if (check.max && value > *check.max)
    sample = Verdict(
        false, StrCat("the value is ", shown, ", allowed are at most ", FormatNumber(*check.max)));
  sample.value = value;
  Hear(watch, beat, std::move(sample));
}

}  // namespace rollguard::app
