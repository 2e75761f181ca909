// SPDX-License-Identifier: Apache-2.0
// Parentheses are printed where the tree has them and where operator precedence demands them, so
// rewritten trees need not care. Variables are printed in their places while a query has them.
#include "agent/promql/printer.h"

#include <algorithm>
#include <cmath>

#include "agent/base/text.h"
#include "agent/base/time.h"

namespace rollguard::promql {
namespace {

constexpr int kUnaryLevel = 5;
constexpr int kPowerLevel = 6;
constexpr int kOperandLevel = 7;

int Level(BinaryOp op) {
  switch (op) {
    case BinaryOp::kOr: return 1;
    case BinaryOp::kAnd:
    case BinaryOp::kUnless: return 2;
    case BinaryOp::kEqual:
    case BinaryOp::kNotEqual:
    case BinaryOp::kLess:
    case BinaryOp::kLessEqual:
    case BinaryOp::kGreater:
    case BinaryOp::kGreaterEqual: return 3;
    case BinaryOp::kAdd:
    case BinaryOp::kSub: return 4;
    case BinaryOp::kMul:
    case BinaryOp::kDiv:
    case BinaryOp::kMod:
    case BinaryOp::kAtan2: return kUnaryLevel;
    case BinaryOp::kPow: return kPowerLevel;
  }
  return kOperandLevel;
}

std::string PrintNumber(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Inf" : "-Inf";
  return FormatNumber(value);
}

// Escapes that PromQL's lexer knows: invalid UTF-8 and control characters become \xNN.
std::string PrintString(std::string_view text) {
  // A valid U+FFFD may not stand in PromQL text as itself.
  return ReplaceAll(Quote(text), "\xEF\xBF\xBD", "\\ufffd");
}

class Printer {
 public:
  Printer(const Query& query, bool canonical) : query_(query), canonical_(canonical) {}

  std::string Run(NodeId id) {
    Print(id, 0);
    return std::move(out_);
  }

 private:
  // Wraps what binds less tightly than `level`.
  void Print(NodeId id, int level) {
    id = Inner(id);
    bool wrap = LevelOf(id) < level;
    if (wrap) out_ += '(';
    std::visit([&](const auto& n) { Write(id, n); }, query_[id].is);
    if (wrap) out_ += ')';
  }

  NodeId Inner(NodeId id) const { return canonical_ ? SkipParens(query_, id) : id; }
  int LevelOf(NodeId id) const;
  void Write(NodeId, const NumberNode& n) { out_ += PrintNumber(n.value); }
  void Write(NodeId, const StringNode& n) { out_ += PrintString(n.value); }
  void Write(NodeId, const PlaceholderNode& n) { out_ += StrCat("<result ", n.index, ">"); }
  void Write(NodeId id, const SelectorNode& n);
  void Write(NodeId id, const SubqueryNode& n);
  void Write(NodeId id, const ParenNode& n);
  void Write(NodeId id, const UnaryNode& n);
  void Write(NodeId id, const BinaryNode& n);
  void Write(NodeId id, const CallNode& n);
  void Write(NodeId id, const AggregateNode& n);
  void WriteShift(NodeId id, const TimeShift& shift);
  void WriteMatching(const Matching& m);
  void WriteLabels(const std::vector<std::string>& labels);
  void WriteDuration(NodeId id, VariablePlace place, int64_t ms);
  const Variable* FindVariable(NodeId id, VariablePlace place) const;

