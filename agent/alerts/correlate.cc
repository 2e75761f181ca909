// SPDX-License-Identifier: Apache-2.0
// The ranking of suspects is a weighted mean of three answers: how soon after the release began the
// alert began, whether the release is of something the alert's workload calls, and how much worse
// the candidate looks than stable. The weights add to one, so the rank reads as a share.
#include "agent/alerts/correlate.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "agent/base/text.h"

namespace rollguard::alerts {
namespace {

constexpr double kTimeWeight = 0.4, kDependencyWeight = 0.2, kEvidenceWeight = 0.4;
constexpr double kTimeScaleSeconds =
    600;  // ten minutes after the start the time speaks half as loud
constexpr std::array<std::string_view, 6> kWorkloadLabels = {
    "deployment", "workload", "statefulset", "daemonset", "service", "app"};

const std::string& ExplicitGuard(const Alert& alert) {
  const std::string& label = alert.Label("rollguard_guard");
  if (!label.empty()) return label;
  static const std::string empty;
  const std::string* annotation = spec::FindIn(alert.annotations, "rollguard_guard");
  return annotation != nullptr ? *annotation : empty;
}

bool NamesByLabels(const Alert& alert, std::string_view ns, std::string_view workload,
                   std::string_view its_service) {
  if (alert.Label("namespace") != ns) return false;
  return std::any_of(kWorkloadLabels.begin(), kWorkloadLabels.end(), [&](std::string_view label) {
    const std::string& value = alert.Label(label);
    if (value.empty()) return false;
    return value == workload || (label == "service" && value == its_service);
  });
}

bool NamesGuardByLabels(const Alert& alert, const GuardFacts& guard) {
  return NamesByLabels(alert, guard.ns, guard.workload, guard.service);
}

bool NamesSomeWorkload(const Alert& alert) {
  return std::any_of(kWorkloadLabels.begin(), kWorkloadLabels.end(),
                     [&](std::string_view label) { return !alert.Label(label).empty(); }) ||
         !alert.Label("pod").empty();
}

bool NamesGuardByPod(const Alert& alert, const GuardFacts& guard, const PodOwner& owner) {
  const std::string& pod = alert.Label("pod");
  if (pod.empty() || alert.Label("namespace") != guard.ns || !owner) return false;
  return owner(guard.ns, pod) == guard.workload;
}

const spec::AlertTrigger* MatchingTrigger(const Alert& alert, const GuardFacts& guard) {
  if (guard.triggers == nullptr) return nullptr;
  for (const spec::AlertTrigger& trigger : *guard.triggers) {
    if (MatchesAll(trigger.matchers, alert.labels)) return &trigger;
  }
  return nullptr;
}

// A matcher such as severity="critical" fits every alert of the cluster; it speaks for a guard only
// when the alert does not speak of something else.
bool MatcherSpeaksFor(const Alert& alert, const GuardFacts& guard, const PodOwner& owner) {
  if (MatchingTrigger(alert, guard) == nullptr) return false;
  const std::string& ns = alert.Label("namespace");
  if (!ns.empty() && ns != guard.ns) return false;
  return !NamesSomeWorkload(alert) || NamesGuardByLabels(alert, guard) ||
         NamesGuardByPod(alert, guard, owner);
}

bool Speaks(How how, const Alert& alert, const GuardFacts& guard, const PodOwner& owner) {
  switch (how) {
    case How::kExplicit: return ExplicitGuard(alert) == guard.id;
    case How::kMatcher: return MatcherSpeaksFor(alert, guard, owner);
    case How::kLabels: return NamesGuardByLabels(alert, guard);
    case How::kPod: return NamesGuardByPod(alert, guard, owner);
  }
  return false;
}

Suspicion Suspect(const Alert& alert, const GuardFacts& guard,
                  const std::vector<const GuardFacts*>& others) {
  double seconds = ToSeconds(alert.starts_at - guard.release_started);
  double time = seconds < 0 ? 0 : 1.0 / (1.0 + seconds / kTimeScaleSeconds);
  bool called = std::any_of(others.begin(), others.end(), [&](const GuardFacts* other) {
    return std::find(other->depends_on.begin(), other->depends_on.end(), guard.id) !=
           other->depends_on.end();
  });
  return {time, called ? 1.0 : 0.0, std::clamp(guard.evidence, 0.0, 1.0)};
}

double Rank(const Suspicion& s) {
  return kTimeWeight * s.time + kDependencyWeight * s.dependency + kEvidenceWeight * s.evidence;
}

std::string Explain(const Alert& alert, const GuardFacts& guard, const Match& match) {
  std::string began =
      StrCat("alert ", alert.Name(), " began at ", FormatClockTime(alert.starts_at));
  switch (match.disposition) {
    case Disposition::kPreExisting:
      return StrCat(began, ", before release ", guard.release_id, " began at ",
                    FormatClockTime(guard.release_started));
    case Disposition::kNoRelease: return StrCat(began, "; no release of ", guard.id, " is running");
    case Disposition::kResolved: return StrCat("alert ", alert.Name(), " has ended");
    case Disposition::kObserved: return StrCat(began, "; it is only observed");
    default:
      return StrCat(
          began, ", ", FormatShortDuration(alert.starts_at - guard.release_started),
          " after release ", guard.release_id, " began; matched by ", ToString(match.how),
          Format(", rank %.2f (time %.2f, dependency %.0f, evidence %.2f)", match.rank,
                 match.suspicion.time, match.suspicion.dependency, match.suspicion.evidence));
  }
}

Disposition Judge(const Alert& alert, const GuardFacts& guard, spec::TriggerAction action) {
  if (alert.status == AlertStatus::kResolved) return Disposition::kResolved;
  if (!guard.releasing) return Disposition::kNoRelease;
  if (alert.starts_at < guard.release_started) return Disposition::kPreExisting;
  return action == spec::TriggerAction::kObserve ? Disposition::kObserved : Disposition::kTrigger;
}

Match MakeMatch(const Alert& alert, const GuardFacts& guard, How how,
                const std::vector<const GuardFacts*>& named) {
  Match match{
      .guard = guard.id, .release_id = guard.release_id, .how = how, .severity = SeverityOf(alert)};
  if (const spec::AlertTrigger* trigger = MatchingTrigger(alert, guard)) {
    match.action = trigger->action;
    match.severity = trigger->severity;
  }
  match.disposition = Judge(alert, guard, match.action);
  if (guard.releasing) match.suspicion = Suspect(alert, guard, named);
  match.rank = Rank(match.suspicion);
  match.reason = Explain(alert, guard, match);
  return match;
}

// One alert, several releases that could be the cause: the first is taken back, the others wait.
void KeepOneTrigger(std::vector<Match>& matches) {
  bool taken = false;
  for (Match& match : matches) {
    if (match.disposition != Disposition::kTrigger) continue;
    if (taken) {
      match.disposition = Disposition::kSuspect;
      match.reason += "; another release ranks higher";
    }
    taken = true;
  }
}

}  // namespace

const char* ToString(Disposition value) {
  switch (value) {
    case Disposition::kTrigger: return "trigger";
    case Disposition::kPreExisting: return "pre-existing";
    case Disposition::kNoRelease: return "no-release";
    case Disposition::kSuspect: return "suspect";
    case Disposition::kObserved: return "observed";
    case Disposition::kResolved: return "resolved";
    case Disposition::kUnmatched: return "unmatched";
    case Disposition::kDuplicate: return "duplicate";
    case Disposition::kSuppressed: return "suppressed";
  }
  return "unknown";
}

const char* ToString(How value) {
  switch (value) {
    case How::kExplicit: return "its rollguard_guard label";
    case How::kMatcher: return "the guard's matchers";
    case How::kLabels: return "its workload labels";
    case How::kPod: return "its pod's owner";
  }
  return "unknown";
}

bool MaySpeakOf(const Alert& alert, const spec::Guard& guard) {
  if (!NamesSomeWorkload(alert) || !alert.Label("pod").empty()) return true;
  const std::string& named = ExplicitGuard(alert);
  return NamesByLabels(alert, guard.metadata.ns, guard.target.name, guard.service) ||
         (!named.empty() && named == guard.Id());
}

std::vector<Match> Correlate(const Alert& alert, const std::vector<GuardFacts>& guards,
                             const PodOwner& owner) {
  // What we told Alertmanager ourselves must not come back as a reason.
  if (spec::FindIn(alert.labels, kNoticeLabel) != nullptr) return {};
  for (How how : {How::kExplicit, How::kMatcher, How::kLabels, How::kPod}) {
    std::vector<const GuardFacts*> named;
    for (const GuardFacts& guard : guards) {
      if (Speaks(how, alert, guard, owner)) named.push_back(&guard);
    }
    if (named.empty()) continue;
    std::vector<Match> matches;
    matches.reserve(named.size());
    for (const GuardFacts* guard : named) matches.push_back(MakeMatch(alert, *guard, how, named));
    std::stable_sort(matches.begin(), matches.end(),
                     [](const Match& a, const Match& b) { return a.rank > b.rank; });
    KeepOneTrigger(matches);
    return matches;
  }
  return {};
}

bool Matches(const spec::Matcher& matcher, const spec::StringMap& labels) {
  const std::string* found = spec::FindIn(labels, matcher.name);
  std::string_view value = found != nullptr ? std::string_view(*found) : std::string_view();
  switch (matcher.op) {
    case spec::Matcher::Op::kEqual: return value == matcher.value;
    case spec::Matcher::Op::kNotEqual: return value != matcher.value;
    case spec::Matcher::Op::kRegex:
      return RE2::FullMatch(re2::StringPiece(value.data(), value.size()), matcher.value);
    case spec::Matcher::Op::kNotRegex:
      return !RE2::FullMatch(re2::StringPiece(value.data(), value.size()), matcher.value);
  }
  return false;
}

bool MatchesAll(const std::vector<spec::Matcher>& matchers, const spec::StringMap& labels) {
  return !matchers.empty() &&
         std::all_of(matchers.begin(), matchers.end(),
                     [&](const spec::Matcher& m) { return Matches(m, labels); });
}

spec::RuleSeverity SeverityOf(const Alert& alert) {
  std::string word = ToLower(alert.Label("severity"));
  if (word == "critical" || word == "page" || word == "emergency")
    return spec::RuleSeverity::kCritical;
  if (word == "high" || word == "error") return spec::RuleSeverity::kHigh;
  if (word == "low" || word == "info" || word == "none") return spec::RuleSeverity::kLow;
  return spec::RuleSeverity::kMedium;
}

}  // namespace rollguard::alerts
