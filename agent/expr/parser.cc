// SPDX-License-Identifier: Apache-2.0
// A precedence climber. Levels, low to high: | 0, or 10, and 15, comparisons 20, .. 25, + - 30,
// (prefix not ! 50), * / % 60, (prefix + - 90), ** ^ 100 right to left, ?? 500.
// A prefix operator takes everything that binds tighter than itself: !a == b is (!a) == b, and
// -2 ** 2 is -(2 ** 2).
#include "agent/expr/parser.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>

#include "agent/base/text.h"
#include "agent/expr/builtins.h"

namespace rollguard::expr {
namespace {

struct OperatorRow {
  std::string_view text;
  Op op;
  int precedence;
  bool right;
  bool worded;  // may stand behind `not`
};

constexpr int kNotPrecedence = 50;
constexpr int kSignPrecedence = 90;
// Of the parser itself: a level of nesting may take several calls.
constexpr int kMaxRecursion = 4 * static_cast<int>(kMaxNesting);

constexpr std::array kBinary = {
    OperatorRow{"or", Op::kOr, 10, false, false},
    OperatorRow{"||", Op::kOr, 10, false, false},
    OperatorRow{"and", Op::kAnd, 15, false, false},
    OperatorRow{"&&", Op::kAnd, 15, false, false},
    OperatorRow{"==", Op::kEqual, 20, false, false},
    OperatorRow{"!=", Op::kNotEqual, 20, false, false},
    OperatorRow{"<", Op::kLess, 20, false, false},
    OperatorRow{">", Op::kGreater, 20, false, false},
    OperatorRow{"<=", Op::kLessEqual, 20, false, false},
    OperatorRow{">=", Op::kGreaterEqual, 20, false, false},
    OperatorRow{"in", Op::kIn, 20, false, true},
    OperatorRow{"matches", Op::kMatches, 20, false, true},
    OperatorRow{"contains", Op::kContains, 20, false, true},
    OperatorRow{"startsWith", Op::kStartsWith, 20, false, true},
    OperatorRow{"endsWith", Op::kEndsWith, 20, false, true},
    OperatorRow{"..", Op::kRange, 25, false, false},
    OperatorRow{"+", Op::kAdd, 30, false, false},
    OperatorRow{"-", Op::kSubtract, 30, false, false},
    OperatorRow{"*", Op::kMultiply, 60, false, false},
    OperatorRow{"/", Op::kDivide, 60, false, false},
    OperatorRow{"%", Op::kModulo, 60, false, false},
    OperatorRow{"**", Op::kPower, 100, true, false},
    OperatorRow{"^", Op::kPower, 100, true, false},
    OperatorRow{"??", Op::kCoalesce, 500, false, false},
};

const OperatorRow* FindBinary(const Token& token) {
  if (token.kind != TokenKind::kOperator) return nullptr;
  auto row = std::find_if(kBinary.begin(), kBinary.end(),
                          [&](const auto& r) { return r.text == token.text; });
  return row == kBinary.end() ? nullptr : &*row;
}

class Parser {
 public:
  Parser(std::span<const Token> tokens, Tree& tree, std::vector<Problem>& problems)
      : tokens_(tokens), tree_(tree), problems_(problems) {}

  void Run() {
    tree_.root = Expression(0);
    if (!failed_ && Now().kind != TokenKind::kEnd) Unexpected();
  }

 private:
  const Token& Now() const { return tokens_[at_]; }
  const Token& After() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  void Next() {
    if (at_ + 1 < tokens_.size()) ++at_;
  }

  NodeId Fail(SourceSpan span, std::string message) {
    if (!failed_) problems_.push_back({span, std::move(message)});
    failed_ = true;
    return kNoNode;
  }
  NodeId Unexpected() {
    const Token& token = Now();
    if (token.kind == TokenKind::kEnd) return Fail(token.span, "unexpected end of the condition");
    std::string hint = token.IsOperator("=") ? " (did you mean \"==\"?)" : "";
    return Fail(token.span, StrCat("unexpected ", token.kind == TokenKind::kString ? "string " : "",
                                   Quote(token.text), hint));
  }
  bool Expect(TokenKind kind, std::string_view text) {
    if (failed_) return false;
    if (!Now().Is(kind, text)) {
      if (Now().kind == TokenKind::kEnd) {
        Fail(Now().span, StrCat("unexpected end of the condition: ", Quote(text), " is missing"));
      } else {
        Unexpected();
      }
      return false;
    }
    Next();
    return true;
  }
  bool ExpectBracket(std::string_view text) { return Expect(TokenKind::kBracket, text); }

