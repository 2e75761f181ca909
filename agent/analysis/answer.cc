// SPDX-License-Identifier: Apache-2.0
#include "agent/analysis/answer.h"

#include <algorithm>
#include <cmath>

#include "agent/analysis/json_path.h"
#include "agent/base/text.h"

namespace rollguard::analysis {
namespace {

using expr::Value;

Value LabelsOf(const promql::Labels& labels) {
  Value::Map map;
  for (const promql::Label& label : labels)
    map.emplace_back(std::string(label.name), Value(label.value));
  return Value(std::move(map));
}

Answer Lists(Value::List values, Value::List series) {
  Answer answer;
  answer.value = Value(std::move(values));
  answer.series = Value(std::move(series));
  answer.shown = Shown(answer.value);
  return answer;
}

Answer FromVector(const promql::Vector& vector) {
  Value::List values;
  Value::List series;
  for (const promql::Sample& sample : vector) {
    values.emplace_back(sample.v);
    series.push_back(LabelsOf(sample.labels));
  }
  return Lists(std::move(values), std::move(series));
}

// One entry of `series` for every sample, so that the two lists go side by side.
Answer FromMatrix(const promql::Matrix& matrix) {
  Value::List values;
  Value::List series;
  for (const promql::Series& row : matrix) {
    Value labels = LabelsOf(row.labels);
    for (const promql::Point& point : row.points) {
      values.emplace_back(point.v);
      series.push_back(labels);
    }
  }
  return Lists(std::move(values), std::move(series));
}

}  // namespace

Expected<Answer> AnswerFrom(const promql::Value& value) {
  if (const auto* scalar = std::get_if<promql::Scalar>(&value)) {
    Answer answer;
    answer.value = Value(scalar->v);
    answer.shown = Shown(answer.value);
    return answer;
  }
  if (const auto* vector = std::get_if<promql::Vector>(&value)) return FromVector(*vector);
  if (const auto* matrix = std::get_if<promql::Matrix>(&value)) return FromMatrix(*matrix);
  return Error(ErrorCode::kInvalid, "Prometheus metric type not supported: string");
}

Answer AnswerFromResult(const Json& json) {
  Answer answer;
  answer.value = expr::FromResultJson(json);
  answer.shown = Shown(answer.value);
  return answer;
}

Expected<Answer> AnswerFromWeb(std::string_view body, std::string_view json_path) {
  auto json = ParseJson(body);
  if (!json)
    return Error(ErrorCode::kInvalid,
                 StrCat("could not parse the response: ", json.error().message));
  const Json* picked = &*json;
  if (!Trim(json_path).empty()) {
    auto found = FindJsonPath(*json, json_path);
    if (!found) return found.error();
    picked = *found;
  }
  Answer answer;
  answer.value = expr::FromJson(*picked);
  answer.shown = picked->Dump();
  answer.untyped = true;
  return answer;
}

std::string Shown(const Value& value) { return value.ToText(); }

bool IsNoData(const Value& value) {
  auto nan = [](const Value& v) { return v.is_float() && std::isnan(v.AsFloat()); };
  if (value.is_nil() || nan(value)) return true;
  return value.is_list() && std::all_of(value.AsList().begin(), value.AsList().end(), nan);
}

}  // namespace rollguard::analysis
