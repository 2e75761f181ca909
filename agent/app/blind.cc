// SPDX-License-Identifier: Apache-2.0
#include "agent/app/blind.h"

#include <algorithm>
#include <set>

#include "agent/app/bindings.h"
#include "agent/app/track_pods.h"
#include "agent/base/text.h"

namespace rollguard::app {
namespace {

using release::Phase;

constexpr Duration kEvery = std::chrono::seconds(30);
// Service discovery and the first scrapes of new pods need this long.
constexpr Duration kGrace = std::chrono::minutes(3);

// While the candidate has, or is about to have, traffic.
bool Judged(const release::GuardState& state) {
  return state.release && (state.phase == Phase::kProgressing || state.phase == Phase::kBaking ||
                           state.phase == Phase::kPromoting || state.phase == Phase::kPreparing);
}

bool UsesMetrics(const spec::Guard& guard) {
  if (!guard.rollback.rules.empty() || spec::BackgroundAnalysis(guard.strategy) != nullptr)
    return true;
  return std::any_of(guard.health.checks.begin(), guard.health.checks.end(),
                     [](const spec::HealthCheck& check) {
                       return std::holds_alternative<spec::PromqlCheck>(check.kind);
                     });
}

// Samples of a `count(...)`: absent means that nothing matched.
double CountOf(const MetricAnswer& answer) {
  const auto* vector = std::get_if<promql::Vector>(&answer.value);
  return vector == nullptr || vector->empty() ? 0 : vector->front().v;
}

Expected<std::string> CoverageQuery(const spec::Guard& guard, const std::string& pods) {
  promql::Bindings vars;
  vars["namespace"] = promql::VariableValue::Text(guard.metadata.ns);
  vars["pods"] = promql::VariableValue::Pattern(pods);
  return BindQuery(R"(count(up{namespace="$namespace",pod=~"$pods"} == 1))", vars);
}

}  // namespace

struct BlindSensor::Watch {
  std::string guard;
  std::string release;
  std::string queries[2];  // candidate, stable; empty: nothing to be asked yet
  int64_t ready[2] = {0, 0};
  std::optional<Time> ready_since;  // the candidate's first ready pod
  std::optional<double> share[2];   // the last known coverage of each
  bool covered = false;             // the candidate was scraped well, once
  double wanted = 0.5;
  std::string lost;  // what is wrong now
};

BlindSensor::BlindSensor(Timers& timers, const Clock& clock, MetricsSources& sources,
                         std::function<std::string()> watchdog)
    : timers_(timers), clock_(clock), sources_(sources), watchdog_(std::move(watchdog)) {}

BlindSensor::~BlindSensor() {
  if (timer_ != 0) timers_.CancelTimer(timer_);
}

std::string BlindSensor::SourceTrouble(const spec::Guard& guard) const {
  std::set<std::string> names;
  if (!guard.rollback.rules.empty() || spec::BackgroundAnalysis(guard.strategy) != nullptr)
    names.insert("");
  for (const spec::HealthCheck& check : guard.health.checks) {
    if (const auto* promql = std::get_if<spec::PromqlCheck>(&check.kind))
      names.insert(promql->source);
  }
  for (const std::string& name : names) {
    if (sources_.Find(name) == nullptr) continue;  // a mistake of its own, told elsewhere
    if (std::string trouble = sources_.Trouble(name); !trouble.empty()) return trouble;
  }
  return {};
}

void BlindSensor::Contribute(const spec::Guard& guard, const release::GuardState& state,
                             release::Observation& observation) {
  if (!state.release || !observation.blind.empty()) return;
  observation.blind = SourceTrouble(guard);
  if (!observation.blind.empty()) return;
  if (watchdog_ && !guard.rollback.alerts.empty()) observation.blind = watchdog_();
  if (!observation.blind.empty()) return;
  auto found = watches_.find(guard.Id());
  if (found != watches_.end()) observation.blind = found->second->lost;
}

void BlindSensor::Follow(const GuardView& view) {
  std::string id = view.guard.Id();
  if (!Judged(view.state) || !UsesMetrics(view.guard)) {
    watches_.erase(id);
    return;
  }
  std::shared_ptr<Watch>& watch = watches_[id];
  if (watch == nullptr || watch->release != view.state.release->id) {
    watch = std::make_shared<Watch>();
    watch->guard = id;
    watch->release = view.state.release->id;
  }
  watch->wanted = view.guard.blind.min_coverage;
  watch->ready[0] = view.observation.candidate_pods.ready;
  watch->ready[1] = view.observation.stable_pods.ready;
  if (watch->ready[0] > 0 && !watch->ready_since) watch->ready_since = view.observation.now;
  for (bool candidate : {true, false}) {
    std::string pods = PodsPattern(view, candidate);
    if (pods.empty()) continue;
    if (auto query = CoverageQuery(view.guard, pods)) watch->queries[candidate ? 0 : 1] = *query;
  }
  Arm();
}

void BlindSensor::Forget(const std::string& guard) { watches_.erase(guard); }

// All guards are asked about at the same instants, so that their questions fold into few.
void BlindSensor::Arm() {
  if (timer_ != 0 || watches_.empty()) return;
  auto since_epoch = clock_.Now().time_since_epoch();
  Duration wait = kEvery - since_epoch % kEvery;
  timer_ = timers_.After(wait, [this] {
    timer_ = 0;
    Tick();
    Arm();
  });
}

void BlindSensor::Tick() {
  if (sources_.Find("") == nullptr) return;
  MetricsSource::Round round;
  for (const auto& [id, watch] : watches_) {
    if (watch->ready[0] == 0) continue;
    AskCoverage(watch, true, round);
    // Stable's pods are the yardstick while the candidate's have never been seen.
    if (!watch->covered) AskCoverage(watch, false, round);
  }
  if (!round.empty()) sources_.Find("")->Ask(std::move(round));
}

void BlindSensor::AskCoverage(const std::shared_ptr<Watch>& watch, bool candidate,
                              MetricsSource::Round& round) {
  size_t side = candidate ? 0 : 1;
  if (watch->queries[side].empty() || watch->ready[side] == 0) return;
  MetricQuery query{.query = watch->queries[side], .at = clock_.Now()};
  round.emplace_back(
      std::move(query), [this, weak = std::weak_ptr(watch), side,
                         alive = std::weak_ptr(alive_)](Expected<MetricAnswer> answer) {
        if (alive.expired()) return;
        sources_.Note("", answer ? Status() : Status(answer.error()));
        auto held = weak.lock();
        if (held == nullptr) return;
        if (answer && !answer->suspect) {
          held->share[side] = CountOf(*answer) / static_cast<double>(held->ready[side]);
          Judge(*held);
        }
        controller_->Touch(held->guard);
      });
}

void BlindSensor::Judge(Watch& watch) const {
  const auto& share = watch.share[0];
  if (!share) return;
  if (*share >= watch.wanted) {
    watch.covered = true;
    watch.lost.clear();
    return;
  }
  bool had_time = watch.ready_since && clock_.Now() - *watch.ready_since >= kGrace;
  bool stable_is_seen = watch.share[1] && *watch.share[1] >= watch.wanted;
  if (!watch.covered && !(had_time && stable_is_seen)) return;
  watch.lost = Format("only %.0f %% of the candidate's pods are scraped (wanted %.0f %%)",
                      *share * 100, watch.wanted * 100);
}

}  // namespace rollguard::app
