// SPDX-License-Identifier: Apache-2.0
// inactive -> pending -> firing, with the ways in and out that no data and errors make.
#include "agent/analysis/rule_state.h"

#include <cmath>

#include "agent/analysis/template_text.h"
#include "agent/base/text.h"

namespace rollguard::analysis {
namespace {

const double kNan = std::nan("");

// What one answer says.
struct Reading {
  bool any = false;  // a sample that is a number
  bool bad = false;
  double value = kNan;  // the worst one
  spec::StringMap labels;
};

// Further into the bad than another.
bool Worse(const RulePlan& plan, double a, double b) {
  if (std::isnan(b)) return true;
  if (plan.threshold && (plan.threshold->op == Threshold::Op::kBelow ||
                         plan.threshold->op == Threshold::Op::kAtMost)) {
    return a < b;
  }
  return a > b;
}

spec::StringMap LabelsAt(const Answer& answer, size_t index) {
  spec::StringMap labels;
  if (!answer.series.is_list() || index >= answer.series.AsList().size()) return labels;
  const expr::Value& row = answer.series.AsList()[index];
  if (!row.is_map()) return labels;
  for (const auto& [name, value] : row.AsMap()) labels.emplace_back(name, value.ToText());
  return labels;
}

void Take(const RulePlan& plan, const Answer& answer, size_t index, double value, bool scalar,
          Reading& out) {
  if (std::isnan(value)) return;
  out.any = true;
  bool bad = plan.threshold ? Breaches(*plan.threshold, value) : (!scalar || value != 0);
  if (bad == out.bad ? !Worse(plan, value, out.value) : !bad) return;
  out.bad = bad;
  out.value = value;
  out.labels = LabelsAt(answer, index);
}

Reading Read(const RulePlan& plan, const Answer& answer) {
  Reading out;
  if (answer.value.is_number()) Take(plan, answer, 0, answer.value.AsNumber(), true, out);
  if (!answer.value.is_list()) return out;
  const auto& list = answer.value.AsList();
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i].is_number()) Take(plan, answer, i, list[i].AsNumber(), false, out);
  }
  return out;
}

void Enter(RuleState& state, RulePhase phase, Time now) {
  if (state.phase == phase && state.ever_evaluated) return;
  state.phase = phase;
  state.since = now;
}

void Bad(const spec::Rule& rule, RuleState& state, Time now) {
  if (!state.active_since) state.active_since = now;
  state.last_bad = now;
  bool fires = state.phase == RulePhase::kFiring || now - *state.active_since >= rule.hold;
  Enter(state, fires ? RulePhase::kFiring : RulePhase::kPending, now);
}

void Good(const spec::Rule& rule, RuleState& state, Time now) {
  bool firing = state.phase == RulePhase::kFiring;
  if (firing && state.last_bad && now - *state.last_bad < rule.keep_firing_for) return;
  state.active_since.reset();
  state.last_bad.reset();
  Enter(state, RulePhase::kInactive, now);
}

// The condition's clock stands still while nothing is known.
void HoldClock(RuleState& state, const RuleState& before, Time now) {
  if (state.active_since && before.ever_evaluated) *state.active_since += now - before.evaluated;
}

void Unknown(RuleState& state, const RuleState& before, RulePhase phase, Time now) {
  if (state.phase == RulePhase::kFiring) return;
  HoldClock(state, before, now);
  if (state.phase != RulePhase::kPending) Enter(state, phase, now);
}

void NoDataStep(const spec::Rule& rule, spec::NoData policy, RuleState& state,
                const RuleState& before, Time now) {
  state.value = kNan;
  state.labels.clear();
  state.message = StrCat("no data: ", ToString(policy));
  switch (policy) {
    case spec::NoData::kPass: return Good(rule, state, now);
    case spec::NoData::kFail: return Bad(rule, state, now);
    case spec::NoData::kHold: break;
  }
  if (state.phase == RulePhase::kFiring) return;
  HoldClock(state, before, now);
  Enter(state, RulePhase::kNoData, now);
}

// For people: no digits that only arithmetic has made.
std::string Rounded(double value) {
  bool whole = value == std::floor(value) && std::abs(value) < 1e15;
  return whole || std::abs(value) >= 1e6 ? FormatNumber(value) : Format("%.6g", value);
}

}  // namespace

