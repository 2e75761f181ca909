// SPDX-License-Identifier: Apache-2.0
// What a release measured, on its way into the history, so that its charts can be drawn when it has
// long ended: weight, score, the values of rules and analysis metrics.
//
// Bounded: a line is dense while it is young and thins out as the release gets older, so that a
// release of a day writes some hundreds of rows for each line, not thousands. A verdict that
// changes is always written. Belongs to the deciding thread. One of the controller's listeners.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "agent/app/analysis_sensor.h"
#include "agent/app/rule_sensor.h"
#include "agent/app/sensor.h"
#include "agent/ports/history.h"

namespace rollguard::app {

// The names of a release's lines as the history keeps them: a rule's or metric's own name is the
// candidate's line; these stand besides it.
inline constexpr std::string_view kStableLine = "|stable";  // behind a name: stable's value
inline constexpr std::string_view kLimitLine = "|limit";    // behind a name: the threshold
inline constexpr std::string_view kWeightLine = "|weight";
inline constexpr std::string_view kScoreLine = "|score";

class Measurements : public Listener {
 public:
  static constexpr size_t kMaxLines = 24;  // of one release
  static constexpr int kDense = 60;        // so many points of a line before it thins out

  Measurements(History& history, const Clock& clock) : history_(history), clock_(clock) {}

  // After each evaluated rule, and each measured analysis metric.
  void Observed(const RuleReading& reading);
  void Observed(const AnalysisReading& reading);

  void Decided(const spec::Guard&, const release::Decision&) override {}
  void Changed(const spec::Guard& guard, const release::GuardState& before,
               const release::GuardState& after, const release::Observation& observation) override;
  void Told(const spec::Guard&, const release::Notify&) override {}
  void Removed(const std::string& guard) override { releases_.erase(guard); }

 private:
  struct Line {
    Time first{}, last{};
    std::string verdict;
    std::optional<double> limit;
  };
  struct Release {
    std::string id;
    std::map<std::string, Line> lines;
    std::optional<double> weight;
  };
  Release* Find(const std::string& guard, const std::string& release);
  // The line when a point is due on it; null: not now.
  static Line* Due(Release& release, const std::string& name, Time now, const std::string& verdict);
  void Write(const std::string& guard, const Release& release, std::string metric, Time at,
             std::optional<double> value, const std::string& verdict);

  History& history_;
  const Clock& clock_;
  std::map<std::string, Release> releases_;  // by guard
};

}  // namespace rollguard::app
