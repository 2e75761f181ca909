// SPDX-License-Identifier: Apache-2.0
// Whatever comes in: an error with a place inside the text, or a query whose print parses back to
// the same tree. Binding and folding must take every query that parses.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/promql/bind.h"
#include "agent/promql/fold.h"
#include "agent/promql/parser.h"
#include "agent/promql/printer.h"

namespace {

using namespace rollguard::promql;

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckPrint(const Query& query, bool variables) {
  std::string printed = Print(query);
  ParseResult again = Parse(printed, {.variables = variables});
  // What prints longer than it was written may hit the limit on length.
  if (printed.size() > kMaxQueryBytes) return;
  Require(again.ok());
  Require(SameTree(query, query.root, again.query, again.query.root));
  Require(Print(again.query) == printed);
}

void CheckFold(const Query& query) {
  Query other = query;
  for (Node& node : other.nodes) {
    auto* selector = std::get_if<SelectorNode>(&node.is);
    if (selector == nullptr) continue;
    for (Matcher& m : selector->matchers) {
      if (m.op == MatchOp::kEqual && !m.value.empty() && m.name != "__name__") m.value += "x";
    }
  }
  const Query* queries[] = {&query, &other};
  for (const FoldRequest& request : PlanFold(queries).requests) {
    if (request.expr.size() <= kMaxQueryBytes) Require(Parse(request.expr).ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (bool variables : {false, true}) {
    ParseResult result = Parse(text, {.variables = variables});
    for (const ParseError& e : result.errors) {
      Require(!e.message.empty() && e.place.line >= 1 && e.place.column >= 1);
      Require(e.span.begin <= e.span.end && e.span.end <= text.size());
    }
    if (!result.ok()) continue;
    CheckPrint(result.query, variables);
    if (!variables) CheckFold(result.query);
    Bindings values;
    for (const std::string& name : VariableNames(result.query)) {
      values[name] = VariableValue::Text("v\"|.*\\");
    }
    ParseResult bound = Bind(result.query, text, values);
    if (bound.ok()) CheckPrint(bound.query, false);
  }
  return 0;
}
