// SPDX-License-Identifier: Apache-2.0
#include "agent/proof/decision_file.h"

#include <algorithm>
#include <array>

#include "agent/base/text.h"
#include "agent/proof/prom_rules.h"
#include "agent/release/state.h"

namespace rollguard::proof {
namespace {

using spec::Object;

constexpr std::array<std::string_view, 8> kActions{"rollback", "pause",  "hold", "observe",
                                                   "promote",  "reject", "none", "advance"};
constexpr std::array<std::string_view, 5> kStates{"inactive", "pending", "firing", "noData",
                                                  "error"};

bool ReadTime(Object& object, std::string_view key, Duration& out, std::string_view description) {
  std::string text;
  if (!object.Text(key, text, description)) return false;
  return ReadPromDuration(object.context().file, text, object.ValueSpan(key), key, out,
                          object.context().diagnostics);
}

template <size_t N>
void CheckWord(Object& object, std::string_view key, const std::string& word,
               const std::array<std::string_view, N>& words, std::string_view what) {
  if (std::find(words.begin(), words.end(), word) != words.end()) return;
  std::vector<std::string_view> all(words.begin(), words.end());
  object.Error(key, StrCat("unknown ", what, " ", Quote(word), Suggestion(word, all), "; it is ",
                           Join(std::vector<std::string>(words.begin(), words.end()), ", ")));
}

void ReadRelease(Object& object, ReleaseSetup& release) {
  release.span = object.span();
  if (object.Str("guard", release.guard, "A file with the Guard, relative to this file."))
    release.guard_span = object.ValueSpan("guard");
  ReadTime(object, "at", release.at, "When the new version appears (0).");
  object.Name("namespace", release.ns, "$namespace, without a guard.");
  object.Name("workload", release.workload, "$workload, without a guard.");
  object.Name("service", release.service, "$service, without a guard.");
  object.Map("vars", release.vars, "Further variables.");
  object.Regex("candidatePods", release.candidate_pods, "The candidate's pods in the series.");
  object.Regex("stablePods", release.stable_pods, "Stable's pods in the series.");
  if (release.guard.empty()) return;
  for (std::string_view key : {"namespace", "workload", "service"}) {
    if (object.Has(key)) object.Error(key, StrCat("the guard's file says the ", key));
  }
}

void ReadStartsAt(Object& object, AlertEvent& event) {
  event.alert.starts_at = Time(event.at);
  Duration after{0};
  if (ReadTime(object, "startsAt", after, "When it began to fire (at).")) {
    event.alert.starts_at = Time(after);
    if (after > event.at) object.Error("startsAt", "the alert arrives before it began");
  }
}

void ReadAlert(Object& object, RuleTestGroup& group) {
  AlertEvent event;
  std::string status = "firing";
  object.Require("at");
  ReadTime(object, "at", event.at, "When it arrives.");
  object.Str("status", status, "firing or resolved.");
  if (status != "firing" && status != "resolved")
    object.Error("status", StrCat("the status is firing or resolved, not ", Quote(status)));
  object.Require("labels");
  object.Map("labels", event.alert.labels, "Its labels; alertname names it.");
  object.Map("annotations", event.alert.annotations, "Its annotations.");
  ReadStartsAt(object, event);
  std::sort(event.alert.labels.begin(), event.alert.labels.end());
  std::sort(event.alert.annotations.begin(), event.alert.annotations.end());
  event.alert.fingerprint = alerts::FingerprintOf(event.alert.labels);
  if (status == "resolved") {
    event.alert.status = alerts::AlertStatus::kResolved;
    event.alert.ends_at = Time(event.at);
  }
  group.alert_events.push_back(std::move(event));
}

void ReadExpected(Object& object, DecisionTest& test) {
  object.Str("action", test.action, "What the agent does.");
  if (object.Has("action")) CheckWord(object, "action", test.action, kActions, "action");
  object.Str("rule", test.rule, "The rule behind it.");
  object.Str("alert", test.alert, "The alert behind it.");
  object.OptInt("weight", test.weight, "The candidate's share of traffic in percent.", 0, 100);
  object.Str("phase", test.phase, "The release's phase.");
  if (object.Has("phase") && !release::PhaseFrom(test.phase))
    object.Error("phase", StrCat("there is no phase ", Quote(test.phase)));
  object.Regex("reason", test.reason, "A pattern that the reason contains.");
  object.Map("states", test.states, "States of rules.");
  for (const auto& [rule, state] : test.states)
    CheckWord(object, "states", state, kStates, StrCat("state of ", rule));
  bool any = false;
  for (std::string_view key : {"action", "rule", "alert", "weight", "phase", "reason", "states"})
    any = any || object.Has(key);
  if (!any) {
    object.context().Error(object.span(),
                           "expect at least one of action, rule, alert, weight, "
                           "phase, reason, states");
  }
}

void ReadDecision(Object& object, RuleTestGroup& group) {
  DecisionTest test;
  test.span = object.span();
  object.Require("at");
  if (object.Has("at")) test.span = object.KeySpan("at");
  ReadTime(object, "at", test.at, "When it is looked at.");
  object.Require("expect");
  object.Obj("expect", "How the release stands then.",
             [&](Object& inner) { ReadExpected(inner, test); });
  group.decisions.push_back(std::move(test));
}

}  // namespace

void ReadDecisionPart(Object& object, RuleTestGroup& group) {
  object.Obj("release", "Which release the rules judge.", [&](Object& inner) {
    group.release.emplace();
    ReadRelease(inner, *group.release);
  });
  object.List("alerts", "Alerts that arrive.", [&](Object& inner) { ReadAlert(inner, group); });
  object.List("decision_test", "What the agent does.",
              [&](Object& inner) { ReadDecision(inner, group); });
  if (!group.decisions.empty() || !group.alert_tests.empty()) return;
  for (std::string_view key : {"release", "alerts"}) {
    if (object.Has(key)) {
      object.Error(key, StrCat(Quote(key),
                               " changes nothing here: add \"decision_test\" and say "
                               "what is expected"));
    }
  }
}

}  // namespace rollguard::proof
