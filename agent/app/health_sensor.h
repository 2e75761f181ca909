// SPDX-License-Identifier: Apache-2.0
// Health of the two tracks of every guard that is releasing (and, slower, of those at rest that ask
// for it). Each check of each track is asked on its own beat; what it answered within its window
// makes its score; the weighted mean of what is known is the track's health.
//
// Not known is not well and not ill: a check without an answer is left out, a track without any has
// no score. A check that cannot be asked at all (no such Secret, metrics that do not answer) holds
// the release as rules without data do. A critical check that stable failed already when the
// candidate was first asked says nothing against the candidate.
//
// Belongs to the deciding thread; the prober's callbacks must come there too (ProberOnLoop).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/alerts/alert.h"
#include "agent/analysis/score.h"
#include "agent/app/controller.h"
#include "agent/app/health_requests.h"
#include "agent/app/health_window.h"
#include "agent/app/metrics_sources.h"
#include "agent/base/random.h"
#include "agent/ports/prober.h"

namespace rollguard::app {

struct HealthPorts {
  Timers* timers = nullptr;
  const Clock* clock = nullptr;
  MetricsSources* sources = nullptr;
  Prober* prober = nullptr;    // null: nothing can be asked over the network
  Cluster* cluster = nullptr;  // for Secrets that hold URLs
  // A firing alert that matches and, when `since` is given, began then or later; the alert desk's.
  // Unset: alerts cannot be asked.
  std::function<std::optional<alerts::Alert>(const std::vector<spec::Matcher>&,
                                             std::optional<Time> since)>
      firing = {};
  // Why alerts cannot be trusted to arrive now; empty or unset: they can.
  std::function<std::string()> alerts_trouble = {};
  uint64_t seed = 1;  // for the jitter
};

// One check of one track as it stands.
struct HealthReading {
  enum class Verdict { kUnknown, kPassing, kFailing };
  std::string guard;
  std::string release;  // empty at rest
  std::string check;
  std::string kind;  // "http", ...
  std::string type;  // "readiness", ...
  bool candidate = false;
  bool critical = false;
  double weight = 1;
  Verdict verdict = Verdict::kUnknown;
  std::optional<double> score;
  std::optional<double> value;      // what it measured last: latency in seconds, share, query value
  std::optional<Duration> latency;  // p99 within the window
  double success_rate = 0;
  double error_rate = 0;
  size_t samples = 0;
  std::optional<Time> at;  // of the last answer
  std::string why;         // the last answer, or what is wrong within the window
};
const char* ToString(HealthReading::Verdict verdict);
Json ToJson(const HealthReading& reading);

// One track as a whole.
struct TrackHealth {
  analysis::Health health = analysis::Health::kUnknown;
  std::optional<double> score;
  std::vector<double> scores;  // the last six looks, oldest first
  std::string reason;
  std::optional<Time> at;
};
Json ToJson(const TrackHealth& health);

class HealthSensor : public Sensor {
 public:
  explicit HealthSensor(HealthPorts ports);
  ~HealthSensor() override;
  HealthSensor(const HealthSensor&) = delete;
  HealthSensor& operator=(const HealthSensor&) = delete;
  void Attach(Controller* controller) { controller_ = controller; }
  // Runs after each answer.
  void SetObserver(std::function<void(const HealthReading&)> observer) {
    observer_ = std::move(observer);
  }

  void Contribute(const spec::Guard& guard, const release::GuardState& state,
                  release::Observation& observation) override;
  void Follow(const GuardView& view) override;
  void Forget(const std::string& guard) override;

  // Every check of a guard, candidate first; empty when nothing is asked now.
  std::vector<HealthReading> Readings(const std::string& guard) const;
  TrackHealth Health(const std::string& guard, bool candidate) const;

 private:
  struct Beat;   // one check of one track
  struct Track;  // what is known of the candidate or of stable
  struct Watch;  // one guard
  using WatchPtr = std::shared_ptr<Watch>;
  using BeatPtr = std::shared_ptr<Beat>;

  // Which guards are asked what.
  WatchPtr Begin(const GuardView& view, const WatchPtr& before);
  void AddBeats(Watch& watch, bool candidate, const WatchPtr& before);
  void Update(const GuardView& view, Watch& watch) const;
  void End(Watch& watch);
  void Arm(const WatchPtr& watch, const BeatPtr& beat, bool first);
  void ArmLook(const WatchPtr& watch);

  // One turn of one check.
  void Ask(const WatchPtr& watch, const BeatPtr& beat);
  void AskNetwork(const WatchPtr& watch, const BeatPtr& beat);
  void AskPostgres(const WatchPtr& watch, const BeatPtr& beat);
  void AskQuery(const WatchPtr& watch, const BeatPtr& beat);
  void AskAlerts(const WatchPtr& watch, const BeatPtr& beat);
  void HearQuery(const WatchPtr& watch, const BeatPtr& beat, const Expected<MetricAnswer>& answer);
  void Send(const WatchPtr& watch, const BeatPtr& beat, const std::string& subject,
            ProbeRequest request);
  void Hear(const WatchPtr& watch, const BeatPtr& beat, HealthSample sample);
  // It could not be asked, for a reason that must not pass unnoticed.
  void CannotAsk(const WatchPtr& watch, const BeatPtr& beat, std::string why);
  void FlushRounds();

  // What follows from the answers.
  void Judge(Watch& watch, bool candidate) const;
  void Look(const WatchPtr& watch);
  std::vector<PodFacts> PodsOf(Watch& watch, bool candidate);
  HealthReading ReadingOf(const Watch& watch, const Beat& beat) const;

  HealthPorts ports_;
  Random random_;
  Controller* controller_ = nullptr;
  std::function<void(const HealthReading&)> observer_;
  std::map<std::string, WatchPtr> watches_;
  std::map<std::string, MetricsSource::Round> rounds_;  // by source, until the flush
  TimerId flush_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace rollguard::app
