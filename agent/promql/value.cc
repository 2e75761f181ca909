// SPDX-License-Identifier: Apache-2.0
#include "agent/promql/value.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "agent/base/text.h"

namespace rollguard::promql {
namespace {

double Seconds(Millis t) { return static_cast<double>(t) / 1000.0; }

Json PairJson(Millis t, double v) { return Json::Arr({Json(Seconds(t)), Json(FormatValue(v))}); }

Json MetricJson(const Labels& labels) {
  Json metric = Json::Obj();
  for (const Label& label : labels) metric.Set(label.name, Json(label.value));
  return metric;
}

std::string PointText(Millis t, double v) {
  return StrCat(FormatValue(v), " @[", FormatNumber(Seconds(t)), "]");
}

Json ResultJson(const Scalar& scalar) { return PairJson(scalar.t, scalar.v); }

Json ResultJson(const StringValue& string) {
  return Json::Arr({Json(Seconds(string.t)), Json(string.text)});
}

Json ResultJson(const Vector& vector) {
  Json list = Json::Arr();
  for (const Sample& sample : vector) {
    list.Push(Json::Obj(
        {{"metric", MetricJson(sample.labels)}, {"value", PairJson(sample.t, sample.v)}}));
  }
  return list;
}

Json ResultJson(const Matrix& matrix) {
  Json list = Json::Arr();
  for (const Series& series : matrix) {
    Json values = Json::Arr();
    for (const Point& point : series.points) values.Push(PairJson(point.t, point.v));
    list.Push(Json::Obj({{"metric", MetricJson(series.labels)}, {"values", std::move(values)}}));
  }
  return list;
}

std::string ResultText(const Scalar& scalar) {
  return "scalar: " + PointText(scalar.t, scalar.v) + "\n";
}

std::string ResultText(const StringValue& string) { return Quote(string.text) + "\n"; }

std::string ResultText(const Vector& vector) {
  std::string out;
  for (const Sample& sample : vector) {
    out += StrCat(sample.labels.ToString(), " => ", PointText(sample.t, sample.v), "\n");
  }
  return out;
}

std::string ResultText(const Matrix& matrix) {
  std::string out;
  for (const Series& series : matrix) {
    out += series.labels.ToString() + " =>\n";
    for (const Point& point : series.points) out += PointText(point.t, point.v) + "\n";
  }
  return out;
}

}  // namespace

const char* TypeName(const Value& value) {
  static constexpr const char* kNames[] = {"scalar", "string", "vector", "matrix"};
  return kNames[value.index()];
}

std::string ToString(const Value& value) {
  return std::visit([](const auto& result) { return ResultText(result); }, value);
}

Json ToJson(const Value& value) {
  return std::visit(
      [&](const auto& result) {
        return Json::Obj({{"resultType", TypeName(value)}, {"result", ResultJson(result)}});
      },
      value);
}

std::string FormatValue(double value) { return FormatNumber(value); }

bool SameValue(double a, double b, double relative) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (a == b) return true;
  if (std::isinf(a) || std::isinf(b)) return false;
  return std::abs(a - b) <= relative * std::max(std::abs(a), std::abs(b));
}

}  // namespace rollguard::promql