  // Children come first; the node's depth follows from theirs.
  NodeId Make(Node node) {
    if (failed_) return kNoNode;
    if (tree_.nodes.size() >= kMaxNodes)
      return Fail(node.span, "the condition is too long: more than 10,000 nodes");
    uint16_t depth = 0;
    auto below = [&](NodeId id, uint16_t extra) {
      if (id == kNoNode) return;
      depth = std::max(depth, static_cast<uint16_t>(tree_.at(id).depth + extra));
    };
    bool chain = node.kind == NodeKind::kBinary && tree_.at(node.a).kind == NodeKind::kBinary;
    below(node.a, chain ? 0 : 1);
    below(node.b, 1);
    below(node.c, 1);
    for (NodeId id : node.args) below(id, 1);
    node.depth = std::max<uint16_t>(depth, 1);
    if (node.depth > kMaxNesting + 1) return TooDeep(node.span);
    tree_.nodes.push_back(std::move(node));
    return static_cast<NodeId>(tree_.nodes.size() - 1);
  }
  NodeId TooDeep(SourceSpan span) {
    return Fail(span, "the condition is nested too deeply: more than 100 levels");
  }

  NodeId Expression(int precedence) {
    if (failed_) return kNoNode;
    if (++nesting_ > kMaxRecursion) return TooDeep(Now().span);
    NodeId node = precedence == 0 && Now().IsOperator("let") ? Let() : Operators(precedence);
    --nesting_;
    return node;
  }

  NodeId Operators(int precedence) {
    NodeId left = Primary();
    Op previous = Op::kNone;
    while (!failed_) {
      if (Now().IsOperator("|")) {
        if (precedence > 0) break;
        left = Pipe(left);
        previous = Op::kNone;
        continue;
      }
      bool negate = Now().IsOperator("not");
      const Token& token = negate ? After() : Now();
      const OperatorRow* row = FindBinary(token);
      if (negate && (row == nullptr || !row->worded)) return Unexpected();
      if (row == nullptr || row->precedence < precedence) break;
      if (previous == Op::kCoalesce && row->op != Op::kCoalesce) {
        return Fail(token.span, StrCat("operator ", Quote(row->text),
                                       " and ?? cannot be mixed: put parentheses around one"));
      }
      if (negate) Next();
      SourceSpan span = token.span;
      Next();
      left = Binary(left, *row, span, negate);
      previous = row->op;
    }
    return precedence == 0 ? Conditional(left) : left;
  }

  NodeId Binary(NodeId left, const OperatorRow& row, SourceSpan span, bool negate) {
    NodeId right = Expression(row.right ? row.precedence : row.precedence + 1);
    if (failed_) return kNoNode;
    NodeId node =
        Make({.kind = NodeKind::kBinary, .op = row.op, .a = left, .b = right, .span = span});
    if (!negate) return node;
    return Make({.kind = NodeKind::kUnary, .op = Op::kNot, .a = node, .span = span});
  }

  NodeId Pipe(NodeId left) {
    Next();
    Token name = Now();
    if (name.kind != TokenKind::kName) return Unexpected();
    Next();
    NodeId node = Call(name, left);
    return Postfix(node);
  }

  NodeId Conditional(NodeId condition) {
    while (!failed_ && Now().IsOperator("?")) {
      SourceSpan span = Now().span;
      Next();
      NodeId yes = condition;
      if (Now().IsOperator(":")) {
        Next();
      } else {
        yes = Expression(0);
        if (!Expect(TokenKind::kOperator, ":")) return kNoNode;
      }
      NodeId no = Expression(0);
      if (failed_) return kNoNode;
      condition =
          Make({.kind = NodeKind::kConditional, .a = condition, .b = yes, .c = no, .span = span});
    }
    return condition;
  }

  NodeId Let() {
    Next();
    Token name = Now();
    if (name.kind != TokenKind::kName) return Unexpected();
    Next();
    if (!Expect(TokenKind::kOperator, "=")) return kNoNode;
    NodeId value = Expression(0);
    if (!Expect(TokenKind::kOperator, ";")) return kNoNode;
    NodeId body = Expression(0);
    if (failed_) return kNoNode;
    return Make(
        {.kind = NodeKind::kLet, .a = value, .b = body, .span = name.span, .name = name.text});
  }

