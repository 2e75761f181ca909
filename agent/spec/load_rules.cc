// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "agent/spec/readers.h"

namespace rollguard::spec {
namespace {

constexpr std::array<std::string_view, 9> kBuiltIn = {"namespace",   "workload", "service",
                                                      "guard",       "revision", "candidate_pods",
                                                      "stable_pods", "pods",     "window"};

bool Uses(const Query& query, std::string_view variable) {
  return std::any_of(query.parsed.variables.begin(), query.parsed.variables.end(),
                     [&](const promql::Variable& v) { return v.name == variable; });
}

// A query that is compared must be about one track at a time.
void CheckCompared(Context& context, const Query& query) {
  if (query.empty()) return;
  if (!Uses(query, "pods"))
    context.Error(query.at.span,
                  "a compared query must use $pods, which stands for each track's "
                  "pods in turn");
  for (const promql::Variable& v : query.parsed.variables) {
    if (v.name == "candidate_pods" || v.name == "stable_pods")
      context.Error(yaml::SpanInside(query.at, v.span.begin, v.span.end - v.span.begin),
                    StrCat("a compared query is asked for each track; use $pods, not $", v.name));
  }
}

void ReadMean(Object& o, CompareMean& mean, Compare& out) {
  using Direction = Compare::Direction;
  static constexpr std::pair<std::string_view, Direction> kDirections[] = {
      {"increase", Direction::kIncrease},
      {"decrease", Direction::kDecrease},
      {"either", Direction::kEither}};
  o.Promql("query", mean.query, "One value per series and look.");
  o.Require("query");
  o.Enum("direction", out.direction, kDirections, "Which way is bad (increase).");
  o.Num("confidence", out.confidence_level, "Of the shift's interval (0.98).", 0.5, 0.9999);
  o.Num("tolerance", out.tolerance, "Share of the shift that is allowed (0.25).", 0, 10);
  o.Int("minPoints", out.min_points, "Fewer points a side say nothing (5).", 1, 10'000);
}

void ReadCompare(Object& o, Compare& out) {
  CompareProportion proportion;
  if (o.Obj("proportion", "Bad of total, counted on both tracks.", [&](Object& p) {
        p.Promql("bad", proportion.bad, "Increase of what is bad over $window.");
        p.Require("bad");
        p.Promql("total", proportion.total, "Increase of everything over $window.");
        p.Require("total");
      }))
    out.what = proportion;
  CompareHistogram histogram;
  if (o.Promql("histogram", histogram.buckets, "Increases of a histogram's buckets, by le."))
    out.what = histogram;
  CompareMean mean;
  if (o.Obj("mean", "Values of a gauge, compared by ranks.",
            [&](Object& m) { ReadMean(m, mean, out); }))
    out.what = mean;
  o.RequireOne("a comparison", {"proportion", "histogram", "mean"});
  o.Num("tolerate", out.tolerate, "The candidate may be so many times stable (1).", 0.01, 1000);
  o.Num("weight", out.weight, "Share of the group's alpha (1).", 0.001, 1000);
  o.Dur("window", out.window, "$window: time between looks (1m).", std::chrono::seconds(1));
  if (o.describing()) return;
  CheckCompared(o.context(), proportion.bad);
  CheckCompared(o.context(), proportion.total);
  CheckCompared(o.context(), histogram.buckets);
  CheckCompared(o.context(), mean.query);
}

// Whether the query filters, so that it is empty while all is well.
bool Filters(const promql::Query& query) {
  const promql::Node& root = query[promql::SkipParens(query, query.root)];
  if (const auto* binary = std::get_if<promql::BinaryNode>(&root.is))
    return (promql::IsComparison(binary->op) && !binary->return_bool) ||
           promql::IsSetOperator(binary->op);
  const auto* call = std::get_if<promql::CallNode>(&root.is);
  return call && call->function &&
         (call->function->name == "absent" || call->function->name == "absent_over_time");
}

void CheckRuleQuery(Context& context, const Query& query) {
  if (query.parsed.empty()) return;
  if (query.parsed.type() != promql::ValueType::kVector &&
      query.parsed.type() != promql::ValueType::kScalar) {
    context.Error(query.at.span, "a rule's expression must give an instant vector or a scalar");
  } else if (!Filters(query.parsed)) {
    context.Warning(yaml::SpanInside(query.at, 0, query.text.size()),
                    "this fires whenever it returns anything; compare it with a threshold");
  }
  for (const promql::Variable& v : query.parsed.variables) {
    if (v.name == "pods")
      context.Error(yaml::SpanInside(query.at, v.span.begin, v.span.end - v.span.begin),
                    "$pods is for comparisons; use $candidate_pods or $stable_pods");
  }
}

void ReadRuleName(Object& o, Rule& out) {
  for (const auto& [key, action] : kActionWords) {
    if (o.Str(key, out.name,
              action == TriggerAction::kRollback ? "The rule's name; it takes the release back."
              : action == TriggerAction::kPause  ? "The rule's name; it pauses the release."
                                                 : "The rule's name; it is only recorded."))
      out.action = action;
  }
  for (std::string_view foreign : {"alert", "record"}) {
    if (!o.Has(foreign)) continue;
    o.context().Error(o.KeySpan(foreign),
                      StrCat(Quote(foreign),
                             " belongs to Prometheus' own rules; here a rule is "
                             "rollback: NAME, pause: NAME or observe: NAME"));
    o.Ignore(foreign);
    return;
  }
  o.RequireOne("a rule", {"rollback", "pause", "observe"});
  if (!out.name.empty() && out.name.find_first_of(" \t\n/") != std::string::npos)
    o.Error(ToString(out.action), StrCat("a rule's name has no blanks and no slashes: ",
                                         Quote(Abbreviate(out.name, 60))));
}

void ReadRule(Object& o, Rule& out) {
  out.span = o.span();
  ReadRuleName(o, out);
  Query query;
  if (o.Promql("expr", query, "PromQL; bad while it returns anything.")) {
    CheckRuleQuery(o.context(), query);
    out.what = std::move(query);
  }
  Compare compare;
  if (o.Obj("compare", "Candidate against stable.", [&](Object& c) { ReadCompare(c, compare); }))
    out.what = std::move(compare);
  o.RequireOne("a rule", {"expr", "compare"});
  o.Dur("for", out.hold, "Must be bad this long without a break (0s).");
  o.Dur("keep_firing_for", out.keep_firing_for, "Stays bad this long after the last time (0s).");
  o.Enum("severity", out.severity, kSeverityWords, "Weight in the confidence (critical).");
  NoData no_data = NoData::kHold;
  if (o.Enum("noData", no_data, kNoDataWords,
             "What an empty answer to a comparison, or an "
             "unreachable source, means; absent: the guard's."))
    out.no_data = no_data;
  o.Str("source", out.source, "Metrics source; absent: the agent's default.");
  o.Map("labels", out.labels, "Shown with the rule.");
  o.Map("annotations", out.annotations, "Texts for people; {{ $value }} and $labels are known.");
  if (o.describing()) return;
  if (const yaml::Node* annotations = o.node().Find("annotations")) {
    for (const yaml::Entry& entry : annotations->entries)
      CheckTemplateText(o.context(), entry.value);
  }
}

void ReadGroupVars(Object& o, StringMap& out) {
  if (!o.Map("vars", out, "Values for $name in this group; the guard's own win.")) return;
  for (const yaml::Entry& entry : o.node().Find("vars")->entries) {
    if (IsBuiltInVariable(entry.key))
      o.context().Error(entry.key_span,
                        StrCat("$", entry.key, " is given by rollguard and cannot be set"));
  }
}

void ReadGroup(Object& o, RuleGroup& out) {
  out.origin = {std::string(o.context().file), o.describing() ? SourceSpan{} : o.ValueSpan("name")};
  o.Str("name", out.name, "The group's name; guards refer to it.");
  o.Require("name");
  o.Dur("interval", out.interval, "How often the rules are asked (15s).", std::chrono::seconds(1));
  o.Map("labels", out.labels, "For selection by guards.");
  ReadGroupVars(o, out.vars);
  o.Num("alpha", out.alpha,
        "Chance of a false alarm the comparisons of one release may have "
        "together (0.01).",
        1e-6, 0.5);
  o.List("rules", "The rules.", [&](Object& r) {
    Rule rule;
    ReadRule(r, rule);
    for (const Rule& other : out.rules) {
      if (!rule.name.empty() && other.name == rule.name)
        r.Error(ToString(rule.action), StrCat("the rule ", Quote(rule.name), " is there twice"));
    }
    out.rules.push_back(std::move(rule));
  });
  o.Require("rules");
}

}  // namespace

bool IsBuiltInVariable(std::string_view name) {
  return std::find(kBuiltIn.begin(), kBuiltIn.end(), name) != kBuiltIn.end();
}

void ReadRuleGroups(Object& o, std::vector<RuleGroup>& out) {
  size_t before = out.size();
  o.List("groups", "Groups of rules.", [&](Object& g) {
    RuleGroup group;
    ReadGroup(g, group);
    for (size_t i = before; i < out.size(); ++i) {
      if (!group.name.empty() && out[i].name == group.name)
        g.Error("name", StrCat("the group ", Quote(group.name), " is there twice"));
    }
    out.push_back(std::move(group));
  });
  o.Require("groups");
}

}  // namespace rollguard::spec
