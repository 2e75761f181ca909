// SPDX-License-Identifier: Apache-2.0
// Which guard does an alert speak of, and what does it mean for its release? The ways, in order;
// the first that names a guard ends the search:
//   1. the alert says so: label or annotation `rollguard_guard: namespace/name`
//   2. the guard says so: one of its matchers, when the alert names no other namespace or workload
//   3. the labels `namespace` with `deployment|workload|statefulset|daemonset|service|app`
//   4. the label `pod`, by the pod's owner
// Pure: what is known of guards and pods is handed in.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/alerts/alert.h"
#include "agent/spec/guard.h"

namespace rollguard::alerts {

// What correlation needs to know of one guard. Lifetime: `matchers` point into the guard.
struct GuardFacts {
  std::string id;  // namespace/name
  std::string ns;
  std::string workload;
  std::string service;
  const std::vector<spec::AlertTrigger>* triggers = nullptr;
  std::vector<std::string> depends_on;  // ids of guards this one calls
  bool releasing = false;
  Time release_started{};
  std::string release_id{};
  double evidence = 0;  // 0..1: how much worse the candidate looks than stable, by all comparisons
};

enum class Disposition {
  kTrigger,      // counts against the running release
  kPreExisting,  // was firing before the release began: can block a start, never cause a rollback
  kNoRelease,    // nothing is being released
  kSuspect,      // counts against a release that ranks higher
  kObserved,     // matched, and its action is `observe`
  kResolved,     // an alert that ended
  kUnmatched,
  kDuplicate,
  kSuppressed,  // silenced or inhibited
};
const char* ToString(Disposition value);

enum class How { kExplicit, kMatcher, kLabels, kPod };
const char* ToString(How value);

// What a rank is made of, each 0..1.
struct Suspicion {
  double time = 0;        // how soon after the release began the alert began
  double dependency = 0;  // 1: another guard the alert speaks of calls this one
  double evidence = 0;    // how much worse the candidate looks than stable
};

struct Match {
  std::string guard;
  std::string release_id{};
  How how = How::kExplicit;
  Disposition disposition = Disposition::kUnmatched;
  spec::TriggerAction action = spec::TriggerAction::kObserve;
  spec::RuleSeverity severity = spec::RuleSeverity::kMedium;
  double rank = 0;  // among suspects, 0..1
  Suspicion suspicion{};
  std::string reason;  // one sentence
};

// namespace, pod -> the workload that owns it; empty when unknown.
using PodOwner = std::function<std::string(std::string_view ns, std::string_view pod)>;

// On the alerts that the agent itself posts: they speak of no guard.
inline constexpr std::string_view kNoticeLabel = "rollguard_notice";

// Whether any of the ways could lead to a guard of which only this is known yet: most guards need
// not be looked at more closely.
bool MaySpeakOf(const Alert& alert, const spec::Guard& guard);

// All guards the alert speaks of, the most suspect first; empty: unmatched. When several releases
// are suspects of an alert that does not name one, only the first gets kTrigger.
std::vector<Match> Correlate(const Alert& alert, const std::vector<GuardFacts>& guards,
                             const PodOwner& owner);

// Anchored matching as Alertmanager does it.
bool Matches(const spec::Matcher& matcher, const spec::StringMap& labels);
bool MatchesAll(const std::vector<spec::Matcher>& matchers, const spec::StringMap& labels);

// The severity label's words, also "page", "warning", "info".
spec::RuleSeverity SeverityOf(const Alert& alert);

}  // namespace rollguard::alerts
