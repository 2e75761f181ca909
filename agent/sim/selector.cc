// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/selector.h"

#include <algorithm>
#include <iterator>

#include "agent/base/text.h"
#include "agent/sim/object.h"

namespace rollguard::sim {
namespace {

Error Bad(std::string_view text, std::string_view why) {
  return {ErrorCode::kInvalid, StrCat("unable to parse selector ", Quote(text), ": ", why)};
}

// Splits at commas that stand outside parentheses.
std::vector<std::string_view> SplitTerms(std::string_view text) {
  std::vector<std::string_view> terms;
  size_t start = 0;
  bool inside = false;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == '(') inside = true;
    if (i < text.size() && text[i] == ')') inside = false;
    if (i == text.size() || (text[i] == ',' && !inside)) {
      terms.push_back(Trim(text.substr(start, i - start)));
      start = i + 1;
    }
  }
  return terms;
}

std::vector<std::string> SplitValues(std::string_view text) {
  std::vector<std::string> values;
  for (std::string_view value : Split(text, ',')) values.emplace_back(Trim(value));
  return values;
}

bool IsKey(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_' ||
           c == '/';
  });
}

bool Contains(const std::vector<std::string>& values, std::string_view value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

}  // namespace

Expected<LabelSelector::Requirement> LabelSelector::ParseOne(std::string_view text) {
  Requirement r{"", Op::kExists, {}};
  if (size_t open = text.find('('); open != std::string_view::npos) {
    if (!text.ends_with(')')) return Bad(text, "a ')' is missing");
    std::string_view head = Trim(text.substr(0, open));
    r.values = SplitValues(text.substr(open + 1, text.size() - open - 2));
    r.op = head.ends_with(" notin") ? Op::kNotIn : Op::kIn;
    size_t word = r.op == Op::kNotIn ? 6 : 3;
    if (!head.ends_with(" notin") && !head.ends_with(" in")) return Bad(text, "in or notin");
    r.key = Trim(head.substr(0, head.size() - word));
  } else if (text.starts_with('!')) {
    r.op = Op::kAbsent;
    r.key = Trim(text.substr(1));
  } else if (size_t at = text.find('='); at != std::string_view::npos) {
    bool negated = at > 0 && text[at - 1] == '!';
    r.op = negated ? Op::kNotIn : Op::kIn;
    size_t value = at + 1 < text.size() && text[at + 1] == '=' ? at + 2 : at + 1;
    r.key = Trim(text.substr(0, negated ? at - 1 : at));
    r.values = {std::string(Trim(text.substr(value)))};
  } else {
    r.key = text;
  }
  if (!IsKey(r.key)) return Bad(text, "a label's name is expected");
  return r;
}

Expected<LabelSelector> LabelSelector::Parse(std::string_view text) {
  LabelSelector selector;
  if (Trim(text).empty()) return selector;
  for (std::string_view term : SplitTerms(text)) {
    auto requirement = ParseOne(term);
    if (!requirement) return requirement.error();
    selector.requirements_.push_back(std::move(*requirement));
  }
  return selector;
}

LabelSelector LabelSelector::FromMap(const Json& labels) {
  LabelSelector selector;
  for (const auto& [key, value] : labels.members()) {
    selector.requirements_.push_back({key, Op::kIn, {std::string(Text(value))}});
  }
  return selector;
}

Expected<LabelSelector> LabelSelector::FromObject(const Json& object) {
  LabelSelector selector = FromMap(object.At("matchLabels"));
  for (const Json& e : object.At("matchExpressions").items()) {
    Requirement r{e.At("key").Str(), Op::kIn, {}};
    for (const Json& v : e.At("values").items()) r.values.emplace_back(Text(v));
    std::string_view op = Text(e.At("operator"));
    if (op == "In")
      r.op = Op::kIn;
    else if (op == "NotIn")
      r.op = Op::kNotIn;
    else if (op == "Exists")
      r.op = Op::kExists;
    else if (op == "DoesNotExist")
      r.op = Op::kAbsent;
    else
      return Bad(op, "is not a valid label selector operator");
    selector.requirements_.push_back(std::move(r));
  }
  return selector;
}

bool LabelSelector::Matches(const Json& labels) const {
  return std::all_of(requirements_.begin(), requirements_.end(), [&](const Requirement& r) {
    const Json* value = labels.Find(r.key);
    switch (r.op) {
      case Op::kIn: return value != nullptr && Contains(r.values, Text(*value));
      case Op::kNotIn: return value == nullptr || !Contains(r.values, Text(*value));
      case Op::kExists: return value != nullptr;
      case Op::kAbsent: return value == nullptr;
    }
    return false;
  });
}

Expected<FieldSelector> FieldSelector::Parse(std::string_view text) {
  FieldSelector selector;
  if (Trim(text).empty()) return selector;
  for (std::string_view term : Split(text, ',')) {
    size_t at = term.find('=');
    if (at == std::string_view::npos || at == 0) {
      return Error(ErrorCode::kInvalid, StrCat("invalid field selector ", Quote(term)));
    }
    Term t;
    t.equal = term[at - 1] != '!';
    size_t value = at + 1 < term.size() && term[at + 1] == '=' ? at + 2 : at + 1;
    t.value = Trim(term.substr(value));
    for (auto part : Split(Trim(term.substr(0, t.equal ? at : at - 1)), '.'))
      t.path.emplace_back(part);
    selector.terms_.push_back(std::move(t));
  }
  return selector;
}

bool FieldSelector::Matches(const Json& object) const {
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    const Json* at = &object;
    for (const auto& part : term.path) at = &at->At(part);
    std::string text = at->is_string() ? at->Str() : at->is_null() ? "" : at->Dump();
    return (text == term.value) == term.equal;
  });
}

std::string FieldSelector::Unsupported(const ResourceType& type, bool custom) const {
  struct Row {
    std::string_view group, kind, path;
  };
  // As the server's conversion functions list them.
  static constexpr Row kRows[] = {
      {"", "Pod", "spec.nodeName"},
      {"", "Pod", "spec.restartPolicy"},
      {"", "Pod", "spec.schedulerName"},
      {"", "Pod", "spec.serviceAccountName"},
      {"", "Pod", "status.phase"},
      {"", "Pod", "status.podIP"},
      {"", "Pod", "status.nominatedNodeName"},
      {"", "Node", "spec.unschedulable"},
      {"", "Namespace", "status.phase"},
      {"", "Secret", "type"},
      {"", "Event", "involvedObject.kind"},
      {"", "Event", "involvedObject.namespace"},
      {"", "Event", "involvedObject.name"},
      {"", "Event", "involvedObject.uid"},
      {"", "Event", "reason"},
      {"", "Event", "type"},
      {"apps", "ReplicaSet", "status.replicas"},
      {"batch", "Job", "status.successful"},
  };
  for (const Term& term : terms_) {
    std::string path = Join(term.path, ".");
    if (path == "metadata.name" || path == "metadata.namespace") continue;
    const bool known =
        !custom && std::any_of(std::begin(kRows), std::end(kRows), [&](const Row& r) {
          return r.group == type.group && r.kind == type.kind && r.path == path;
        });
    if (!known) return path;
  }
  return "";
}

}  // namespace rollguard::sim
