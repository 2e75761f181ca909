// SPDX-License-Identifier: Apache-2.0
// What a provider answered, as a value: the edges carry requests out, analysis judges what came
// back.
#pragma once

#include <string>
#include <vector>

#include "agent/base/expected.h"
#include "agent/expr/value.h"
#include "agent/promql/value.h"

namespace rollguard::analysis {

struct Answer {
  expr::Value value;   // `result` in a condition
  expr::Value series;  // `series`: for Prometheus the labels beside the values, a list of maps
  std::string shown;   // as people see it: "10", "[10,11]", "[]", "NaN", "+Inf"
  std::string query;   // as it was asked, secrets redacted
  std::vector<std::string> warnings;
  bool untyped = false;  // JSON from the web: see expr::Environment
};

// Scalar -> float; instant vector -> list of floats in the server's order; matrix -> all samples of
// all series, flattened. A string, or anything else, is an Error.
Expected<Answer> AnswerFrom(const promql::Value& value);

// A JSON result as `analysis judge` and results files write it: "NaN", "+Inf", "-Inf" stand for
// those numbers.
Answer AnswerFromResult(const Json& json);

// The web provider: `json_path` ("{$.data.ok}", "{$.items[0].n}", "{$..n}" is refused) picks the
// result out of the body, which must be JSON. Empty path: the whole body.
Expected<Answer> AnswerFromWeb(std::string_view body, std::string_view json_path);

// How a value is shown.
std::string Shown(const expr::Value& value);

// No data: nil, an empty list, or nothing but NaN.
bool IsNoData(const expr::Value& value);

}  // namespace rollguard::analysis
