// SPDX-License-Identifier: Apache-2.0
// The parser's state; private to parser*.cc.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/promql/lexer.h"
#include "agent/promql/parser.h"

namespace rollguard::promql::internal {

// Lives for one Parse(). Functions that parse return kNoNode (or false) after a syntax error, which
// is then in `errors_`; nothing more is read from there on.
class Parser {
 public:
  Parser(std::string_view text, const ParseOptions& options)
      : text_(text), variables_(options.variables), lexer_(text, options.variables) {}

  ParseResult Run();

 private:
  // parser.cc: operators, parentheses, literals.
  NodeId Expression(int min_precedence);
  NodeId Operand();
  NodeId Unary();
  NodeId Primary();
  NodeId Binary(NodeId lhs, Token op, NodeId rhs, bool return_bool, Matching matching);
  bool Modifiers(bool* return_bool, Matching* matching);
  NodeId Paren();
  NodeId Number();
  NodeId Text();
  void FinishChecks();

  // parser_call.cc: functions and aggregations.
  NodeId Call(Token name);
  NodeId Aggregate(Token op);
  bool Arguments(std::vector<NodeId>* args);
  bool Clause(AggregateNode* node);
  bool LabelList(std::vector<std::string>* labels);
  bool AggregateArguments(const std::vector<NodeId>& args, Span span, AggregateNode* node);
  void CheckVariablesInText(const std::vector<NodeId>& args);

  // parser_selector.cc: selectors and what follows an operand.
  NodeId Selector(Token name);
  bool Matchers(std::vector<Matcher>* matchers, NodeId id);
  bool OneMatcher(std::vector<Matcher>* matchers, NodeId id);
  void FindVariables(const Matcher& matcher, NodeId id, uint32_t index, Span token);
  void CheckPattern(const Matcher& matcher, NodeId id, uint32_t index);
  NodeId Postfix(NodeId operand);
  NodeId Bracket(NodeId operand);
  NodeId Range(NodeId operand, int64_t range_ms, Span bracket);
  NodeId Subquery(NodeId operand, int64_t range_ms, size_t first_variable);
  bool Offset(NodeId operand);
  bool At(NodeId operand);
  bool AtTime(TimeShift* shift);
  TimeShift* ShiftOf(NodeId id);
  bool DurationValue(VariablePlace place, bool negative, const char* where, int64_t* ms);

  // Shared.
  void Advance();
  bool Is(TokenKind kind) const { return token_.kind == kind; }
  bool Take(TokenKind kind);
  bool Expect(TokenKind kind, const char* where, const char* expected);
  NodeId Unexpected(const char* where, const char* expected);
  void Report(Span span, std::string message);
  bool Enter();
  template <class T>
  NodeId Add(T node, ValueType type, Span span) {
    NodeId id = query_.Add(std::move(node), type, span);
    Measure(id);
    return id;
  }
  void Measure(NodeId id);
  Span Cover(Span from) const { return {from.begin, end_of_last_}; }

  std::string_view text_;
  bool variables_;
  Lexer lexer_;
  Token token_;
  uint32_t end_of_last_ = 0;  // of the token before token_
  Query query_;
  std::vector<uint16_t> heights_;
  std::vector<ParseError> errors_;
  uint32_t depth_ = 0;
  bool failed_ = false;
};

}  // namespace rollguard::promql::internal