  NodeId Primary() {
    const Token token = Now();
    if (token.kind == TokenKind::kOperator) {
      bool sign = token.text == "-" || token.text == "+";
      if (sign || token.text == "not" || token.text == "!") {
        Next();
        NodeId operand = Expression(sign ? kSignPrecedence : kNotPrecedence);
        if (failed_) return kNoNode;
        Op op = !sign ? Op::kNot : (token.text == "-" ? Op::kNegate : Op::kPlus);
        return Postfix(
            Make({.kind = NodeKind::kUnary, .op = op, .a = operand, .span = token.span}));
      }
      if (token.text == "#" || token.text == ".") return Pointer(token);
      return Unexpected();
    }
    if (token.IsBracket("(")) {
      Next();
      if (++brackets_ > static_cast<int>(kMaxNesting)) return TooDeep(token.span);
      NodeId inner = Expression(0);
      --brackets_;
      if (!ExpectBracket(")")) return kNoNode;
      return Postfix(inner);
    }
    return Secondary(token);
  }

  NodeId Pointer(const Token& token) {
    if (predicates_ == 0) {
      return Fail(
          token.span,
          StrCat(Quote(token.text),
                 " stands for an element and is only known inside a function like all(list, ...)"));
    }
    std::string name;
    if (token.text == "#") {
      Next();
      if (Now().kind == TokenKind::kName) {
        name = Now().text;
        if (name != "acc" && name != "index") {
          return Fail(Now().span, StrCat("unknown pointer ", Quote("#" + name),
                                         " (there are #, #acc and #index)"));
        }
        Next();
      }
    }
    return Postfix(Make({.kind = NodeKind::kPointer, .span = token.span, .name = name}));
  }

  NodeId Secondary(const Token& token) {
    switch (token.kind) {
      case TokenKind::kName: {
        Next();
        if (Now().IsBracket("(")) return Postfix(Call(token, kNoNode));
        if (token.text == "true" || token.text == "false")
          return Literal(token, Value(token.text == "true"));
        if (token.text == "nil") return Literal(token, Value());
        return Postfix(Make({.kind = NodeKind::kName, .span = token.span, .name = token.text}));
      }
      case TokenKind::kNumber: Next(); return Number(token);
      case TokenKind::kString: Next(); return Postfix(Literal(token, Value(token.text)));
      case TokenKind::kBracket:
        if (token.text == "[") return Postfix(List(token));
        if (token.text == "{") return Postfix(Map(token));
        return Unexpected();
      case TokenKind::kOperator:
      case TokenKind::kEnd: return Unexpected();
    }
    return Unexpected();
  }

  NodeId Literal(const Token& token, Value value) {
    return Make({.kind = NodeKind::kLiteral, .span = token.span, .literal = std::move(value)});
  }

  NodeId Number(const Token& token) {
    const std::string& text = token.text;
    int base = 10;
    if (text.size() > 1 && text[0] == '0') {
      char kind = text[1];
      base = kind == 'x' || kind == 'X'
                 ? 16
                 : (kind == 'o' || kind == 'O' ? 8 : (kind == 'b' || kind == 'B' ? 2 : 10));
    }
    if (base == 10 && text.find_first_of(".eE") != std::string::npos) {
      auto value = ParseDouble(text);
      if (!value || std::isinf(*value)) return Fail(token.span, StrCat("bad number ", Quote(text)));
      return Literal(token, Value(*value));
    }
    int64_t value = 0;
    const char* begin = text.data() + (base == 10 ? 0 : 2);
    const char* end = text.data() + text.size();
    auto [stop, error] = std::from_chars(begin, end, value, base);
    if (error != std::errc() || stop != end)
      return Fail(token.span, StrCat("bad number ", Quote(text)));
    return Literal(token, Value(value));
  }

  // Separated by commas, a last one may trail.
  template <class Item>
  void Items(std::string_view close, Item item) {
    bool first = true;
    while (!failed_ && !Now().IsBracket(close)) {
      if (!first) {
        Expect(TokenKind::kOperator, ",");
        if (Now().IsBracket(close)) break;
      }
      first = false;
      if (!failed_) item();
    }
    ExpectBracket(close);
  }

  NodeId List(const Token& token) {
    Next();
    Node node{.kind = NodeKind::kList, .span = token.span};
    Items("]", [&] { node.args.push_back(Expression(0)); });
    return failed_ ? kNoNode : Make(std::move(node));
  }

