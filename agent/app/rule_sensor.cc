// SPDX-License-Identifier: Apache-2.0
// Due times lie on the grid of the interval (multiples since the epoch), the same for all guards: a
// tick then asks everything that is due in one round per source. Thousands of rules are asked in a
// tick: a group is kept and its queries are parsed once for all releases, and a rule is bound again
// only when the names of the pods have changed.
#include "agent/app/rule_sensor.h"

#include <algorithm>

#include "agent/app/bindings.h"
#include "agent/app/own_time.h"
#include "agent/base/text.h"

namespace rollguard::app {
namespace {

using release::Phase;

// Rules speak while the candidate may be heard, and afterwards until the trigger is seen to go.
bool Judged(const release::GuardState& state) {
  switch (state.phase) {
    case Phase::kProgressing:
    case Phase::kBaking:
    case Phase::kPromoting:
    case Phase::kRollingBack:
    case Phase::kVerifying:
    case Phase::kHeld: return state.release.has_value();
    case Phase::kAdopting:
    case Phase::kIdle:
    case Phase::kPending:
    case Phase::kPreparing: return false;
  }
  return false;
}

Time NextOnGrid(Time after, Duration interval) {
  int64_t step = std::max<int64_t>(interval.count(), 1000);
  return FromUnixMillis((ToUnixMillis(after) / step + 1) * step);
}

bool Selected(const spec::Guard& guard, const spec::RuleGroup& group) {
  if (!group.ns.empty() && group.ns != guard.metadata.ns) return false;
  return std::any_of(
      guard.rollback.rules.begin(), guard.rollback.rules.end(), [&](const spec::RuleRef& ref) {
        return ref.name.empty() ? ref.selector.Matches(group.labels) && !ref.selector.empty()
                                : ref.name == group.name;
      });
}

release::Signal Unasked(const spec::Rule& rule) {
  release::Signal signal;
  signal.source = release::Signal::Source::kRule;
  signal.state = release::Signal::State::kPending;
  signal.name = rule.name;
  signal.action = rule.action;
  signal.severity = rule.severity;
  signal.reason = StrCat(rule.name, ": not asked yet");
  return signal;
}

promql::VariableValue Text(const std::string& text) { return promql::VariableValue::Text(text); }

release::Signal::State StateOf(analysis::RulePhase phase) {
  using S = release::Signal::State;
  switch (phase) {
    case analysis::RulePhase::kInactive: return S::kOk;
    case analysis::RulePhase::kPending: return S::kPending;
    case analysis::RulePhase::kFiring: return S::kFiring;
    case analysis::RulePhase::kNoData: return S::kNoData;
    case analysis::RulePhase::kError: return S::kError;
  }
  return S::kError;
}

Expected<analysis::Answer> ToAnswer(const Expected<MetricAnswer>& answer) {
  if (!answer) return answer.error();
  if (answer->suspect) {
    return Error(
        ErrorCode::kUnavailable,
        StrCat("the answer is partial: ", answer->warnings.empty() ? "" : answer->warnings[0]));
  }
  return analysis::AnswerFrom(answer->value);
}

}  // namespace

struct RuleSensor::Group {
  struct Parsed {
    std::string text;
    promql::ParseResult query;
  };
  spec::RuleGroup group;
  std::vector<std::vector<Parsed>> queries;  // of each rule: its query, or one or two to compare
  double weights = 0;                        // of its comparisons
};

struct RuleSensor::Track {
  std::shared_ptr<const Group> group;
  size_t index = 0;  // of the rule within it
  Duration interval{0};
  Time due{};
  double alpha = 0;
  uint64_t bound_for = 0;  // the watch's pods_version that what follows was bound for
  std::string error;       // it could not be bound
  // Expression rules.
  analysis::RulePlan plan;
  analysis::RuleState state;
  // Comparisons.
  std::unique_ptr<analysis::CompareState> compare;
  std::vector<std::string> asks;  // the candidate's, then stable's
  bool in_flight = false;

