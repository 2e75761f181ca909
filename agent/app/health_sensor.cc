// SPDX-License-Identifier: Apache-2.0
// Which guards are watched, the beats of their checks, and what follows from the answers. How a
// turn is asked stands in health_ask.cc.
//
// Beats are spread by jitter, except those of queries: these lie on the grid of their interval, the
// same for all guards, so that a metrics source is asked for all that is due in one round.
#include "agent/app/health_sensor.h"

#include <algorithm>

#include "agent/app/health_watch.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"

namespace rollguard::app {
namespace {

constexpr size_t kScores = 6;
constexpr double kJitter = 0.1;
constexpr Duration kShortestLook = std::chrono::seconds(5);
constexpr Duration kLongestLook = std::chrono::seconds(30);

Time NextOnGrid(Time after, Duration interval) {
  int64_t step = std::max<int64_t>(interval.count(), 1);
  return FromUnixMillis((ToUnixMillis(after) / step + 1) * step);
}

std::string HashOf(const Json& pod) {
  const Json& labels = pod.At("metadata", "labels");
  std::string hash = labels.At(routing::kHashLabel).Str();
  return hash.empty() ? labels.At("controller-revision-hash").Str() : hash;
}

bool On(const spec::HealthCheck& check, bool candidate) {
  using Track = spec::HealthCheck::Track;
  return check.track == Track::kBoth ||
         check.track == (candidate ? Track::kCandidate : Track::kStable);
}

}  // namespace

HealthSensor::HealthSensor(HealthPorts ports) : ports_(std::move(ports)), random_(ports_.seed) {}

HealthSensor::~HealthSensor() {
  *alive_ = false;
  for (auto& [id, watch] : watches_) End(*watch);
  if (flush_ != 0) ports_.timers->CancelTimer(flush_);
}

void HealthSensor::Follow(const GuardView& view) {
  const std::string id = view.guard.Id();
  const spec::HealthSpec& health = view.guard.health;
  const bool asked = !health.checks.empty() && !view.guard.suspend &&
                     (view.state.release || health.rest_interval > Duration(0));
  if (!asked) {
    Forget(id);
    return;
  }
  const std::string release = view.state.release ? view.state.release->id : std::string();
  WatchPtr& watch = watches_[id];
  if (watch == nullptr || watch->release != release ||
      watch->generation != view.guard.metadata.generation) {
    WatchPtr before = watch;
    watch = Begin(view, before);
    if (before != nullptr) End(*before);
  }
  Update(view, *watch);
}

void HealthSensor::Forget(const std::string& guard) {
  auto found = watches_.find(guard);
  if (found == watches_.end()) return;
  End(*found->second);
  watches_.erase(found);
}

HealthSensor::WatchPtr HealthSensor::Begin(const GuardView& view, const WatchPtr& before) {
  auto watch = std::make_shared<Watch>();
  watch->guard = view.guard.Id();
  watch->ns = view.guard.metadata.ns;
  watch->target = view.guard.target;
  watch->candidate_name = release::CandidateName(view.guard);
  watch->generation = view.guard.metadata.generation;
  watch->settings = view.guard.health;
  if (view.state.release) {
    watch->release = view.state.release->id;
    watch->began = view.state.release->started;
    AddBeats(*watch, true, before);
  }
  AddBeats(*watch, false, before);
  Update(view, *watch);
  Duration shortest = kLongestLook;
  for (const BeatPtr& beat : watch->beats) {
    shortest = std::min(shortest, beat->check.interval);
    Arm(watch, beat, true);
  }
  watch->look_every = std::clamp(shortest, kShortestLook, kLongestLook);
  ArmLook(watch);
  return watch;
}

// What stable answered at rest is still true when a release begins.
void HealthSensor::AddBeats(Watch& watch, bool candidate, const WatchPtr& before) {
  for (const spec::HealthCheck& check : watch.settings.checks) {
    if (!On(check, candidate)) continue;
    auto beat = std::make_shared<Beat>();
    beat->check = check;
    beat->candidate = candidate;
    if (watch.release.empty()) {
      beat->check.interval = std::max(check.interval, watch.settings.rest_interval);
    }
    const Beat* same = before == nullptr || before->generation != watch.generation || candidate
                           ? nullptr
                           : before->Find(check.name, candidate);
    if (same != nullptr) {
      beat->window = same->window;
      beat->verdict = same->verdict;
    }
    watch.beats.push_back(std::move(beat));
  }
}

void HealthSensor::Update(const GuardView& view, Watch& watch) const {
  const release::Observation& o = view.observation;
  const release::GuardState& state = view.state;
  const std::string stable = state.release ? state.release->stable : state.stable;
  watch.candidate_label = view.tracks.candidate;
  watch.news_hash.clear();
  if (const auto* revision = o.target.Find(stable)) watch.stable_hash = revision->pod_hash;
  if (!view.tracks.stable.value.empty()) watch.stable_hash = view.tracks.stable.value;
  if (state.release) {
    if (const auto* news = o.target.Find(state.release->candidate))
      watch.news_hash = news->pod_hash;
    if (std::string pods = PodPattern(view.guard, o, state.release->candidate); !pods.empty())
      watch.tracks[1].pattern = pods;
    watch.own.Learn(view);
  }
  if (std::string pods = PodPattern(view.guard, o, stable); !pods.empty())
    watch.tracks[0].pattern = pods;
  watch.bindings = GuardBindings(view.guard, state);
  watch.leaving =
      state.phase == release::Phase::kRollingBack || state.phase == release::Phase::kVerifying;
  for (bool candidate : {false, true}) {
    spec::StringMap& vars = watch.tracks[candidate ? 1 : 0].variables;
    std::string service = candidate ? view.tracks.CandidateService() : view.tracks.stable_service;
    if (view.tracks.stable_service.empty())
      service = view.guard.service.empty() ? view.guard.target.name : view.guard.service;
    vars = {{"service", service},
            {"namespace", watch.ns},
            {"workload", watch.target.name},
            {"guard", view.guard.metadata.name}};
    for (const auto& variable : view.guard.vars) vars.push_back(variable);
  }
}

void HealthSensor::End(Watch& watch) {
  watch.over = true;
  if (watch.look_timer != 0) ports_.timers->CancelTimer(watch.look_timer);
  for (const BeatPtr& beat : watch.beats) {
    if (beat->timer != 0) ports_.timers->CancelTimer(beat->timer);
    for (ProbeId probe : beat->probes) ports_.prober->Cancel(probe);
    beat->probes.clear();
  }
}

void HealthSensor::Arm(const WatchPtr& watch, const BeatPtr& beat, bool first) {
  const Duration interval = beat->check.interval;
  Duration delay = interval;
  if (std::holds_alternative<spec::PromqlCheck>(beat->check.kind)) {
    delay = NextOnGrid(ports_.clock->Now(), interval) - ports_.clock->Now();
  } else if (first) {
    delay = FromSeconds(ToSeconds(std::min(interval, Duration(std::chrono::seconds(10)))) *
                        random_.Uniform());
  } else {
    delay = FromSeconds(ToSeconds(interval) * (1 + kJitter * (random_.Uniform() - 0.5)));
  }
  beat->timer =
      ports_.timers->After(delay, [this, weak = std::weak_ptr(watch), beat = std::weak_ptr(beat)] {
        auto held = weak.lock();
        auto turn = beat.lock();
        if (!held || !turn || held->over) return;
        turn->timer = 0;
        Arm(held, turn, false);
        Ask(held, turn);
      });
}

void HealthSensor::ArmLook(const WatchPtr& watch) {
  watch->look_timer = ports_.timers->After(watch->look_every, [this, weak = std::weak_ptr(watch)] {
    auto held = weak.lock();
    if (!held || held->over) return;
    ArmLook(held);
    Look(held);
  });
}

std::vector<PodFacts> HealthSensor::PodsOf(Watch& watch, bool candidate) {
  std::vector<PodFacts> facts;
  if (controller_ == nullptr) return facts;
  Arena arena;
  const Mirror& mirror = controller_->mirror();
  auto take = [&](const std::string& owner) {
    for (const Json* pod : mirror.OwnedBy(kube::resources::Pods(), watch.ns, owner, arena)) {
      const std::string hash = HashOf(*pod);
      const std::string label = pod->At("metadata", "labels").At(watch.candidate_label.key).Str();
      bool stable = !hash.empty() && hash == watch.stable_hash;
      bool news = (!label.empty() && label == watch.candidate_label.value) ||
                  (!hash.empty() && hash == watch.news_hash && !stable);
      if (candidate ? !news : (!stable || news)) continue;
      auto fact = ReadPod(*pod);
      if (!fact) continue;
      PodMemory& memory = watch.pods[fact->uid];
      if (!memory.known) {
        auto created = ParseRfc3339(pod->At("metadata", "creationTimestamp").Str());
        memory.known = true;
        memory.restarts_before = created && *created >= watch.began ? 0 : fact->restarts;
      }
      memory.was_ready = fact->was_ready = memory.was_ready || fact->ready;
      memory.seen = watch.turn;
      fact->restarts -= memory.restarts_before;
      facts.push_back(std::move(*fact));
    }
  };
  std::vector<std::string> owners = {watch.target.name};
  if (watch.candidate_name != watch.target.name) owners.push_back(watch.candidate_name);
  for (const std::string& owner : owners) {
    if (watch.target.kind != "Deployment") {
      take(owner);
      continue;
    }
    for (const Json* set : mirror.OwnedBy(kube::resources::ReplicaSets(), watch.ns, owner, arena))
      take(set->At("metadata", "name").Str());
  }
  // Pods come and go for as long as a guard is watched.
  if (++watch.turn % 256 == 0) {
    std::erase_if(watch.pods,
                  [&](const auto& entry) { return watch.turn - entry.second.seen > 512; });
  }
  return facts;
}

void HealthSensor::Hear(const WatchPtr& watch, const BeatPtr& beat, HealthSample sample) {
  const Time now = ports_.clock->Now();
  sample.at = now;
  sample.round = beat->round;
  const bool was_failing = beat->verdict.failing;
  const bool first = beat->verdict.known == 0;
  if (sample.answer.verdict != ProbeAnswer::Verdict::kUnknown) beat->hold.clear();
  beat->value = sample.value;
  beat->window.Drop(now - EffectiveWindow(beat->check));
  beat->window.Add(std::move(sample));
  beat->verdict = beat->window.Judge(beat->check, now);
  // Alerts know by themselves when they began.
  const bool may_share = !std::holds_alternative<spec::AlertmanagerCheck>(beat->check.kind);
  const bool first_answer = beat->candidate && first && beat->verdict.known > 0;
  if ((first_answer && may_share) || beat->excused) {
    const Beat* stable = watch->Find(beat->check.name, false);
    beat->excused = stable != nullptr && stable->verdict.failing;
  }
  if (observer_) observer_(ReadingOf(*watch, *beat));
  if (beat->check.critical && was_failing != beat->verdict.failing) {
    Judge(*watch, beat->candidate);
    if (controller_ != nullptr) controller_->Touch(watch->guard);
  }
}

void HealthSensor::Judge(Watch& watch, bool candidate) const {
  Track& track = watch.tracks[candidate ? 1 : 0];
  std::vector<analysis::CheckScore> scores;
  std::string worst;
  double worst_score = 1;
  for (const BeatPtr& beat : watch.beats) {
    if (beat->candidate != candidate) continue;
    beat->verdict = beat->window.Judge(beat->check, ports_.clock->Now());
    const WindowVerdict& verdict = beat->verdict;
    scores.push_back({.name = beat->check.name,
                      .weight = beat->check.weight,
                      .score = verdict.score,
                      .critical = beat->check.critical && !beat->excused,
                      .failing = verdict.failing,
                      .message = verdict.why});
    if (verdict.score && *verdict.score < worst_score) {
      worst_score = *verdict.score;
      worst = StrCat(beat->check.name, ": ", verdict.why);
    }
  }
  analysis::HealthScore score =
      analysis::ScoreHealth(scores, watch.settings.healthy, watch.settings.degraded);
  bool known = std::any_of(scores.begin(), scores.end(),
                           [](const auto& s) { return s.score.has_value() && s.weight > 0; });
  track.health = score.health;
  track.score = known ? std::optional(score.score) : std::nullopt;
  track.critical_failing = !score.critical_check.empty();
  track.reason = worst;
  for (const analysis::CheckScore& check : scores) {
    if (check.critical && check.failing && check.name == score.critical_check) {
      track.reason = StrCat("critical health check ", check.name, ": ", check.message);
    }
  }
}

void HealthSensor::Look(const WatchPtr& watch) {
  for (bool candidate : {false, true}) {
    Judge(*watch, candidate);
    Track& track = watch->tracks[candidate ? 1 : 0];
    if (!track.score) continue;
    track.at = ports_.clock->Now();
    track.scores.push_back(*track.score);
    if (track.scores.size() > kScores) track.scores.erase(track.scores.begin());
    if (candidate && controller_ != nullptr) controller_->Touch(watch->guard);
  }
}

void HealthSensor::Contribute(const spec::Guard& guard, const release::GuardState& state,
                              release::Observation& observation) {
  auto found = watches_.find(guard.Id());
  if (found == watches_.end()) return;
  const Watch& watch = *found->second;
  auto fill = [](const Track& track, release::HealthView& view) {
    if (track.at) view.score = track.score;
    view.critical_failing = track.critical_failing;
    view.reason = track.reason;
    if (track.at) view.at = *track.at;
  };
  fill(watch.tracks[0], observation.stable_health);
  if (!state.release || watch.release != state.release->id) return;
  fill(watch.tracks[1], observation.health);
  if (watch.leaving) return;  // what cannot be asked of a candidate that goes is no matter
  for (const BeatPtr& beat : watch.beats) {
    if (!beat->candidate || beat->hold.empty()) continue;
    release::Signal signal;
    signal.source = release::Signal::Source::kHealth;
    signal.state = release::Signal::State::kNoData;
    signal.name = StrCat("health check ", beat->check.name);
    signal.severity = spec::RuleSeverity::kMedium;
    signal.reason = beat->hold;
    observation.signals.push_back(std::move(signal));
  }
}

TrackHealth HealthSensor::Health(const std::string& guard, bool candidate) const {
  auto found = watches_.find(guard);
  if (found == watches_.end()) return {};
  const Track& track = found->second->tracks[candidate ? 1 : 0];
  return {track.health, track.score, track.scores, track.reason, track.at};
}

std::vector<HealthReading> HealthSensor::Readings(const std::string& guard) const {
  std::vector<HealthReading> readings;
  auto found = watches_.find(guard);
  if (found == watches_.end()) return readings;
  for (const BeatPtr& beat : found->second->beats)
    readings.push_back(ReadingOf(*found->second, *beat));
  return readings;
}

HealthReading HealthSensor::ReadingOf(const Watch& watch, const Beat& beat) const {
  const WindowVerdict& verdict = beat.verdict;
  HealthReading reading;
  reading.guard = watch.guard;
  reading.release = watch.release;
  reading.check = beat.check.name;
  reading.kind = spec::NameOf(beat.check.kind);
  reading.type = spec::ToString(beat.check.type);
  reading.candidate = beat.candidate;
  reading.critical = beat.check.critical;
  reading.weight = beat.check.weight;
  using Verdict = HealthReading::Verdict;
  reading.verdict = verdict.known == 0 ? Verdict::kUnknown
                    : verdict.failing  ? Verdict::kFailing
                                       : Verdict::kPassing;
  reading.score = verdict.score;
  reading.value = beat.value;
  reading.latency = verdict.latency;
  reading.success_rate = verdict.success_rate;
  reading.error_rate = verdict.error_rate;
  reading.samples = verdict.known;
  if (const HealthSample* newest = beat.window.newest()) reading.at = newest->at;
  reading.why = beat.hold.empty() ? verdict.why : beat.hold;
  if (beat.excused && verdict.failing)
    reading.why = StrCat("stable failed this before the candidate was asked; ", reading.why);
  return reading;
}

const char* ToString(HealthReading::Verdict verdict) {
  constexpr const char* kNames[] = {"unknown", "passing", "failing"};
  return kNames[static_cast<size_t>(verdict)];
}

Json ToJson(const HealthReading& reading) {
  Json json = Json::Obj({{"check", reading.check},
                         {"kind", reading.kind},
                         {"type", reading.type},
                         {"track", reading.candidate ? "candidate" : "stable"},
                         {"critical", reading.critical},
                         {"weight", reading.weight},
                         {"verdict", ToString(reading.verdict)},
                         {"samples", reading.samples},
                         {"why", reading.why}});
  if (reading.score) json.Set("score", *reading.score);
  if (reading.value) json.Set("value", *reading.value);
  if (reading.latency) json.Set("latencySeconds", ToSeconds(*reading.latency));
  if (reading.samples > 0) {
    json.Set("successRate", reading.success_rate);
    json.Set("errorRate", reading.error_rate);
  }
  if (reading.at) json.Set("at", FormatRfc3339(*reading.at));
  return json;
}

Json ToJson(const TrackHealth& health) {
  Json scores = Json::Arr();
  for (double score : health.scores) scores.Push(score);
  Json json = Json::Obj({{"health", analysis::ToString(health.health)},
                         {"scores", std::move(scores)},
                         {"reason", health.reason}});
  if (health.score) json.Set("score", *health.score);
  if (health.at) json.Set("at", FormatRfc3339(*health.at));
  return json;
}

}  // namespace rollguard::app