const char* ToString(RulePhase phase) {
  switch (phase) {
    case RulePhase::kInactive: return "inactive";
    case RulePhase::kPending: return "pending";
    case RulePhase::kFiring: return "firing";
    case RulePhase::kNoData: return "noData";
    case RulePhase::kError: return "error";
  }
  return "";
}

RuleState StepRule(const spec::Rule& rule, const RulePlan& plan, spec::NoData fallback,
                   const RuleState& before, const Expected<Answer>& answer, Time now) {
  RuleState state = before;
  state.message.clear();
  if (!answer) {
    ++state.consecutive_errors;
    state.message = answer.error().message;
    Unknown(state, before, RulePhase::kError, now);
  } else {
    state.consecutive_errors = 0;
    Reading reading = Read(plan, *answer);
    // Without a threshold an empty answer is the healthy one; NaN alone never is.
    bool nothing = !reading.any && (plan.threshold.has_value() || !IsNoData(answer->value) ||
                                    !answer->value.IsEmpty());
    if (nothing) {
      NoDataStep(rule, rule.no_data.value_or(fallback), state, before, now);
    } else {
      state.value = reading.value;
      state.labels = std::move(reading.labels);
      reading.bad ? Bad(rule, state, now) : Good(rule, state, now);
    }
  }
  state.evaluated = now;
  state.ever_evaluated = true;
  return state;
}

spec::StringMap RenderAnnotations(const spec::Rule& rule, const RuleState& state) {
  spec::StringMap out;
  TemplateData data{state.value, state.labels, {}, {}};
  for (const auto& [name, text] : rule.annotations) {
    auto rendered = RenderTemplate(text, data);
    out.emplace_back(name,
                     rendered ? *rendered : StrCat(text, " (", rendered.error().message, ")"));
  }
  return out;
}

std::string Describe(const spec::Rule& rule, const RulePlan& plan, const RuleState& state) {
  std::string text = rule.name;
  if (state.phase == RulePhase::kError || (!state.message.empty() && std::isnan(state.value))) {
    return StrCat(text, ": ", state.message);
  }
  text += StrCat(": ", std::isnan(state.value) ? "nothing" : Rounded(state.value));
  bool bad = state.phase == RulePhase::kFiring || state.phase == RulePhase::kPending;
  if (plan.threshold) {
    text += StrCat(bad ? " " : " (limit ", ToString(plan.threshold->op), " ",
                   FormatNumber(plan.threshold->value), bad ? "" : ")");
  }
  if (bad && state.active_since)
    text += StrCat(" for ", FormatShortDuration(state.evaluated - *state.active_since));
  if (state.phase == RulePhase::kPending) text += StrCat(" of ", FormatShortDuration(rule.hold));
  return text;
}

Json ToJson(const RuleState& state) {
  Json json = Json::Obj({{"phase", ToString(state.phase)},
                         {"since", FormatMicroTime(state.since)},
                         {"evaluated", FormatMicroTime(state.evaluated)},
                         {"value", state.value}});
  if (state.active_since) json.Set("activeSince", FormatMicroTime(*state.active_since));
  if (state.last_bad) json.Set("lastBad", FormatMicroTime(*state.last_bad));
  if (!state.message.empty()) json.Set("message", state.message);
  if (state.consecutive_errors > 0) json.Set("consecutiveErrors", state.consecutive_errors);
  for (const auto& [name, value] : state.labels) json["labels"].Set(name, value);
  return json;
}

RuleState RuleStateFromJson(const Json& json) {
  RuleState state;
  auto time = [&](const char* key) -> std::optional<Time> {
    auto parsed = ParseRfc3339(json.At(key).Str());
    return parsed ? std::optional(*parsed) : std::nullopt;
  };
  for (RulePhase phase : {RulePhase::kInactive, RulePhase::kPending, RulePhase::kFiring,
                          RulePhase::kNoData, RulePhase::kError}) {
    if (json.At("phase").Str() == ToString(phase)) state.phase = phase;
  }
  state.since = time("since").value_or(Time{});
  state.evaluated = time("evaluated").value_or(Time{});
  state.active_since = time("activeSince");
  state.last_bad = time("lastBad");
  state.value = json.At("value").DoubleOr(kNan);
  state.message = json.At("message").Str();
  state.consecutive_errors = json.At("consecutiveErrors").IntOr(0);
  for (const auto& [name, value] : json.At("labels").members())
    state.labels.emplace_back(name, value.Str());
  state.ever_evaluated = json.Find("evaluated") != nullptr;
  return state;
}

}  // namespace rollguard::analysis