  const Query& query_;
  bool canonical_;
  std::string out_;
};

int Printer::LevelOf(NodeId id) const {
  if (const auto* binary = query_.As<BinaryNode>(id)) return Level(binary->op);
  if (query_.As<UnaryNode>(id) != nullptr) return kUnaryLevel;
  const auto* number = query_.As<NumberNode>(id);
  bool negative = number != nullptr && !std::isnan(number->value) && std::signbit(number->value);
  return negative ? kUnaryLevel : kOperandLevel;
}

const Variable* Printer::FindVariable(NodeId id, VariablePlace place) const {
  for (const Variable& v : query_.variables) {
    if (v.node == id && v.place == place) return &v;
  }
  return nullptr;
}

void Printer::WriteDuration(NodeId id, VariablePlace place, int64_t ms) {
  const Variable* variable = FindVariable(id, place);
  out_ += variable != nullptr ? StrCat("$", variable->name) : FormatPromDuration(Duration(ms));
}

void Printer::WriteLabels(const std::vector<std::string>& labels) {
  out_ += '(';
  for (size_t i = 0; i < labels.size(); ++i) {
    if (i > 0) out_ += ", ";
    out_ += labels[i];
  }
  out_ += ')';
}

void Printer::WriteShift(NodeId id, const TimeShift& shift) {
  switch (shift.at) {
    case AtKind::kNone: break;
    case AtKind::kStart: out_ += " @ start()"; break;
    case AtKind::kEnd: out_ += " @ end()"; break;
    case AtKind::kTime: {
      int64_t ms = shift.at_ms;
      uint64_t size = ms < 0 ? 0 - static_cast<uint64_t>(ms) : static_cast<uint64_t>(ms);
      out_ += StrCat(" @ ", ms < 0 ? "-" : "", size / 1000);
      if (size % 1000 != 0) out_ += Format(".%03d", static_cast<int>(size % 1000));
    }
  }
  if (const Variable* v = FindVariable(id, VariablePlace::kOffset)) {
    out_ += StrCat(" offset ", v->negative ? "-" : "", "$", v->name);
  } else if (shift.offset_ms != 0) {
    out_ += StrCat(" offset ", shift.offset_ms < 0 ? "-" : "",
                   FormatPromDuration(Duration(std::abs(shift.offset_ms))));
  }
}

void Printer::Write(NodeId id, const SelectorNode& n) {
  out_ += n.metric;
  if (!n.matchers.empty() || n.metric.empty()) {
    out_ += '{';
    for (size_t i = 0; i < n.matchers.size(); ++i) {
      const Matcher& m = n.matchers[i];
      out_ += StrCat(i > 0 ? "," : "", m.name, ToString(m.op), PrintString(m.value));
    }
    out_ += '}';
  }
  if (n.is_range) {
    out_ += '[';
    WriteDuration(id, VariablePlace::kRange, n.range_ms);
    out_ += ']';
  }
  WriteShift(id, n.shift);
}

void Printer::Write(NodeId id, const SubqueryNode& n) {
  // `a[5m:]` of a selector with its own shift needs none: the shift is part of the operand.
  Print(n.expr, kOperandLevel);
  out_ += '[';
  WriteDuration(id, VariablePlace::kRange, n.range_ms);
  out_ += ':';
  if (n.step_ms != 0 || FindVariable(id, VariablePlace::kStep) != nullptr) {
    WriteDuration(id, VariablePlace::kStep, n.step_ms);
  }
  out_ += ']';
  WriteShift(id, n.shift);
}

void Printer::Write(NodeId, const ParenNode& n) {
  out_ += '(';
  Print(n.expr, 0);
  out_ += ')';
}

void Printer::Write(NodeId, const UnaryNode& n) {
  out_ += n.negate ? '-' : '+';
  // A sign right before a number would be read as part of the number.
  NodeId inner = Inner(n.expr);
  bool number = query_.As<NumberNode>(inner) != nullptr;
  bool sign = query_.As<UnaryNode>(inner) != nullptr;
  if (number) out_ += '(';
  Print(n.expr, number ? 0 : sign ? kUnaryLevel : kPowerLevel);
  if (number) out_ += ')';
}

void Printer::WriteMatching(const Matching& m) {
  if (m.on || !m.labels.empty() || m.grouping != Grouping::kNone) {
    out_ += m.on ? " on " : " ignoring ";
    WriteLabels(m.labels);
  }
  if (m.grouping == Grouping::kNone) return;
  out_ += m.grouping == Grouping::kLeft ? " group_left " : " group_right ";
  WriteLabels(m.include);
}

void Printer::Write(NodeId, const BinaryNode& n) {
  int level = Level(n.op);
  bool power = n.op == BinaryOp::kPow;
  Print(n.lhs, power ? level + 1 : level);
  out_ += StrCat(" ", ToString(n.op), n.return_bool ? " bool" : "");
  WriteMatching(n.matching);
  out_ += ' ';
  // A sign on the right side needs no parentheses: it takes what binds tighter and nothing else.
  bool sign =
      LevelOf(Inner(n.rhs)) == kUnaryLevel && query_.As<BinaryNode>(Inner(n.rhs)) == nullptr;
  Print(n.rhs, sign ? kUnaryLevel : power ? level : level + 1);
}

void Printer::Write(NodeId, const CallNode& n) {
  out_ += n.function != nullptr ? n.function->name : "?";
  out_ += '(';
  for (size_t i = 0; i < n.args.size(); ++i) {
    if (i > 0) out_ += ", ";
    Print(n.args[i], 0);
  }
  out_ += ')';
}

void Printer::Write(NodeId, const AggregateNode& n) {
  out_ += ToString(n.op);
  if (n.without || !n.labels.empty()) {
    out_ += n.without ? " without " : " by ";
    WriteLabels(n.labels);
    out_ += ' ';
  }
  out_ += '(';
  if (n.param != kNoNode) {
    Print(n.param, 0);
    out_ += ", ";
  }
  Print(n.expr, 0);
  out_ += ')';
}

}  // namespace

std::string Print(const Query& query) { return query.empty() ? "" : Print(query, query.root); }

std::string Print(const Query& query, NodeId id) { return Printer(query, false).Run(id); }

std::string PrintCanonical(const Query& query, NodeId id) { return Printer(query, true).Run(id); }

}  // namespace rollguard::promql
