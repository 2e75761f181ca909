// SPDX-License-Identifier: Apache-2.0
// Selectors, and what follows an operand: `[5m]`, `[5m:1m]`, `offset`, `@`.
#include <cmath>

#include "agent/base/text.h"
#include "agent/promql/parser_impl.h"
#include "agent/promql/regex.h"

namespace rollguard::promql::internal {
namespace {

using enum TokenKind;

// `$$`, `$name` or `${name}` at value[i]: how many bytes, and the name ("" when it is none).
size_t VariableAt(std::string_view value, size_t i, std::string_view* name) {
  *name = {};
  if (value[i] != '$' || i + 1 >= value.size()) return 0;
  if (value[i + 1] == '$') {
    *name = value.substr(i, 1);
    return 2;
  }
  bool braces = value[i + 1] == '{';
  size_t begin = i + (braces ? 2 : 1), end = begin;
  if (begin >= value.size() || !IsAlpha(value[begin])) return 0;
  while (end < value.size() && IsAlphaNumeric(value[end])) ++end;
  if (braces && (end == value.size() || value[end] != '}')) return 0;
  *name = value.substr(begin, end - begin);
  return end + (braces ? 1 : 0) - i;
}

// In a regular expression `\$` is a dollar sign already.
bool IsEscaped(std::string_view pattern, size_t i) {
  size_t backslashes = 0;
  while (backslashes < i && pattern[i - 1 - backslashes] == '\\') ++backslashes;
  return backslashes % 2 == 1;
}

std::string_view VariableName(std::string_view token) {
  token.remove_prefix(1);
  if (token.front() == '{') token = token.substr(1, token.size() - 2);
  return token;
}

}  // namespace

// `name` was read (or is empty, before braces).
NodeId Parser::Selector(Token name) {
  SelectorNode node;
  node.metric = lexer_.Text(name);
  NodeId id = static_cast<NodeId>(query_.nodes.size());
  if (Take(kLeftBrace) && !Matchers(&node.matchers, id)) return kNoNode;
  return Add(std::move(node), ValueType::kVector, Cover(name.span));
}

bool Parser::Matchers(std::vector<Matcher>* matchers, NodeId id) {
  while (!Is(kRightBrace)) {
    if (!OneMatcher(matchers, id)) return false;
    if (Is(kRightBrace)) break;
    if (!Expect(kComma, "label matching", "\",\" or \"}\"")) return false;
  }
  Advance();
  return true;
}

bool Parser::OneMatcher(std::vector<Matcher>* matchers, NodeId id) {
  Matcher matcher;
  matcher.name = lexer_.Text(token_);
  if (!Expect(kIdentifier, "label matching", "identifier or \"}\"")) return false;
  switch (token_.kind) {
    case kAssign: matcher.op = MatchOp::kEqual; break;
    case kNotEqual: matcher.op = MatchOp::kNotEqual; break;
    case kRegexMatch: matcher.op = MatchOp::kRegex; break;
    case kRegexNoMatch: matcher.op = MatchOp::kNotRegex; break;
    default: Unexpected("label matching", "label matching operator"); return false;
  }
  Advance();
  Token value = token_;
  if (!Is(kString)) {
    Unexpected("label matching", "string");
    return false;
  }
  matcher.value = UnquoteToken(lexer_.Text(value));
  matcher.value_span = value.span;
  Advance();
  uint32_t index = static_cast<uint32_t>(matchers->size());
  if (variables_) FindVariables(matcher, id, index, value.span);
  CheckPattern(matcher, id, index);
  matchers->push_back(std::move(matcher));
  return true;
}

// Positions are exact where the text is as written; with escapes in it, the whole value is named.
void Parser::FindVariables(const Matcher& matcher, NodeId id, uint32_t index, Span token) {
  const std::string& value = matcher.value;
  bool regex = matcher.op == MatchOp::kRegex || matcher.op == MatchOp::kNotRegex;
  bool as_written = token.end - token.begin == value.size() + 2;
  for (size_t i = value.find('$'); i != std::string::npos; i = value.find('$', i)) {
    std::string_view name;
    size_t bytes = VariableAt(value, i, &name);
    if (bytes == 0 || (regex && IsEscaped(value, i))) {
      ++i;
      continue;
    }
    Variable variable;
    variable.name = name;
    variable.node = id;
    variable.matcher = index;
    variable.begin = static_cast<uint32_t>(i);
    variable.end = static_cast<uint32_t>(i + bytes);
    variable.span = token;
    if (as_written) {
      uint32_t begin = token.begin + 1 + variable.begin;
      variable.span = {begin, begin + static_cast<uint32_t>(bytes)};
    }
    query_.variables.push_back(std::move(variable));
    i += bytes;
  }
}

// A pattern with variables is tried with a letter in their place; binding checks the real one.
void Parser::CheckPattern(const Matcher& matcher, NodeId id, uint32_t index) {
  if (matcher.op != MatchOp::kRegex && matcher.op != MatchOp::kNotRegex) return;
  std::string tried = matcher.value;
  for (auto v = query_.variables.rbegin(); v != query_.variables.rend(); ++v) {
    if (v->node != id || v->matcher != index) break;
    tried.replace(v->begin, v->end - v->begin, "x");
  }
  if (Status ok = CheckRegex(tried); !ok.ok()) Report(matcher.value_span, ok.error().message);
}

NodeId Parser::Postfix(NodeId operand) {
  while (operand != kNoNode && !failed_) {
    if (Is(kLeftBracket)) {
      operand = Bracket(operand);
    } else if (Is(kOffset)) {
      if (!Offset(operand)) return kNoNode;
    } else if (Is(kAt)) {
      if (!At(operand)) return kNoNode;
    } else {
      return operand;
    }
  }
  return failed_ ? kNoNode : operand;
}

// A duration or, where allowed, a variable that stands for one. The variable's node is filled in by
// the caller: it is the last one of the list.
bool Parser::DurationValue(VariablePlace place, bool negative, const char* where, int64_t* ms) {
  Token token = token_;
  *ms = 0;
  if (Is(kVariable)) {
    Variable variable;
    variable.name = VariableName(lexer_.Text(token));
    variable.span = token.span;
    variable.place = place;
    variable.negative = negative;
    query_.variables.push_back(std::move(variable));
  } else if (Is(kDuration)) {
    auto value = ParseDurationToken(lexer_.Text(token));
    if (!value) Report(token.span, value.error().message);
    *ms = value.value_or(1);
  } else {
    Unexpected(where, "duration");
    return false;
  }
  Advance();
  return true;
}

NodeId Parser::Bracket(NodeId operand) {
  Span bracket = token_.span;
  size_t first_variable = query_.variables.size();
  Advance();
  int64_t range_ms = 0;
  if (!DurationValue(VariablePlace::kRange, false, "range", &range_ms)) return kNoNode;
  if (Take(kColon)) return Subquery(operand, range_ms, first_variable);
  if (!Expect(kRightBracket, "subquery or range", "\":\" or \"]\"")) return kNoNode;
  for (size_t i = first_variable; i < query_.variables.size(); ++i) {
    query_.variables[i].node = operand;
  }
  return Range(operand, range_ms, Cover(bracket));
}

NodeId Parser::Range(NodeId operand, int64_t range_ms, Span bracket) {
  auto* selector = std::get_if<SelectorNode>(&query_[operand].is);
  query_[operand].span.end = bracket.end;
  if (selector == nullptr || selector->is_range) {
    if (query_[operand].type == ValueType::kNone) return operand;
    Report(bracket, "ranges only allowed for vector selectors; use a subquery, e.g. [5m:]");
    query_[operand].type = ValueType::kNone;
    return operand;
  }
  if (selector->shift.offset_ms != 0) {
    Report(bracket, "no offset modifiers allowed before range");
  } else if (selector->shift.at != AtKind::kNone) {
    Report(bracket, "no @ modifiers allowed before range");
  }
  selector->is_range = true;
  selector->range_ms = range_ms;
  query_[operand].type = ValueType::kMatrix;
  return operand;
}

NodeId Parser::Subquery(NodeId operand, int64_t range_ms, size_t first_variable) {
  SubqueryNode node;
  node.expr = operand;
  node.range_ms = range_ms;
  bool step = !Is(kRightBracket);
  if (step && !DurationValue(VariablePlace::kStep, false, "subquery selector", &node.step_ms)) {
    return kNoNode;
  }
  if (!Expect(kRightBracket, "subquery selector", "\"]\"")) return kNoNode;
  Span span{query_[operand].span.begin, end_of_last_};
  NodeId id = Add(std::move(node), ValueType::kMatrix, span);
  for (size_t i = first_variable; i < query_.variables.size(); ++i) query_.variables[i].node = id;
  return id;
}

TimeShift* Parser::ShiftOf(NodeId id) {
  if (auto* selector = std::get_if<SelectorNode>(&query_[id].is)) return &selector->shift;
  if (auto* subquery = std::get_if<SubqueryNode>(&query_[id].is)) return &subquery->shift;
  return nullptr;
}

bool Parser::Offset(NodeId operand) {
  Span word = token_.span;
  Advance();
  bool negative = Take(kSub);
  int64_t ms = 0;
  bool variable = Is(kVariable);
  if (!DurationValue(VariablePlace::kOffset, negative, "offset", &ms)) return false;
  TimeShift* shift = ShiftOf(operand);
  if (shift == nullptr) {
    if (query_[operand].type == ValueType::kNone) return true;
    Report(word,
           "offset modifier must be preceded by an instant vector selector or range vector "
           "selector or a subquery");
    return true;
  }
  bool again = shift->offset_ms != 0;
  for (const Variable& v : query_.variables) {
    again |= v.node == operand && v.place == VariablePlace::kOffset;
  }
  if (again) Report(word, "offset may not be set multiple times");
  if (variable) query_.variables.back().node = operand;
  shift->offset_ms = negative ? -ms : ms;
  query_[operand].span.end = end_of_last_;
  return true;
}

bool Parser::At(NodeId operand) {
  Span word = token_.span;
  Advance();
  TimeShift parsed;
  if (!AtTime(&parsed)) return false;
  TimeShift* shift = ShiftOf(operand);
  if (shift == nullptr) {
    if (query_[operand].type == ValueType::kNone) return true;
    Report(word,
           "@ modifier must be preceded by an instant vector selector or range vector "
           "selector or a subquery");
    return true;
  }
  if (shift->at != AtKind::kNone) Report(word, "@ <timestamp> may not be set multiple times");
  shift->at = parsed.at;
  shift->at_ms = parsed.at_ms;
  query_[operand].span.end = end_of_last_;
  return true;
}

// What follows `@`: a number with a sign, start() or end().
bool Parser::AtTime(TimeShift* shift) {
  if (Is(kStart) || Is(kEndKeyword)) {
    shift->at = Is(kStart) ? AtKind::kStart : AtKind::kEnd;
    Advance();
    return Expect(kLeftParen, "@", "\"(\"") && Expect(kRightParen, "@", "\")\"");
  }
  Token sign = token_;
  bool negative = Is(kSub);
  if (Is(kSub) || Is(kAdd)) Advance();
  if (!Is(kNumber)) {
    Unexpected("@", "timestamp");
    return false;
  }
  auto number = ParseNumberToken(lexer_.Text(token_));
  if (!number) Report(token_.span, number.error().message);
  double seconds = negative ? -number.value_or(0) : number.value_or(0);
  Advance();
  shift->at = AtKind::kTime;
  constexpr double kLimit = 9223372036854775807.0;
  if (!(seconds > -kLimit && seconds < kLimit)) {
    Report(Cover(sign.span),
           StrCat("timestamp out of bounds for @ modifier: ", FormatNumber(seconds)));
    return true;
  }
  double ms = std::round(seconds * 1000);
  shift->at_ms = ms >= kLimit ? INT64_MAX : ms <= -kLimit ? INT64_MIN : static_cast<int64_t>(ms);
  return true;
}

}  // namespace rollguard::promql::internal
