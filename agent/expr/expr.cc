// SPDX-License-Identifier: Apache-2.0
#include "agent/expr/expr.h"

#include "agent/base/text.h"
#include "agent/expr/ast.h"
#include "agent/expr/check.h"
#include "agent/expr/eval.h"
#include "agent/expr/lexer.h"
#include "agent/expr/parser.h"

namespace rollguard::expr {
namespace {

constexpr size_t kMaxBytes = 1U << 20;

Error Invalid(std::string message) { return {ErrorCode::kInvalid, std::move(message)}; }

}  // namespace

const char* ToString(Op op) {
  switch (op) {
    case Op::kNone: return "";
    case Op::kOr: return "||";
    case Op::kAnd: return "&&";
    case Op::kEqual: return "==";
    case Op::kNotEqual: return "!=";
    case Op::kLess: return "<";
    case Op::kGreater: return ">";
    case Op::kLessEqual: return "<=";
    case Op::kGreaterEqual: return ">=";
    case Op::kIn: return "in";
    case Op::kMatches: return "matches";
    case Op::kContains: return "contains";
    case Op::kStartsWith: return "startsWith";
    case Op::kEndsWith: return "endsWith";
    case Op::kRange: return "..";
    case Op::kAdd: return "+";
    case Op::kSubtract: return "-";
    case Op::kMultiply: return "*";
    case Op::kDivide: return "/";
    case Op::kModulo: return "%";
    case Op::kPower: return "**";
    case Op::kCoalesce: return "??";
    case Op::kNot: return "!";
    case Op::kNegate: return "-";
    case Op::kPlus: return "+";
  }
  return "";
}

std::string_view Program::text() const {
  return tree_ ? std::string_view(tree_->text) : std::string_view();
}

Compiled Compile(std::string_view text) {
  Compiled compiled;
  if (text.size() > kMaxBytes) {
    compiled.problems.push_back({{1, 1, 1}, "the condition is too long: more than 1 MiB"});
    return compiled;
  }
  auto tree = std::make_shared<Tree>();
  tree->text = std::string(text);
  std::vector<Token> tokens = Lex(text, compiled.problems);
  if (compiled.ok()) ParseTokens(tokens, *tree, compiled.problems);
  if (compiled.ok()) compiled.problems = CheckTypes(*tree, {}, {});
  if (compiled.ok()) compiled.program = Program(std::move(tree));
  return compiled;
}

std::string Describe(const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& problem : problems) {
    if (!text.empty()) text += "; ";
    text += problem.message;
  }
  return text;
}

Expected<Value> Evaluate(const Program& program, const Environment& env) {
  if (program.empty()) return Invalid("there is no condition to evaluate");
  bool empty = env.result.is_nil() || (env.result.is_list() && env.result.AsList().empty());
  auto failed = [&](std::string message) {
    return Invalid(empty ? "metric result is nil or empty" : std::move(message));
  };
  StaticType result = env.result.is_nil() ? StaticType{} : TypeOf(env.result, env.untyped);
  auto problems = CheckTypes(program.tree(), result, {});
  if (!problems.empty()) return failed(problems[0].message);
  CallContext context(env);
  Value value = Run(program.tree(), context);
  if (context.failed()) return failed(context.error());
  return value;
}

Expected<bool> EvaluateCondition(const Program& program, const Environment& env) {
  auto value = Evaluate(program, env);
  if (!value) return value.error();
  if (!value->is_bool()) return Invalid(StrCat("expected bool, but got ", value->TypeName()));
  return value->AsBool();
}

}  // namespace rollguard::expr
