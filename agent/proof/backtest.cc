// SPDX-License-Identifier: Apache-2.0
#include "agent/proof/backtest.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "agent/base/text.h"
#include "agent/proof/trial_guard.h"

namespace rollguard::proof {
namespace {

using analysis::RulePhase;
using Outcome = BacktestVerdict::Outcome;

int Badness(RulePhase phase) {
  switch (phase) {
    case RulePhase::kInactive: return 0;
    case RulePhase::kNoData: return 1;
    case RulePhase::kError: return 2;
    case RulePhase::kPending: return 3;
    case RulePhase::kFiring: return 4;
  }
  return 0;
}

// Also where `noData: pass` made nothing of it. Without a threshold an empty answer says "healthy".
bool Unknown(const RuleLook& look) {
  return look.phase == RulePhase::kNoData || look.phase == RulePhase::kError ||
         (look.threshold && std::isnan(look.value));
}

void Follow(const RuleLook& look, RuleCourse& course) {
  if (course.looks == 0) course.peak = std::nan("");
  ++course.looks;
  if (Unknown(look)) ++course.without_data;
  if (look.threshold) course.threshold = look.threshold;
  bool worse = course.looks == 1 || Badness(look.phase) > Badness(course.worst);
  bool further = Badness(look.phase) == Badness(course.worst) &&
                 (std::isnan(course.peak) || std::abs(look.value) > std::abs(course.peak));
  if (worse || further) {
    course.worst = look.phase;
    course.text = look.text;
    if (!std::isnan(look.value)) course.peak = look.value;
  }
  if (look.phase == RulePhase::kFiring && !course.fired) course.fired = look.at;
}

std::vector<RuleCourse> CoursesOf(const std::vector<RuleLook>& looks) {
  std::vector<RuleCourse> out;
  std::map<std::pair<std::string, std::string>, size_t> index;
  for (const RuleLook& look : looks) {
    auto [found, fresh] = index.emplace(std::pair(look.group, look.rule), out.size());
    if (fresh)
      out.push_back({.group = look.group,
                     .rule = look.rule,
                     .action = look.action,
                     .fired = {},
                     .threshold = {},
                     .text = {}});
    Follow(look, out[found->second]);
  }
  return out;
}

Expected<spec::Guard> GuardFor(const BacktestRules& rules, const PastRelease& release) {
  if (rules.guard != nullptr) {
    std::vector<std::string> groups;
    for (const spec::RuleGroup& group : rules.library->groups) groups.push_back(group.name);
    return TrialGuardOf(*rules.guard, release.vars, groups, *rules.library);
  }
  return MakeTrialGuard({release.ns, release.workload, release.service, release.vars},
                        *rules.library);
}

// What came of it, from how it stands at its end.
void Conclude(const Trial& trial, BacktestVerdict& verdict) {
  TrialView view = trial.View();
  verdict.reason = view.reason;
  if (!view.causes.empty()) verdict.rule = view.causes[0];
  if (view.action == "rollback") verdict.outcome = Outcome::kRolledBack;
  if (view.action == "pause" || view.action == "hold" || view.action == "reject")
    verdict.outcome = Outcome::kHeld;
  for (const release::Decision& decision : trial.decisions()) {
    bool that = (decision.verdict == release::Verdict::kRollBack && view.action == "rollback") ||
                (decision.verdict == release::Verdict::kPause && view.action == "pause");
    if (that) verdict.at = decision.at;
  }
  bool seen = std::any_of(verdict.rules.begin(), verdict.rules.end(),
                          [](const RuleCourse& c) { return c.looks > c.without_data; });
  if (verdict.rules.empty()) {
    verdict.problem = "no rule was evaluated";
  } else if (!seen) {
    verdict.problem = StrCat("no rule saw any data: ", verdict.rules[0].text);
  }
}

}  // namespace

const char* ToString(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPassed: return "passed";
    case Outcome::kHeld: return "held";
    case Outcome::kRolledBack: return "rolled_back";
  }
  return "";
}

BacktestVerdict TryRelease(const BacktestRules& rules, const PastRelease& release,
                           const promql::Querier& samples) {
  BacktestVerdict verdict;
  verdict.release = release;
  auto fail = [&](const Error& error) {
    verdict.outcome = Outcome::kHeld;
    verdict.problem = verdict.reason = error.message;
    return verdict;
  };
  auto guard = GuardFor(rules, release);
  if (!guard) return fail(guard.error());
  TrialOptions options;
  options.guard = &*guard;
  options.library = rules.library;
  options.samples = &samples;
  options.begin = release.start;
  options.candidate_pods = release.candidate_pods;
  options.stable_pods = release.stable_pods;
  auto trial = Trial::Start(options);
  if (!trial) return fail(trial.error());
  (*trial)->RunUntilDecided(release.end);
  verdict.course = (*trial)->looks();
  verdict.rules = CoursesOf(verdict.course);
  std::set<Time> instants;
  for (const RuleLook& look : verdict.course) instants.insert(look.at);
  verdict.looks = instants.size();
  Conclude(**trial, verdict);
  return verdict;
}

BacktestSummary Summarize(const std::vector<BacktestVerdict>& verdicts) {
  BacktestSummary out;
  std::vector<double> seconds;
  for (const BacktestVerdict& v : verdicts) {
    bool back = v.outcome == Outcome::kRolledBack;
    bool bad = v.release.label == PastRelease::Label::kBad;
    bool good = v.release.label == PastRelease::Label::kGood;
    ++(back ? out.rolled_back : v.outcome == Outcome::kHeld ? out.held : out.passed);
    if (back && bad) ++out.true_positives;
    if (back && good) ++out.false_positives;
    if (!back && bad) ++out.false_negatives;
    if (!back && good) ++out.true_negatives;
    if (back && v.at && !good) seconds.push_back(ToSeconds(*v.at - v.release.start));
  }
  auto share = [](size_t part, size_t rest) -> std::optional<double> {
    if (part + rest == 0) return std::nullopt;
    return static_cast<double>(part) / static_cast<double>(part + rest);
  };
  out.precision = share(out.true_positives, out.false_positives);
  out.recall = share(out.true_positives, out.false_negatives);
  if (!seconds.empty()) {
    std::sort(seconds.begin(), seconds.end());
    size_t mid = seconds.size() / 2;
    out.median_seconds =
        seconds.size() % 2 == 1 ? seconds[mid] : (seconds[mid - 1] + seconds[mid]) / 2;
  }
  return out;
}

}  // namespace rollguard::proof
