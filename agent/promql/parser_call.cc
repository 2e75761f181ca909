// SPDX-License-Identifier: Apache-2.0
// Calls and aggregations.
#include <algorithm>

#include "agent/base/diagnostic.h"
#include "agent/base/text.h"
#include "agent/promql/parser_impl.h"

namespace rollguard::promql::internal {
namespace {

using enum TokenKind;

AggregateOp AggregateOf(TokenKind kind) {
  switch (kind) {
    case kAvg: return AggregateOp::kAvg;
    case kMin: return AggregateOp::kMin;
    case kMax: return AggregateOp::kMax;
    case kCount: return AggregateOp::kCount;
    case kGroup: return AggregateOp::kGroup;
    case kStddev: return AggregateOp::kStddev;
    case kStdvar: return AggregateOp::kStdvar;
    case kTopk: return AggregateOp::kTopk;
    case kBottomk: return AggregateOp::kBottomk;
    case kCountValues: return AggregateOp::kCountValues;
    case kQuantile: return AggregateOp::kQuantile;
    default: return AggregateOp::kSum;
  }
}

// The words that a grouping clause takes as a label: all but `without` and numbers.
bool MayNameLabel(TokenKind kind) {
  return kind == kIdentifier || IsAggregator(kind) || kind == kAnd || kind == kOr ||
         kind == kUnless || kind == kAtan2 || (IsKeyword(kind) && kind != kWithout);
}

std::string UnknownFunction(std::string_view name) {
  std::vector<std::string_view> known;
  for (const Function& f : Functions()) known.push_back(f.name);
  for (int op = 0; op <= static_cast<int>(AggregateOp::kQuantile); ++op) {
    known.emplace_back(ToString(static_cast<AggregateOp>(op)));
  }
  // Of equally near names the one that goes on like the word: "rat" is "rate", not "rad".
  std::stable_partition(known.begin(), known.end(),
                        [name](std::string_view k) { return k.starts_with(name); });
  return StrCat("unknown function with name ", Quote(Abbreviate(name, 60)),
                Suggestion(name, std::move(known)));
}

}  // namespace

bool Parser::LabelList(std::vector<std::string>* labels) {
  if (!Expect(kLeftParen, "grouping opts", "\"(\"")) return false;
  while (!Is(kRightParen)) {
    if (!MayNameLabel(token_.kind)) {
      Unexpected("grouping opts", "label");
      return false;
    }
    labels->emplace_back(lexer_.Text(token_));
    Advance();
    if (Is(kRightParen)) break;
    if (!Expect(kComma, "grouping opts", "\",\" or \")\"")) return false;
  }
  Advance();
  return true;
}

// (expr, expr, ...); the token is the opening parenthesis.
bool Parser::Arguments(std::vector<NodeId>* args) {
  if (!Expect(kLeftParen, "aggregation", "\"(\"")) return false;
  if (Take(kRightParen)) return true;
  while (true) {
    NodeId arg = Expression(1);
    if (arg == kNoNode) return false;
    args->push_back(arg);
    Token comma = token_;
    if (Take(kRightParen)) return true;
    if (!Expect(kComma, "arguments", "\",\" or \")\"")) return false;
    if (Is(kRightParen)) {
      failed_ = true;
      Report(comma.span, "trailing commas not allowed in function call args");
      return false;
    }
  }
}

NodeId Parser::Call(Token name) {
  CallNode node;
  std::string_view text = lexer_.Text(name);
  node.function = FindFunction(text);
  if (node.function == nullptr) Report(name.span, UnknownFunction(text));
  if (!Arguments(&node.args)) return kNoNode;
  ValueType type = node.function != nullptr ? node.function->returns : ValueType::kNone;
  bool captures = node.function != nullptr && node.function->id == FunctionId::kLabelReplace;
  if (variables_ && !captures) CheckVariablesInText(node.args);
  return Add(std::move(node), type, Cover(name.span));
}

// `$name` in a string argument is not replaced. In label_replace it is a capture group (`$1`);
// elsewhere somebody expects what does not happen.
void Parser::CheckVariablesInText(const std::vector<NodeId>& args) {
  for (NodeId arg : args) {
    const auto* text = query_.As<StringNode>(arg);
    if (text == nullptr) continue;
    for (size_t i = 0; i + 1 < text->value.size(); ++i) {
      if (text->value[i] != '$' || !IsAlpha(text->value[i + 1])) continue;
      Report(query_[arg].span,
             "variables stand only inside quoted label values of a selector or as durations");
      break;
    }
  }
}

bool Parser::Clause(AggregateNode* node) {
  node->without = Is(kWithout);
  Advance();
  return LabelList(&node->labels);
}

bool Parser::AggregateArguments(const std::vector<NodeId>& args, Span span, AggregateNode* node) {
  size_t want = TakesParameter(node->op) ? 2 : 1;
  if (args.size() != want) {
    Report(span, args.empty() ? "no arguments for aggregate expression provided"
                              : StrCat("wrong number of arguments for aggregate expression "
                                       "provided, expected ",
                                       want, ", got ", args.size()));
    return false;
  }
  node->expr = args.back();
  if (want == 2) node->param = args.front();
  return true;
}

NodeId Parser::Aggregate(Token op) {
  AggregateNode node;
  node.op = AggregateOf(op.kind);
  bool before = Is(kBy) || Is(kWithout);
  std::vector<NodeId> args;
  if (before && !Clause(&node)) return kNoNode;
  if (!Arguments(&args)) return kNoNode;
  if (!before && (Is(kBy) || Is(kWithout)) && !Clause(&node)) return kNoNode;
  if (variables_) CheckVariablesInText(args);
  Span span = Cover(op.span);
  if (!AggregateArguments(args, span, &node)) {
    // A call without arguments stands in for it, so that the rest is read and checked.
    return Add(CallNode{}, ValueType::kNone, span);
  }
  return Add(std::move(node), ValueType::kVector, span);
}

}  // namespace rollguard::promql::internal