  NodeId Map(const Token& token) {
    Next();
    Node node{.kind = NodeKind::kMap, .span = token.span};
    Items("}", [&] {
      const Token key = Now();
      if (key.kind == TokenKind::kName || key.kind == TokenKind::kString ||
          key.kind == TokenKind::kNumber) {
        Next();
        node.args.push_back(Literal(key, Value(key.text)));
      } else if (key.IsBracket("(")) {
        node.args.push_back(Expression(0));
      } else {
        Fail(key.span,
             "a map key must be a name, a string, a number or an expression in parentheses");
        return;
      }
      if (Expect(TokenKind::kOperator, ":")) node.args.push_back(Expression(0));
    });
    return failed_ ? kNoNode : Make(std::move(node));
  }

  // `first` is what was piped in, or kNoNode.
  NodeId Call(const Token& name, NodeId first) {
    Node node{.kind = NodeKind::kCall, .span = name.span, .name = name.text};
    if (first != kNoNode) node.args.push_back(first);
    if (!ExpectBracket("(")) return kNoNode;
    const Builtin* builtin = FindBuiltin(name.text);
    bool predicate = builtin != nullptr && builtin->takes == Takes::kPredicate;
    Items(")", [&] {
      node.args.push_back(predicate && node.args.size() == 1 ? Predicate() : Expression(0));
    });
    return failed_ ? kNoNode : Make(std::move(node));
  }

  NodeId Predicate() {
    SourceSpan span = Now().span;
    bool braces = Now().IsBracket("{");
    if (braces) Next();
    ++predicates_;
    NodeId body = Expression(0);
    --predicates_;
    if (braces) ExpectBracket("}");
    if (failed_) return kNoNode;
    return Make({.kind = NodeKind::kPredicate, .a = body, .span = span});
  }

  NodeId Postfix(NodeId node) {
    bool chain = false;
    while (!failed_) {
      const Token token = Now();
      bool optional = token.IsOperator("?.");
      if (optional || token.IsOperator(".")) {
        Next();
        if (optional && Now().IsBracket("[")) {
          node = Index(node, true);
        } else {
          node = Member(node, optional);
        }
      } else if (token.IsBracket("[")) {
        node = Index(node, false);
      } else {
        break;
      }
      chain = chain || optional;
    }
    if (!chain || failed_) return node;
    return Make({.kind = NodeKind::kChain, .a = node, .span = tree_.at(node).span});
  }

  NodeId Member(NodeId base, bool optional) {
    const Token name = Now();
    bool word = name.kind == TokenKind::kOperator && !name.text.empty() &&
                std::isalpha(static_cast<unsigned char>(name.text[0]));
    if (name.kind != TokenKind::kName && !word) {
      return name.kind == TokenKind::kEnd
                 ? Unexpected()
                 : Fail(name.span,
                        StrCat("expected a name behind the dot, found ", Quote(name.text)));
    }
    Next();
    if (!Now().IsBracket("(")) {
      return Make({.kind = NodeKind::kMember,
                   .optional = optional,
                   .a = base,
                   .span = name.span,
                   .name = name.text});
    }
    Node call{.kind = NodeKind::kMethod,
              .optional = optional,
              .a = base,
              .span = name.span,
              .name = name.text};
    Next();
    Items(")", [&] { call.args.push_back(Expression(0)); });
    return failed_ ? kNoNode : Make(std::move(call));
  }

  NodeId Index(NodeId base, bool optional) {
    SourceSpan span = Now().span;
    Next();
    NodeId from = kNoNode;
    NodeId to = kNoNode;
    if (!Now().IsOperator(":")) from = Expression(0);
    if (failed_) return kNoNode;
    if (!Now().IsOperator(":")) {
      if (!ExpectBracket("]")) return kNoNode;
      return Make(
          {.kind = NodeKind::kMember, .optional = optional, .a = base, .b = from, .span = span});
    }
    Next();
    if (!Now().IsBracket("]")) to = Expression(0);
    if (!ExpectBracket("]")) return kNoNode;
    return Make({.kind = NodeKind::kSlice,
                 .optional = optional,
                 .a = base,
                 .b = from,
                 .c = to,
                 .span = span});
  }

  std::span<const Token> tokens_;
  Tree& tree_;
  std::vector<Problem>& problems_;
  size_t at_ = 0;
  int nesting_ = 0;
  int brackets_ = 0;
  int predicates_ = 0;
  bool failed_ = false;
};

}  // namespace

void ParseTokens(std::span<const Token> tokens, Tree& tree, std::vector<Problem>& problems) {
  Parser(tokens, tree, problems).Run();
}

}  // namespace rollguard::expr
