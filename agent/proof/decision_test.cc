// SPDX-License-Identifier: Apache-2.0
// Alerts and questions in order of time, put to one trial.
#include "agent/proof/decision_test.h"

#include <algorithm>
#include <cmath>

#include "agent/base/text.h"
#include "agent/promql/label_predicate.h"
#include "agent/promql/parser.h"
#include "agent/proof/expectation.h"
#include "agent/proof/trial.h"

namespace rollguard::proof {
namespace {

// A decision of a second is seen at its end: the question, the write and the patch take a moment.
constexpr Duration kMoment{999};

std::string Causes(const std::vector<std::string>& names) {
  return names.empty() ? "" : StrCat(" by ", Join(names, ", "));
}

class DecisionRun {
 public:
  DecisionRun(const DecisionInputs& in, Trial& trial, RuleTestReport& report)
      : in_(in), trial_(trial), report_(report) {}

  void Run() {
    struct Event {
      Duration at;
      std::function<void()> happen;
    };
    std::vector<Event> events;
    for (const AlertEvent& alert : in_.group.alert_events)
      events.push_back({alert.at, [this, &alert] { Arrive(alert); }});
    for (const AlertTest& test : in_.group.alert_tests) {
      if (FindRule(in_.cast.library, test.alert))
        events.push_back({test.at, [this, &test] { CheckAlert(test); }});
    }
    for (const DecisionTest& test : in_.group.decisions)
      events.push_back({test.at, [this, &test] { Check(test); }});
    std::stable_sort(events.begin(), events.end(),
                     [](const Event& a, const Event& b) { return a.at < b.at; });
    for (const Event& event : events) event.happen();
  }

 private:
  void GoTo(Duration at) {
    if (at <= now_) return;
    trial_.RunUntil(in_.group.start + at);
    now_ = at;
  }

  void Arrive(const AlertEvent& event) {
    GoTo(event.at);
    alerts::Alert alert = event.alert;
    Duration start = in_.group.start.time_since_epoch();
    alert.starts_at += start;
    if (alert.ends_at != Time{}) alert.ends_at += start;
    trial_.Receive(std::move(alert));
  }

  std::optional<app::RuleReading> Find(const std::string& rule) const {
    for (app::RuleReading& reading : trial_.Readings()) {
      if (reading.rule->name == rule) return reading;
    }
    return std::nullopt;
  }

  static std::string StateOf(const std::optional<app::RuleReading>& reading) {
    using analysis::RulePhase;
    if (!reading) return "inactive";
    if (reading->state) return ToString(reading->state->phase);
    return ToString(reading->compare->alarmed   ? RulePhase::kFiring
                    : reading->compare->no_data ? RulePhase::kNoData
                                                : RulePhase::kInactive);
  }

  // One of our rules as an alert: it fires with the worst sample's labels.
  void CheckAlert(const AlertTest& test) {
    GoTo(test.at + kMoment);
    std::vector<ExpectedAlert> got;
    auto reading = Find(test.alert);
    if (StateOf(reading) == "firing") {
      ExpectedAlert& alert = got.emplace_back();
      alert.labels.emplace_back("alertname", test.alert);
      for (const auto& [name, value] : reading->rule->labels)
        alert.labels.emplace_back(name, value);
      if (reading->state) {
        for (const auto& label : reading->state->labels) {
          if (!spec::FindIn(alert.labels, label.first)) alert.labels.push_back(label);
        }
        alert.annotations = analysis::RenderAnnotations(*reading->rule, *reading->state);
      } else {
        alert.annotations = reading->rule->annotations;
      }
    }
    RuleTestFailure failure;
    bool passed = CompareAlerts(test, got, failure);
    if (!passed) See(test.at, test.alert, failure);
    std::string name = StrCat("alert ", test.alert, " at ", failure.at);
    CountExpectation(report_, in_.group, test.span, std::move(name), passed, std::move(failure));
  }

  bool ActionHolds(const DecisionTest& test, const TrialView& view) const {
    auto caused = [&](const std::string& name) {
      return std::find(view.causes.begin(), view.causes.end(), name) != view.causes.end();
    };
    bool quiet = test.action == "none" || test.action == "advance";
    if (quiet && !test.rule.empty()) return StateOf(Find(test.rule)) != "firing";
    if (quiet) return view.action == "none" || view.action == "observe";
    if (!test.action.empty() && view.action != test.action) return false;
    if (!test.alert.empty() && !caused(test.alert)) return false;
    return test.rule.empty() || caused(test.rule);
  }

  bool Holds(const DecisionTest& test, const TrialView& view) const {
    if (!ActionHolds(test, view)) return false;
    if (test.weight && *test.weight != view.weight) return false;
    if (!test.phase.empty() && test.phase != view.phase) return false;
    if (!test.reason.empty()) {
      auto pattern = promql::Regex::Compile("(?s:.*)(?:" + test.reason + ")(?s:.*)");
      if (!pattern || !pattern->Matches(view.reason)) return false;
    }
    return std::all_of(test.states.begin(), test.states.end(), [&](const auto& wanted) {
      return StateOf(Find(wanted.first)) == wanted.second;
    });
  }

