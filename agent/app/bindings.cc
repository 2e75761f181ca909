// SPDX-License-Identifier: Apache-2.0
#include "agent/app/bindings.h"

#include "agent/promql/parser.h"
#include "agent/promql/printer.h"

namespace rollguard::app {

Expected<std::string> BindQuery(const std::string& query, const promql::Bindings& values) {
  promql::ParseResult parsed = promql::Parse(query, {.variables = true});
  if (!parsed.ok()) return Error(ErrorCode::kInvalid, promql::ToString(parsed.errors[0]));
  promql::ParseResult bound = promql::Bind(parsed.query, query, values);
  if (!bound.ok()) return Error(ErrorCode::kInvalid, promql::ToString(bound.errors[0]));
  return promql::Print(bound.query);
}

}  // namespace rollguard::app
