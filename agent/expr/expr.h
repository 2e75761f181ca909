// SPDX-License-Identifier: Apache-2.0
// The condition language of analysis templates: `result[0] >= 0.95`, `all(result, # < 0.5)`.
//
// Compile once, evaluate often. Compiling finds what is wrong whatever the data: syntax, unknown
// names, wrong numbers of arguments, bad regular expressions. Evaluating first checks the types
// against the actual values (so `result > "a"` is an error even where it would not be reached),
// then computes. Both are pure and bounded: 10,000 nodes, nesting 100, 1,000,000 elements of
// working memory, 20,000,000 steps; beyond them there is an error.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/diagnostic.h"
#include "agent/base/expected.h"
#include "agent/base/time.h"
#include "agent/expr/value.h"

namespace rollguard::expr {

struct Tree;  // ast.h

inline constexpr size_t kMaxNodes = 10'000;
inline constexpr size_t kMaxNesting = 100;
inline constexpr int64_t kMaxElements = 1'000'000;
inline constexpr int64_t kMaxSteps = 20'000'000;

// A compiled condition. Immutable; copies share the tree. Safe to use from several threads.
class Program {
 public:
  Program() = default;  // no condition: empty() is true
  explicit Program(std::shared_ptr<const Tree> tree) : tree_(std::move(tree)) {}
  bool empty() const { return tree_ == nullptr; }
  std::string_view text() const;
  const Tree& tree() const { return *tree_; }

 private:
  std::shared_ptr<const Tree> tree_;
};

// A problem inside a condition's text: line and column count from 1 within that text.
struct Problem {
  SourceSpan span;
  std::string message;  // lower case, with "did you mean"
  friend bool operator==(const Problem&, const Problem&) = default;
};

struct Compiled {
  Program program;                // empty when there are problems
  std::vector<Problem> problems;  // in order of position
  bool ok() const { return problems.empty(); }
};

Compiled Compile(std::string_view text);

// The problems as one line: "1:8: unknown name ...; ..." without positions when there is but one
// line.
std::string Describe(const std::vector<Problem>& problems);

// What the names stand for.
struct Environment {
  Value result;  // `result`
  Value series;  // `series`: the labels beside the values, a list of maps
  Time now{};    // `now()`
  bool untyped =
      false;  // elements of lists come from JSON: comparing unlike ones is false, not an error
};

// The value, or why there is none. On an empty result every evaluation error reads
// "metric result is nil or empty".
Expected<Value> Evaluate(const Program& program, const Environment& env);

// As Evaluate; anything but a bool is the error "expected bool, but got int".
Expected<bool> EvaluateCondition(const Program& program, const Environment& env);

}  // namespace rollguard::expr