  static std::string Want(const DecisionTest& test) {
    std::vector<std::string> parts;
    std::vector<std::string> causes;
    if (!test.rule.empty()) causes.push_back(test.rule);
    if (!test.alert.empty()) causes.push_back(test.alert);
    if (!test.action.empty() || !causes.empty())
      parts.push_back(StrCat(test.action.empty() ? "something" : test.action, Causes(causes)));
    if (test.weight) parts.push_back(StrCat("weight ", *test.weight));
    if (!test.phase.empty()) parts.push_back(StrCat("phase ", test.phase));
    if (!test.reason.empty()) parts.push_back(StrCat("a reason that says ", test.reason));
    for (const auto& [rule, state] : test.states) parts.push_back(StrCat(rule, " ", state));
    return Join(parts, ", ");
  }

  std::string Got(const DecisionTest& test, const TrialView& view) const {
    std::string out = StrCat(view.action, Causes(view.causes));
    if (test.weight) out += StrCat(", weight ", view.weight);
    if (!test.phase.empty()) out += StrCat(", phase ", view.phase);
    for (const auto& [rule, state] : test.states)
      out += StrCat(", ", rule, " ", StateOf(Find(rule)));
    if (!view.reason.empty()) out += StrCat(" (", view.reason, ")");
    return out;
  }

  // What was decided until then, how each rule stands, and what the one in question was told.
  void See(Duration at, const std::string& rule, RuleTestFailure& failure) const {
    for (const release::Decision& decision : trial_.decisions()) {
      if (decision.release.empty()) continue;
      std::string line = StrCat(AtText(Seconds(decision.at - in_.group.start)), " ",
                                release::ToString(decision.verdict));
      // A release's id says nothing in a test.
      if (decision.verdict != release::Verdict::kStart) line += StrCat(": ", decision.reason);
      failure.saw.push_back(std::move(line));
    }
    promql::Engine engine(in_.store, in_.engine);
    for (const app::RuleReading& reading : trial_.Readings()) {
      std::string text = reading.rule->name;
      if (reading.compare != nullptr) {
        text += StrCat(": ", reading.compare->message.empty() ? "not looked at yet"
                                                              : reading.compare->message);
      } else {
        analysis::RulePlan plan{reading.query, reading.threshold};
        text = reading.state->ever_evaluated
                   ? analysis::Describe(*reading.rule, plan, *reading.state)
                   : text + ": not evaluated yet";
      }
      failure.saw.push_back(StrCat("rule ", text, " [", StateOf(reading), "]"));
      if (!rule.empty() && reading.rule->name != rule) continue;
      auto query = promql::ParseQuery(reading.query);
      if (!reading.query.empty() && query)
        SeeSamples(engine, *query, in_.group.start + at, failure.saw);
    }
  }

  static Duration Seconds(Duration at) { return at - at % std::chrono::seconds(1); }

  void Check(const DecisionTest& test) {
    GoTo(test.at + kMoment);
    TrialView view = trial_.View();
    RuleTestFailure failure;
    failure.expr = "decision";
    failure.at = AtText(test.at);
    failure.want = Want(test);
    failure.got = Got(test, view);
    bool passed = Holds(test, view);
    if (!passed) See(test.at, test.rule, failure);
    std::string name = StrCat("decision at ", failure.at);
    CountExpectation(report_, in_.group, test.span, std::move(name), passed, std::move(failure));
  }

  const DecisionInputs& in_;
  Trial& trial_;
  RuleTestReport& report_;
  Duration now_{-1};
};

// Names in expectations that no rule has are slips of the hand.
void CheckNames(const DecisionInputs& in, Diagnostics& diagnostics) {
  std::vector<std::string_view> names;
  for (const spec::RuleGroup& group : in.cast.library.groups) {
    for (const spec::Rule& rule : group.rules) names.push_back(rule.name);
  }
  auto check = [&](const std::string& name, SourceSpan at) {
    if (name.empty() || FindRule(in.cast.library, name)) return;
    diagnostics.Error(
        in.file.file, at,
        StrCat("there is no rule ", Quote(name), " in the rule files", Suggestion(name, names)));
  };
  for (const DecisionTest& test : in.group.decisions) {
    check(test.rule, test.span);
    for (const auto& [rule, state] : test.states) check(rule, test.span);
  }
}

}  // namespace

void RunDecisionTests(const DecisionInputs& in, RuleTestReport& report, Diagnostics& diagnostics) {
  size_t before = diagnostics.error_count();
  CheckNames(in, diagnostics);
  if (diagnostics.error_count() != before) return;
  TrialOptions options;
  options.guard = &*in.cast.guard;
  options.library = &in.cast.library;
  options.samples = &in.store;
  options.engine = in.engine;
  options.begin = in.group.start + in.cast.at;
  options.candidate_pods = in.cast.candidate_pods;
  options.stable_pods = in.cast.stable_pods;
  auto trial = Trial::Start(options);
  if (!trial) {
    diagnostics.Error(in.file.file, in.group.release ? in.group.release->span : in.group.span,
                      trial.error().message);
    return;
  }
  DecisionRun(in, **trial, report).Run();
}

}  // namespace rollguard::proof
