// SPDX-License-Identifier: Apache-2.0
// Whatever a person writes as a condition: it compiles or says why, evaluates or says why, within
// its bounds, and problems stand inside the text.
#include <cstdlib>
#include <string_view>

#include "agent/expr/expr.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rollguard;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  expr::Compiled compiled = expr::Compile(text);
  for (const expr::Problem& problem : compiled.problems) {
    if (problem.span.line == 0 || problem.span.column == 0 || problem.message.empty()) std::abort();
  }
  if (!compiled.ok()) return 0;
  static const char* const kResults[] = {"0.5",
                                         "[1,2,3]",
                                         "[]",
                                         "null",
                                         "\"text\"",
                                         "true",
                                         R"({"a":{"b":[1,"x",null]},"n":2})",
                                         "[[1],{\"k\":[2]},\"\"]"};
  for (const char* result : kResults) {
    expr::Environment env;
    env.result = expr::FromJson(*ParseJson(result));
    env.untyped = result[0] == '{';
    auto value = Evaluate(compiled.program, env);
    if (!value && value.error().message.empty()) std::abort();
    if (value) (void)value->TypeName();
  }
  return 0;
}
