// SPDX-License-Identifier: Apache-2.0
// A Pratt parser: an operand, then operators as long as they bind at least as tightly as the
// caller's. Unary signs sit on the level of `*`, so `-a^b` is -(a^b) and `2^-a*b` is (2^(-a))*b.
// Recursion is counted and so is the height of the tree (a chain `a+a+a...` nests without
// recursion); both stop at kMaxQueryHeight. Types are checked afterwards over the node array.
#include "agent/promql/parser.h"

#include <algorithm>
#include <cmath>

#include "agent/base/text.h"
#include "agent/promql/check.h"
#include "agent/promql/parser_impl.h"

namespace rollguard::promql {
namespace internal {
namespace {

using enum TokenKind;

constexpr int kPowerLevel = 6;

struct Operator {
  BinaryOp op;
  int precedence;  // 0: not a binary operator
};

Operator OperatorOf(TokenKind kind) {
  switch (kind) {
    case kOr: return {BinaryOp::kOr, 1};
    case kAnd: return {BinaryOp::kAnd, 2};
    case kUnless: return {BinaryOp::kUnless, 2};
    case kEqual: return {BinaryOp::kEqual, 3};
    case kNotEqual: return {BinaryOp::kNotEqual, 3};
    case kLess: return {BinaryOp::kLess, 3};
    case kLessEqual: return {BinaryOp::kLessEqual, 3};
    case kGreater: return {BinaryOp::kGreater, 3};
    case kGreaterEqual: return {BinaryOp::kGreaterEqual, 3};
    case kAdd: return {BinaryOp::kAdd, 4};
    case kSub: return {BinaryOp::kSub, 4};
    case kMul: return {BinaryOp::kMul, 5};
    case kDiv: return {BinaryOp::kDiv, 5};
    case kMod: return {BinaryOp::kMod, 5};
    case kAtan2: return {BinaryOp::kAtan2, 5};
    case kPow: return {BinaryOp::kPow, kPowerLevel};
    default: return {BinaryOp::kAdd, 0};
  }
}

// Words that are keywords elsewhere and still may name a metric.
bool MayNameMetric(TokenKind kind) {
  return kind == kIdentifier || kind == kMetricIdentifier || IsAggregator(kind) || kind == kAnd ||
         kind == kOr || kind == kUnless || kind == kOffset || kind == kBy || kind == kWithout ||
         kind == kStart || kind == kEndKeyword;
}

}  // namespace

void Parser::Advance() {
  end_of_last_ = token_.span.end;
  token_ = lexer_.Next();
}

bool Parser::Take(TokenKind kind) {
  if (!Is(kind)) return false;
  Advance();
  return true;
}

bool Parser::Expect(TokenKind kind, const char* where, const char* expected) {
  if (Take(kind)) return true;
  Unexpected(where, expected);
  return false;
}

void Parser::Report(Span span, std::string message) {
  errors_.push_back({span, Locate(text_, span), std::move(message)});
}

NodeId Parser::Unexpected(const char* where, const char* expected) {
  if (failed_) return kNoNode;
  failed_ = true;
  if (Is(kError)) {
    Report(token_.span, lexer_.error());
    return kNoNode;
  }
  std::string message = StrCat("unexpected ", Describe(token_, text_));
  if (*where != '\0') message += StrCat(" in ", where);
  if (*expected != '\0') message += StrCat(", expected ", expected);
  Report(token_.span, std::move(message));
  return kNoNode;
}

// Counts one level of recursion; the caller leaves it by --depth_.
bool Parser::Enter() {
  if (depth_ >= kMaxQueryHeight) {
    if (!failed_) {
      Report(token_.span, StrCat("expression is nested too deeply (more than ", kMaxQueryHeight,
                                 " levels); split it into recording rules"));
    }
    failed_ = true;
    return false;
  }
  ++depth_;
  return true;
}

void Parser::Measure(NodeId id) {
  uint32_t height = 0;
  auto child = [&](NodeId c) {
    if (c != kNoNode) height = std::max<uint32_t>(height, heights_[c]);
  };
  const Node& node = query_[id];
  if (const auto* b = std::get_if<BinaryNode>(&node.is)) {
    child(b->lhs);
    child(b->rhs);
  } else if (!std::holds_alternative<SelectorNode>(node.is)) {
    for (NodeId c : Children(query_, id)) child(c);
  }
  heights_.push_back(static_cast<uint16_t>(height + 1));
  if (height + 1 > kMaxQueryHeight && !failed_) {
    depth_ = kMaxQueryHeight;
    Enter();
  }
}

NodeId Parser::Expression(int min_precedence) {
  if (!Enter()) return kNoNode;
  NodeId lhs = Operand();
  while (lhs != kNoNode && !failed_) {
    Token op = token_;
    int precedence = OperatorOf(op.kind).precedence;
    if (precedence == 0 || precedence < min_precedence) break;
    Advance();
    bool return_bool = false;
    Matching matching;
    if (!Modifiers(&return_bool, &matching)) return kNoNode;
    NodeId rhs = Expression(precedence == kPowerLevel ? precedence : precedence + 1);
    if (rhs == kNoNode) return kNoNode;
    lhs = Binary(lhs, op, rhs, return_bool, std::move(matching));
  }
  --depth_;
  return failed_ ? kNoNode : lhs;
}

NodeId Parser::Binary(NodeId lhs, Token op, NodeId rhs, bool return_bool, Matching matching) {
  BinaryNode node;
  node.op = OperatorOf(op.kind).op;
  node.return_bool = return_bool;
  node.lhs = lhs;
  node.rhs = rhs;
  node.matching = std::move(matching);
  node.op_span = op.span;
  ValueType left = query_[lhs].type, right = query_[rhs].type;
  bool scalars = left == ValueType::kScalar && right == ValueType::kScalar;
  Span span{query_[lhs].span.begin, query_[rhs].span.end};
  return Add(std::move(node), scalars ? ValueType::kScalar : ValueType::kVector, span);
}

bool Parser::Modifiers(bool* return_bool, Matching* matching) {
  *return_bool = Take(kBool);
  if (!Is(kOn) && !Is(kIgnoring)) return true;
  matching->on = Is(kOn);
  Advance();
  if (!LabelList(&matching->labels)) return false;
  if (!Is(kGroupLeft) && !Is(kGroupRight)) return true;
  matching->grouping = Is(kGroupLeft) ? Grouping::kLeft : Grouping::kRight;
  Advance();
  return !Is(kLeftParen) || LabelList(&matching->include);
}

NodeId Parser::Operand() {
  if (Is(kAdd) || Is(kSub)) return Unary();
  NodeId primary = Primary();
  return primary == kNoNode ? kNoNode : Postfix(primary);
}

NodeId Parser::Unary() {
  Token sign = token_;
  Advance();
  NodeId id = Expression(kPowerLevel);
  if (id == kNoNode) return kNoNode;
  Span span{sign.span.begin, query_[id].span.end};
  if (auto* number = std::get_if<NumberNode>(&query_[id].is)) {
    // A NaN has no sign that anyone could write down.
    if (sign.kind == kSub && !std::isnan(number->value)) number->value = -number->value;
    query_[id].span = span;
    return id;
  }
  return Add(UnaryNode{sign.kind == kSub, id}, query_[id].type, span);
}

NodeId Parser::Primary() {
  Token token = token_;
  if (Is(kNumber)) return Number();
  if (Is(kString)) return Text();
  if (Is(kLeftParen)) return Paren();
  if (Is(kLeftBrace)) return Selector(Token{kLeftBrace, {token.span.begin, token.span.begin}});
  if (Is(kVariable))
    return Unexpected("expression", "a variable only inside a quoted label value or as a duration");
  if (!MayNameMetric(token.kind)) {
    if (Is(kEnd) && query_.nodes.empty() && depth_ == 1) {
      failed_ = true;
      Report({}, "no expression found in input");
      return kNoNode;
    }
    return Unexpected("", "");
  }
  Advance();
  if (IsAggregator(token.kind) && (Is(kLeftParen) || Is(kBy) || Is(kWithout))) {
    return Aggregate(token);
  }
  if (token.kind == kIdentifier && Is(kLeftParen)) return Call(token);
  return Selector(token);
}

NodeId Parser::Paren() {
  Token open = token_;
  Advance();
  NodeId inner = Expression(1);
  if (inner == kNoNode || !Expect(kRightParen, "parentheses", "\")\"")) return kNoNode;
  return Add(ParenNode{inner}, query_[inner].type, Cover(open.span));
}

NodeId Parser::Number() {
  Token token = token_;
  auto value = ParseNumberToken(lexer_.Text(token));
  if (!value) Report(token.span, value.error().message);
  Advance();
  return Add(NumberNode{value.value_or(0)}, ValueType::kScalar, token.span);
}

NodeId Parser::Text() {
  Token token = token_;
  std::string text = UnquoteToken(lexer_.Text(token));
  Advance();
  return Add(StringNode{std::move(text)}, ValueType::kString, token.span);
}

// Types, and the matching clause of operators that match nothing.
void Parser::FinishChecks() {
  for (Problem& problem : CheckQuery(query_)) Report(problem.span, std::move(problem.message));
  for (Node& node : query_.nodes) {
    auto* binary = std::get_if<BinaryNode>(&node.is);
    if (binary == nullptr) continue;
    bool vectors = query_[binary->lhs].type == ValueType::kVector &&
                   query_[binary->rhs].type == ValueType::kVector;
    if (!vectors) binary->matching = {};
  }
}

ParseResult Parser::Run() {
  query_.nodes.reserve(std::min<size_t>(16, text_.size() / 4 + 2));
  Advance();
  end_of_last_ = 0;
  NodeId root = Expression(1);
  if (root != kNoNode && !Is(kEnd)) Unexpected("", "");
  if (!failed_) FinishChecks();
  query_.root = root;
  std::stable_sort(errors_.begin(), errors_.end(), [](const ParseError& a, const ParseError& b) {
    return a.span.begin < b.span.begin;
  });
  return {std::move(query_), std::move(errors_)};
}

}  // namespace internal

ParseResult Parse(std::string_view text, const ParseOptions& options) {
  if (text.size() > kMaxQueryBytes) {
    ParseResult refused;
    refused.errors.push_back(
        {{},
         {1, 1, 1},
         StrCat("expression is too long: ", text.size(), " bytes, at most ", kMaxQueryBytes,
                " are allowed; split it into recording rules")});
    return refused;
  }
  return internal::Parser(text, options).Run();
}

Expected<Query> ParseQuery(std::string_view text, const ParseOptions& options) {
  ParseResult result = Parse(text, options);
  if (result.ok()) return std::move(result.query);
  return Error(ErrorCode::kInvalid, ToString(result.errors.front()));
}

std::string ToString(const ParseError& error) {
  return StrCat(error.place.line, ":", error.place.column, ": parse error: ", error.message);
}

}  // namespace rollguard::promql