  const spec::Rule& rule() const { return group->group.rules[index]; }
};

struct RuleSensor::Watch {
  std::string guard;
  std::string release;
  spec::NoData no_data = spec::NoData::kHold;
  promql::Bindings vars;
  std::string candidate_pods, stable_pods;
  OwnTime own;
  uint64_t pods_version = 1;
  bool leaving = false;  // the candidate goes: soon there is nothing to be asked about it
  std::vector<Track> tracks;
};

// One look of a comparison: up to four answers, stable and candidate.
struct RuleSensor::Look {
  analysis::CompareSide sides[2];  // candidate, stable
  size_t waiting = 0;
  std::optional<Error> error;
};

RuleSensor::RuleSensor(Timers& timers, const Clock& clock, MetricsSources& sources)
    : timers_(timers), clock_(clock), sources_(sources) {}

RuleSensor::~RuleSensor() {
  if (timer_ != 0) timers_.CancelTimer(timer_);
}

std::string RuleSensor::PodsOf(const GuardView& view, bool candidate) const {
  if (given_pods_) return candidate ? given_pods_->first : given_pods_->second;
  const release::ReleaseState& release = *view.state.release;
  return PodPattern(view.guard, view.observation, candidate ? release.candidate : release.stable);
}

const std::vector<std::shared_ptr<const RuleSensor::Group>>& RuleSensor::Groups() {
  if (groups_of_ == controller_->library_version()) return groups_;
  groups_of_ = controller_->library_version();
  groups_.clear();
  for (const spec::RuleGroup& loaded : controller_->library().groups) {
    auto group = std::make_shared<Group>();
    group->group = loaded;
    for (const spec::Rule& rule : loaded.rules) {
      std::vector<std::string> texts;
      if (const auto* compare = std::get_if<spec::Compare>(&rule.what)) {
        group->weights += compare->weight;
        analysis::CompareQueries queries = analysis::QueriesOf(*compare);
        texts.push_back(std::move(queries.first));
        if (!queries.second.empty()) texts.push_back(std::move(queries.second));
      } else {
        texts.push_back(std::get<spec::Query>(rule.what).text);
      }
      std::vector<Group::Parsed>& parsed = group->queries.emplace_back();
      for (std::string& text : texts) {
        promql::ParseResult query = promql::Parse(text, {.variables = true});
        parsed.push_back({std::move(text), std::move(query)});
      }
    }
    groups_.push_back(std::move(group));
  }
  return groups_;
}

void RuleSensor::Begin(const GuardView& view, Watch& watch) {
  watch.release = view.state.release->id;
  watch.no_data = view.guard.no_data;
  watch.vars = GuardBindings(view.guard, view.state);
  for (const auto& group : Groups()) {
    if (!Selected(view.guard, group->group)) continue;
    for (size_t i = 0; i < group->group.rules.size(); ++i) {
      Track& track = watch.tracks.emplace_back();
      track.group = group;
      track.index = i;
      track.interval = group->group.interval;
      if (const auto* compare = std::get_if<spec::Compare>(&track.rule().what)) {
        track.interval = compare->window;
        track.alpha = group->weights > 0 ? group->group.alpha * compare->weight / group->weights
                                         : group->group.alpha;
        track.compare = std::make_unique<analysis::CompareState>(analysis::StartCompare(*compare));
      }
      // What baked while nobody looked is asked about at once.
      const bool late = view.state.phase == Phase::kBaking || view.state.phase == Phase::kPromoting;
      track.due = late ? clock_.Now() : NextOnGrid(clock_.Now(), track.interval);
      Arm(track.due);
    }
  }
  watch.tracks.shrink_to_fit();
}

void RuleSensor::Follow(const GuardView& view) {
  std::string id = view.guard.Id();
  if (!Judged(view.state)) {
    watches_.erase(id);
    return;
  }
  std::shared_ptr<Watch>& watch = watches_[id];
  if (watch == nullptr || watch->release != view.state.release->id) {
    watch = std::make_shared<Watch>();
    watch->guard = id;
    Begin(view, *watch);
  }
  // While a pod's ReplicaSet is on its way out its name may be gone: what was known stands.
  for (bool candidate : {true, false}) {
    std::string& known = candidate ? watch->candidate_pods : watch->stable_pods;
    std::string pods = PodsOf(view, candidate);
    if (pods.empty() || pods == known) continue;
    known = std::move(pods);
    ++watch->pods_version;
  }
  if (!given_pods_) watch->own.Learn(view);
  watch->leaving = view.state.phase == Phase::kRollingBack || view.state.phase == Phase::kVerifying;
}

void RuleSensor::Forget(const std::string& guard) { watches_.erase(guard); }

void RuleSensor::Arm(Time next) {
  if (timer_ != 0 && timer_at_ && *timer_at_ <= next) return;
  if (timer_ != 0) timers_.CancelTimer(timer_);
  timer_at_ = next;
  timer_ = timers_.After(std::max(Duration(0), next - clock_.Now()), [this] {
    timer_ = 0;
    Tick();
  });
}

void RuleSensor::Tick() {
  Time now = clock_.Now();
  std::optional<Time> next;
  for (const auto& [id, watch] : watches_) {
    for (size_t i = 0; i < watch->tracks.size(); ++i) {
      Track& track = watch->tracks[i];
      const Time at = track.due;
      if (at <= now) track.due = NextOnGrid(now, track.interval);
      if (!next || track.due < *next) next = track.due;
      if (at > now || track.in_flight || watch->candidate_pods.empty()) continue;
      const Time asked = now - at > track.interval ? now : at;
      track.compare ? AskCompare(watch, i, asked) : AskRule(watch, i, asked);
    }
  }
  auto rounds = std::move(round_);
  round_.clear();
  for (auto& [name, round] : rounds) sources_.Find(name)->Ask(std::move(round));
  if (next) Arm(*next);
}

void RuleSensor::Bind(const Watch& watch, Track& track, Time at) const {
  if (track.bound_for == watch.pods_version && watch.own.unlimited()) return;
  track.bound_for = watch.pods_version;
  track.error.clear();
  track.asks.clear();
  promql::Bindings vars = watch.vars;
  for (const auto& [name, value] : track.group->group.vars) vars.try_emplace(name, Text(value));
  vars["candidate_pods"] = PodsValue(watch.candidate_pods);
  vars["stable_pods"] = PodsValue(watch.stable_pods);
  vars["window"] = promql::VariableValue::OfDuration(track.interval.count());
  for (const std::string* pods : {&watch.candidate_pods, &watch.stable_pods}) {
    vars["pods"] = PodsValue(*pods);
    for (const Group::Parsed& parsed : track.group->queries[track.index]) {
      const bool mine = pods == &watch.candidate_pods;
      auto bound = BindQueryWithin(watch.own, mine, parsed.query, parsed.text, vars, at);
      if (!bound) track.error = bound.error().message;
      track.asks.push_back(bound ? std::move(*bound) : std::string());
    }
    if (!track.compare) break;
  }
  if (track.compare || !track.error.empty()) return;
  track.plan = analysis::PlanRule(track.asks[0]);
  track.asks = {};
}

void RuleSensor::AddQuestion(const std::string& source, MetricQuery query, MetricDone done) {
  if (sources_.Find(source) == nullptr) {
    done(Error(ErrorCode::kInvalid, sources_.Trouble(source)));
    return;
  }
  round_[source].emplace_back(std::move(query),
                              [this, source, done = std::move(done),
                               alive = std::weak_ptr(alive_)](Expected<MetricAnswer> answer) {
                                if (alive.expired()) return;
                                sources_.Note(source, answer ? Status() : Status(answer.error()));
                                done(std::move(answer));
                              });
}

void RuleSensor::AskRule(const std::shared_ptr<Watch>& watch, size_t index, Time now) {
  Track& track = watch->tracks[index];
  Bind(*watch, track, now);
  if (!track.error.empty()) {
    OnRule(watch, index, Error(ErrorCode::kInvalid, track.error), now);
    return;
  }
  track.in_flight = true;
  AddQuestion(
      track.rule().source, {.query = track.plan.ask, .at = now},
      [this, weak = std::weak_ptr(watch), index, now](const Expected<MetricAnswer>& answer) {
        if (auto held = weak.lock()) OnRule(held, index, answer, now);
      });
}

void RuleSensor::OnRule(const std::shared_ptr<Watch>& watch, size_t index,
                        const Expected<MetricAnswer>& answer, Time at) {
  Track& track = watch->tracks[index];
  track.in_flight = false;
  analysis::RulePhase before = track.state.phase;
  bool first = !track.state.ever_evaluated;
  // A candidate that is gone has no data, and that is what was wanted.
  std::optional<spec::Rule> lenient;
  if (watch->leaving) {
    lenient = track.rule();
    lenient->no_data = spec::NoData::kPass;
  }
  track.state = analysis::StepRule(lenient ? *lenient : track.rule(), track.plan, watch->no_data,
                                   track.state, ToAnswer(answer), at);
  Tell(*watch, track);
  const bool fires = track.state.phase == analysis::RulePhase::kFiring;
  const bool goes_back = fires && track.rule().action == spec::TriggerAction::kRollback;
  if (first || fires || before != track.state.phase)
    controller_->Touch(watch->guard, goes_back ? Turn::kAtOnce : Turn::kInOrder);
}

void RuleSensor::AskCompare(const std::shared_ptr<Watch>& watch, size_t index, Time now) {
  Track& track = watch->tracks[index];
  if (watch->stable_pods.empty()) return;
  Bind(*watch, track, now);
  auto look = std::make_shared<Look>();
  track.in_flight = true;
  look->waiting = track.asks.size();
  const size_t each = track.asks.size() / 2;
  for (size_t side = 0; side < 2; ++side) {
    for (size_t which = 0; which < each; ++which) {
      auto done = [this, weak = std::weak_ptr(watch), index, look, side, which,
                   now](Expected<MetricAnswer> answer) {
        if (!answer || answer->suspect)
          look->error =
              answer ? Error(ErrorCode::kUnavailable, "the answer is partial") : answer.error();
        if (answer)
          (which == 0 ? look->sides[side].first : look->sides[side].second) =
              std::move(answer->value);
        auto held = weak.lock();
        if (--look->waiting == 0 && held) OnCompare(held, index, look, now);
      };
      const std::string& ask = track.asks[side * each + which];
      if (ask.empty()) {
        done(Error(ErrorCode::kInvalid, track.error));
      } else {
        AddQuestion(track.rule().source, {.query = ask, .at = now}, std::move(done));
      }
    }
  }
}

void RuleSensor::OnCompare(const std::shared_ptr<Watch>& watch, size_t index,
                           const std::shared_ptr<Look>& look, Time at) {
  Track& track = watch->tracks[index];
  track.in_flight = false;
  const auto& compare = std::get<spec::Compare>(track.rule().what);
  bool before = track.compare->alarmed;
  if (look->error) {
    analysis::StepCompareError(*track.compare, *look->error);
  } else {
    analysis::StepCompare(compare, track.alpha, *track.compare, look->sides[0], look->sides[1], at);
  }
  Tell(*watch, track);
  const bool alarmed = track.compare->alarmed;
  if (alarmed || before) controller_->Touch(watch->guard, alarmed ? Turn::kAtOnce : Turn::kInOrder);
}

void RuleSensor::Tell(const Watch& watch, const Track& track) const {
  if (!observer_) return;
  observer_({.guard = watch.guard,
             .release = watch.release,
             .group = track.group->group.name,
             .rule = &track.rule(),
             .state = track.compare ? nullptr : &track.state,
             .compare = track.compare ? &*track.compare : nullptr,
             .threshold = track.plan.threshold,
             .query = track.plan.ask,
             .alpha = track.alpha});
}

std::vector<RuleReading> RuleSensor::Readings(const std::string& guard) const {
  std::vector<RuleReading> readings;
  auto found = watches_.find(guard);
  if (found == watches_.end()) return readings;
  for (const Track& track : found->second->tracks) {
    readings.push_back({guard, found->second->release, track.group->group.name, &track.rule(),
                        track.compare ? nullptr : &track.state,
                        track.compare ? &*track.compare : nullptr, track.plan.threshold,
                        track.plan.ask, track.alpha});
  }
  return readings;
}

// A release that is seen for the first time, by an agent that has just begun perhaps.
void RuleSensor::NothingAskedYet(const spec::Guard& guard, release::Observation& observation) {
  for (const auto& group : Groups()) {
    if (!Selected(guard, group->group)) continue;
    for (const spec::Rule& rule : group->group.rules) observation.signals.push_back(Unasked(rule));
  }
}

void RuleSensor::Contribute(const spec::Guard& guard, const release::GuardState& state,
                            release::Observation& observation) {
  if (!Judged(state)) return;
  auto found = watches_.find(guard.Id());
  if (found == watches_.end() || found->second->release != state.release->id) {
    NothingAskedYet(guard, observation);
    return;
  }
  for (const Track& track : found->second->tracks) {
    release::Signal signal = Unasked(track.rule());
    if (track.compare) {
      if (track.compare->message.empty()) continue;  // not looked yet: nothing to say
      // With all traffic on one track there is nothing to compare with, and that is what was
      // wanted: it must not hold the bake for ever. An alarm stands for the whole release; once the
      // candidate has gone it must not be read as if the trigger were still there.
      bool one_sided = found->second->leaving || state.release->weight >= 100;
      bool gone = found->second->leaving && state.release->weight <= 0;
      signal.state = track.compare->alarmed && !gone        ? release::Signal::State::kFiring
                     : track.compare->no_data && !one_sided ? release::Signal::State::kNoData
                                                            : release::Signal::State::kOk;
      signal.reason = StrCat(track.rule().name, ": ", track.compare->message);
      signal.since = track.compare->alarmed_at;
      signal.evidence = analysis::ToJson(*track.compare, track.alpha);
    } else if (track.state.ever_evaluated) {
      signal.state = StateOf(track.state.phase);
      signal.reason = analysis::Describe(track.rule(), track.plan, track.state);
      signal.since = track.state.active_since;
      signal.evidence = analysis::ToJson(track.state);
      signal.evidence.Set("query", track.plan.ask);
      if (track.plan.threshold) signal.evidence.Set("threshold", track.plan.threshold->value);
    } else if (found->second->candidate_pods.empty()) {
      continue;  // there is nothing to ask about
    }
    observation.signals.push_back(std::move(signal));
    if (std::string trouble = sources_.Trouble(track.rule().source); !trouble.empty())
      observation.blind = trouble;
  }
}

}  // namespace rollguard::app
