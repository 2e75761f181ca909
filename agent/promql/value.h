// SPDX-License-Identifier: Apache-2.0
// What a query answers: a scalar, a string, an instant vector or a matrix (series of points), and
// how that is written down.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "agent/base/json.h"
#include "agent/base/time.h"
#include "agent/promql/labels.h"

namespace rollguard::promql {

// Milliseconds since the Unix epoch, as PromQL counts time.
using Millis = int64_t;

// The NaN that ends a series. Arithmetic never makes it; only its bits tell it from other NaNs.
inline constexpr uint64_t kStaleBits = 0x7ff0000000000002ULL;
inline constexpr uint64_t kNormalNanBits = 0x7ff8000000000001ULL;
inline double StaleMarker() { return std::bit_cast<double>(kStaleBits); }
inline bool IsStale(double value) { return std::bit_cast<uint64_t>(value) == kStaleBits; }

struct Point {
  Millis t = 0;
  double v = 0;
};

struct Scalar {
  Millis t = 0;
  double v = 0;
};

struct StringValue {
  Millis t = 0;
  std::string text;
};

// One element of an instant vector.
struct Sample {
  Labels labels;
  Millis t = 0;
  double v = 0;
};

// One row of a matrix; points are in order of time, times are unique.
struct Series {
  Labels labels;
  std::vector<Point> points;
};

using Vector = std::vector<Sample>;
using Matrix = std::vector<Series>;
using Value = std::variant<Scalar, StringValue, Vector, Matrix>;

// "scalar", "string", "vector" or "matrix".
const char* TypeName(const Value& value);

// As promtool and Prometheus print results: `a{b="c"} => 1.5 @[1700000000.5]`, one per line.
std::string ToString(const Value& value);

// As the HTTP API carries results: {"resultType": "vector", "result": [{"metric": {...}, "value":
// [1700000000.5, "1.5"]}]}.
Json ToJson(const Value& value);

// A sample value as the HTTP API writes it: shortest form, "NaN", "+Inf", "-Inf".
std::string FormatValue(double value);

// NaN equals NaN, signs of infinity count, otherwise |a - b| <= relative * max(|a|, |b|).
bool SameValue(double a, double b, double relative);

}  // namespace rollguard::promql
