// SPDX-License-Identifier: Apache-2.0
// One decision and everything that can be shown for it. Immutable once recorded.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/base/json.h"
#include "agent/base/time.h"
#include "agent/spec/values.h"

namespace rollguard::release {

// What was decided. The word in quotes is the one people see.
enum class Verdict {
  kStart,      // "start"
  kAdvance,    // "advance": a step is done, the next begins
  kHold,       // "hold": nothing moves, with the reason
  kPause,      // "pause"
  kResume,     // "resume"
  kRollBack,   // "rollback"
  kPromote,    // "promote": all steps done, or bake done
  kReject,     // "reject": refused before any pod started
  kSupersede,  // "supersede": a newer template took the place
  kComplete,   // "complete": a release or a rollback has ended
  kEscalate,   // "escalate": the way back does not work; people are needed
  kAdopt,      // "adopt": the guard takes a workload over, or gives it back
};
// The id of a guard's decision: made of the object's uid and the sequence of its status.
std::string DecisionId(std::string_view guard, std::string_view uid, int64_t sequence);
const char* ToString(Verdict verdict);
std::optional<Verdict> VerdictFrom(std::string_view word);

// One input to a decision. `hard` ones act at once, soft ones feed the confidence.
struct Signal {
  enum class Source {
    kRule,
    kAlert,
    kAnalysis,
    kHealth,
    kWorkload,
    kPerson,
    kGroup,
    kFleet,
    kHook
  };
  enum class State { kOk, kPending, kFiring, kNoData, kError };
  Source source = Source::kRule;
  State state = State::kOk;
  std::string name;
  spec::TriggerAction action = spec::TriggerAction::kRollback;
  spec::RuleSeverity severity = spec::RuleSeverity::kCritical;
  bool pre_existing = false;  // was firing before the release began: blocks a start, no rollback
  std::string reason;         // one sentence with value and threshold
  Json evidence;              // query, samples, thresholds; may be null
  std::optional<Time> since;

  bool Hard() const {
    return action == spec::TriggerAction::kRollback && severity == spec::RuleSeverity::kCritical;
  }
};
const char* ToString(Signal::Source source);
const char* ToString(Signal::State state);

// The parts of the confidence that a revision is bad.
struct ConfidenceParts {
  double value = 0;
  double health = 0;    // 1 - score
  double trend = 0;     // 0..1
  double severity = 0;  // of the worst soft signal
  double r_squared = 0;
  int64_t looks = 0;  // consecutive looks at or above the threshold
};

struct Decision {
  std::string id;
  Time at;
  std::string guard;    // namespace/name
  std::string release;  // empty outside of a release
  std::string phase;    // in which it was taken
  Verdict verdict = Verdict::kHold;
  std::string reason;  // one sentence for people
  std::string actor;   // "rollguard", or who asked
  std::string revision;
  int64_t weight = 0;
  std::vector<Signal> signals;
  std::optional<ConfidenceParts> confidence;
  std::vector<std::string> changes;  // what will be changed, one line each
};

Json ToJson(const Signal& signal);
Json ToJson(const Decision& decision);
Json ToJson(const ConfidenceParts& parts);
Expected<Decision> DecisionFromJson(const Json& json);

}  // namespace rollguard::release
