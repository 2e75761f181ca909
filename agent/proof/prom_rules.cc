// SPDX-License-Identifier: Apache-2.0
#include "agent/proof/prom_rules.h"

#include <algorithm>
#include <iterator>

#include "agent/base/text.h"
#include "agent/promql/parser.h"
#include "agent/spec/reader.h"

namespace rollguard::proof {
namespace {

void ReadDuration(spec::Object& object, std::string_view key, Duration& out,
                  std::string_view description) {
  std::string text;
  if (!object.Text(key, text, description)) return;
  ReadPromDuration(object.context().file, text, object.ValueSpan(key), key, out,
                   object.context().diagnostics);
}

constexpr std::string_view kOurRules[] = {"rollback", "pause", "observe"};

bool IsOurs(const yaml::Node& rule) {
  return std::any_of(std::begin(kOurRules), std::end(kOurRules),
                     [&](std::string_view key) { return rule.Find(key) != nullptr; });
}

bool IsPrometheus(const yaml::Node& rule) {
  return rule.Find("record") != nullptr || rule.Find("alert") != nullptr;
}

// A group without any rule of Prometheus is ours: what is wrong with it is said in our words.
bool IsOurGroup(const yaml::Node& group) {
  const yaml::Node* rules = group.Find("rules");
  if (rules == nullptr) return false;
  bool any = false;
  for (const yaml::Node& rule : rules->items) {
    if (IsPrometheus(rule)) return false;
    any = any || IsOurs(rule);
  }
  return any;
}

void ReadRule(spec::Object& object, PromRuleGroup& group) {
  spec::Context& context = object.context();
  for (std::string_view key : kOurRules) {
    if (!object.Has(key)) continue;
    object.Error(key, "a group holds rules of Prometheus or of rollguard, not both");
    object.AllowUnknown();
    return;
  }
  PromRule rule;
  rule.span = object.span();
  object.RequireOne("a rule", {"record", "alert"});
  object.Str("record", rule.name, "The metric that is recorded.");
  rule.alert = object.Str("alert", rule.name, "The alert.");
  yaml::Node expr;
  object.Require("expr");
  if (object.Raw("expr", expr, "The expression.")) {
    rule.expr = std::string(Trim(expr.text));
    rule.query = ReadPromExpr(context.file, expr, context.diagnostics);
  }
  ReadDuration(object, "for", rule.hold, "How long the condition must hold.");
  ReadDuration(object, "keep_firing_for", rule.keep_firing_for, "How long it fires on.");
  object.Map("labels", rule.labels, "Labels that are added.");
  object.Map("annotations", rule.annotations, "Texts for people.");
  if (!rule.alert) {
    for (std::string_view key : {"for", "keep_firing_for", "annotations"}) {
      if (object.Has(key)) object.Error(key, StrCat(Quote(key), " belongs to alerts only"));
    }
  }
  if (!rule.query.empty() && rule.query.type() != promql::ValueType::kVector &&
      rule.query.type() != promql::ValueType::kScalar) {
    context.Error(expr.span,
                  StrCat("a rule's expression must be a number or an instant vector, not a ",
                         promql::Describe(rule.query.type())));
  }
  if (!rule.query.empty()) group.rules.push_back(std::move(rule));
}

}  // namespace

namespace {

void ReadGroups(spec::Context& context, const yaml::Node& root,
                std::vector<PromRuleGroup>& groups) {
  spec::Object object(context, root, root.span);
  object.Require("groups");
  object.List("groups", "Groups of rules.", [&](spec::Object& inner) {
    PromRuleGroup group;
    group.file = std::string(context.file);
    inner.Require("name");
    inner.Str("name", group.name, "The group's name.");
    // How often and where a server would evaluate it; a test has its own pace.
    for (std::string_view key :
         {"interval", "limit", "query_offset", "source_tenants", "partial_response_strategy"}) {
      inner.Ignore(key);
    }
    inner.List("rules", "The rules, in order.", [&](spec::Object& rule) { ReadRule(rule, group); });
    groups.push_back(std::move(group));
  });
}

// The document with only the groups that are ours, or only the others.
yaml::Node Only(const yaml::Node& root, bool ours) {
  yaml::Node out = root;
  for (yaml::Entry& entry : out.entries) {
    if (entry.key != "groups") continue;
    std::erase_if(entry.value.items,
                  [&](const yaml::Node& group) { return IsOurGroup(group) != ours; });
  }
  return out;
}

}  // namespace

void LoadRuleFile(std::string_view file, std::string_view text, TestedRules& rules,
                  Diagnostics& diagnostics) {
  spec::Context context{file, diagnostics};
  for (const yaml::Node& root : yaml::Parse(file, text, diagnostics)) {
    const yaml::Node* groups = root.Find("groups");
    if (!root.is_mapping()) {
      context.Error(root.span, "expected a rule file with \"groups\"");
    } else if (root.Find("kind") != nullptr) {
      spec::LoadNode(file, root, rules.library, diagnostics);
    } else if (groups == nullptr || !groups->is_sequence()) {
      ReadGroups(context, root, rules.groups);
    } else {
      bool any = std::any_of(groups->items.begin(), groups->items.end(), IsOurGroup);
      bool all = any && std::all_of(groups->items.begin(), groups->items.end(), IsOurGroup);
      if (any) spec::LoadNode(file, all ? root : Only(root, true), rules.library, diagnostics);
      if (!all) ReadGroups(context, any ? Only(root, false) : root, rules.groups);
    }
  }
}

const spec::Rule* FindRule(const spec::Library& library, std::string_view name) {
  for (const spec::RuleGroup& group : library.groups) {
    for (const spec::Rule& rule : group.rules) {
      if (rule.name == name) return &rule;
    }
  }
  return nullptr;
}

bool ReadPromDuration(std::string_view file, const std::string& text, SourceSpan at,
                      std::string_view key, Duration& out, Diagnostics& diagnostics) {
  auto value = ParsePromDuration(text == "0" ? "0s" : text, true);
  if (!value) {
    diagnostics.Error(
        file, at,
        StrCat(Quote(key), " must be a duration like 30s, 5m or 1h30m, not ", Quote(text)));
    return false;
  }
  out = *value;
  return true;
}

promql::Query ReadPromExpr(std::string_view file, const yaml::Node& node,
                           Diagnostics& diagnostics) {
  auto parsed = promql::Parse(node.text);
  for (const promql::ParseError& error : parsed.errors) {
    diagnostics.Error(
        file,
        yaml::SpanInside(node, error.span.begin, std::max(1U, error.span.end - error.span.begin)),
        error.message);
  }
  return parsed.ok() ? std::move(parsed.query) : promql::Query();
}

}  // namespace rollguard::proof
