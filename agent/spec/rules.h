// SPDX-License-Identifier: Apache-2.0
// Rule groups in the shape SREs know from Prometheus: each rule is a query that is bad while it
// returns something, or a comparison of the candidate with the stable revision.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/spec/guard.h"
#include "agent/spec/values.h"

namespace rollguard::spec {

// bad / total of both tracks, increases over $window. `$pods` is each track's pods in turn.
struct CompareProportion {
  Query bad;
  Query total;
};
// A classic histogram's increases by `le`.
struct CompareHistogram {
  Query buckets;
};
// A gauge's samples over the window, one value per series and look (Mann-Whitney).
struct CompareMean {
  Query query;
};

struct Compare {
  enum class Direction { kIncrease, kDecrease, kEither };
  std::variant<CompareProportion, CompareHistogram, CompareMean> what;
  double tolerate = 1.0;  // the candidate may be this many times the stable revision
  double weight = 1.0;    // share of the release's alpha
  Duration window = std::chrono::minutes(1);  // what $window stands for: the time between looks
  Direction direction = Direction::kIncrease;
  // Mean only.
  double confidence_level = 0.98;
  double tolerance = 0.25;
  int64_t min_points = 5;
};

struct Rule {
  std::string name;
  TriggerAction action = TriggerAction::kRollback;
  std::variant<Query, Compare> what;  // exactly one
  Duration hold{0};                   // `for`
  Duration keep_firing_for{0};
  RuleSeverity severity = RuleSeverity::kCritical;
  std::optional<NoData> no_data;  // absent: the guard's
  std::string source;             // metrics source; empty: the agent's default
  StringMap labels;
  StringMap annotations;  // template text, checked
  SourceSpan span;

  bool compares() const { return std::holds_alternative<Compare>(what); }
};

struct RuleGroup {
  std::string name;
  Duration interval = std::chrono::seconds(15);
  StringMap labels;     // for selection by RuleRef::selector
  StringMap vars;       // defaults of variables of this group; the guard's vars win
  double alpha = 0.01;  // shared by the group's comparing rules within one release
  std::vector<Rule> rules;
  std::string ns;  // of a RollbackRules object; empty: from a file, for every namespace
  Origin origin;
};

// The variables a query may use without being told: namespace workload service guard revision
// candidate_pods stable_pods pods window.
bool IsBuiltInVariable(std::string_view name);

}  // namespace rollguard::spec
