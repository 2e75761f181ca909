// SPDX-License-Identifier: Apache-2.0
// Sums are compensated (Neumaier), as Prometheus does, so that long windows agree to the last
// digits.
#include "agent/promql/range_functions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace rollguard::promql {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

double Seconds(Millis t) { return static_cast<double>(t) / 1000.0; }

// A compensated running sum.
struct Sum {
  double sum = 0;
  double rest = 0;
  void Add(double value) {
    double total = sum + value;
    rest += std::abs(sum) >= std::abs(value) ? (sum - total) + value : (value - total) + sum;
    sum = total;
  }
  double Total() const { return sum + rest; }
};

// --- rate, increase, delta -----------------------------------------------------------------------

double CounterGain(const Window& window) {
  double gain = window.points.back().v - window.points.front().v;
  for (const Point* drop : window.drops) gain += (drop - 1)->v;
  return gain;
}

// Extends the gain seen between the first and the last point to the whole window.
double Extrapolate(const Window& window, double gain, bool counter) {
  const Point& first = window.points.front();
  const Point& last = window.points.back();
  double span = Seconds(last.t - first.t);
  double spacing = span / static_cast<double>(window.points.size() - 1);
  double threshold = spacing * 1.1;
  double before = Seconds(first.t - window.start);
  double after = Seconds(window.end - last.t);
  if (window.version3 && before >= threshold) before = spacing / 2;
  if (counter && gain > 0 && first.v >= 0) before = std::min(before, span * (first.v / gain));
  if (!window.version3 && before >= threshold) before = spacing / 2;
  if (after >= threshold) after = spacing / 2;
  return (span + before + after) / span;
}

double Extrapolated(const Window& window, bool counter, bool per_second) {
  if (window.points.size() < 2) return kNoCell;
  double gain = counter ? CounterGain(window) : window.points.back().v - window.points.front().v;
  double factor = Extrapolate(window, gain, counter);
  if (per_second) factor /= Seconds(window.end - window.start);
  return gain * factor;
}

double Rate(const Window& w) { return Extrapolated(w, true, true); }
double Increase(const Window& w) { return Extrapolated(w, true, false); }
double Delta(const Window& w) { return Extrapolated(w, false, false); }

double Instant(const Window& window, bool rate) {
  if (window.points.size() < 2) return kNoCell;
  const Point& last = window.points.back();
  const Point& previous = window.points[window.points.size() - 2];
  double gain = rate && last.v < previous.v ? last.v : last.v - previous.v;
  if (last.t == previous.t) return kNoCell;
  return rate ? gain / Seconds(last.t - previous.t) : gain;
}

double Irate(const Window& w) { return Instant(w, true); }
double Idelta(const Window& w) { return Instant(w, false); }

// --- regression and smoothing --------------------------------------------------------------------

struct Line {
  double slope;
  double intercept;
};

// Least squares over seconds relative to `origin`.
Line Regress(std::span<const Point> points, Millis origin) {
  Sum sum_x, sum_y, sum_xy, sum_x2;
  bool constant = true;
  for (const Point& point : points) {
    if (point.v != points.front().v) constant = false;
    double x = Seconds(point.t - origin);
    sum_x.Add(x);
    sum_y.Add(point.v);
    sum_xy.Add(x * point.v);
    sum_x2.Add(x * x);
  }
  // A lone NaN differs from itself only from the second point on.
  if (points.size() == 1) constant = true;
  if (constant) {
    if (std::isinf(points.front().v)) return {kNan, kNan};
    return {0, points.front().v};
  }
  auto n = static_cast<double>(points.size());
  double x = sum_x.Total();
  double y = sum_y.Total();
  double slope = (sum_xy.Total() - x * y / n) / (sum_x2.Total() - x * x / n);
  return {slope, y / n - slope * x / n};
}

double Deriv(const Window& w) {
  if (w.points.size() < 2) return kNoCell;
  return Regress(w.points, w.points.front().t).slope;
}

double PredictLinear(const Window& w) {
  if (w.points.size() < 2) return kNoCell;
  Line line = Regress(w.points, w.step_time);
  return line.slope * w.parameter[0] + line.intercept;
}

double HoltWinters(const Window& w) {
  if (w.points.size() < 2) return kNoCell;
  double smoothing = w.parameter[0];
  double trend_factor = w.parameter[1];
  double before = 0;
  double level = w.points[0].v;
  double trend = w.points[1].v - w.points[0].v;
  for (size_t i = 1; i < w.points.size(); ++i) {
    double scaled = smoothing * w.points[i].v;
    if (i > 1) trend = trend_factor * (level - before) + (1 - trend_factor) * trend;
    double carried = (1 - smoothing) * (level + trend);
    before = level;
    level = scaled + carried;
  }
  return level;
}

// --- counting ------------------------------------------------------------------------------------

double Changes(const Window& w) {
  double count = 0;
  double previous = w.points[0].v;
  for (const Point& point : w.points.subspan(1)) {
    bool both_nan = std::isnan(point.v) && std::isnan(previous);
    if (point.v != previous && !both_nan) ++count;
    previous = point.v;
  }
  return count;
}

double Resets(const Window& w) {
  double count = 0;
  double previous = w.points[0].v;
  for (const Point& point : w.points.subspan(1)) {
    if (point.v < previous) ++count;
    previous = point.v;
  }
  return count;
}

// --- *_over_time ---------------------------------------------------------------------------------

double AvgOverTime(const Window& w) {
  Sum mean;
  double count = 0;
  for (const Point& point : w.points) {
    ++count;
    if (std::isinf(mean.sum)) {
      bool same = std::isinf(point.v) && (mean.sum > 0) == (point.v > 0);
      if (same || std::isfinite(point.v)) continue;
    }
    mean.Add(point.v / count - mean.sum / count);
  }
  return std::isinf(mean.sum) ? mean.sum : mean.Total();
}

double SumOverTime(const Window& w) {
  Sum sum;
  for (const Point& point : w.points) sum.Add(point.v);
  return std::isinf(sum.sum) ? sum.sum : sum.Total();
}

double CountOverTime(const Window& w) { return static_cast<double>(w.points.size()); }
double LastOverTime(const Window& w) { return w.points.back().v; }
double PresentOverTime(const Window&) { return 1; }

double MaxOverTime(const Window& w) {
  double best = w.points[0].v;
  for (const Point& point : w.points) {
    if (point.v > best || std::isnan(best)) best = point.v;
  }
  return best;
}

double MinOverTime(const Window& w) {
  double best = w.points[0].v;
  for (const Point& point : w.points) {
    if (point.v < best || std::isnan(best)) best = point.v;
  }
  return best;
}

double StdvarOverTime(const Window& w) {
  Sum mean, squares;
  double count = 0;
  for (const Point& point : w.points) {
    ++count;
    double delta = point.v - mean.Total();
    mean.Add(delta / count);
    squares.Add(delta * (point.v - mean.Total()));
  }
  return squares.Total() / count;
}

double StddevOverTime(const Window& w) { return std::sqrt(StdvarOverTime(w)); }

double QuantileOverTime(const Window& w) {
  // A small window stays on the stack; the engine calls this once per step and series.
  constexpr size_t kSmall = 128;
  double small[kSmall];
  std::vector<double> large;
  std::span<double> values(small, std::min(w.points.size(), kSmall));
  if (w.points.size() > kSmall) {
    large.resize(w.points.size());
    values = large;
  }
  for (size_t i = 0; i < w.points.size(); ++i) values[i] = w.points[i].v;
  return Quantile(w.parameter[0], values);
}

}  // namespace

WindowFunction FindWindowFunction(FunctionId id) {
  switch (id) {
    case FunctionId::kRate: return Rate;
    case FunctionId::kIncrease: return Increase;
    case FunctionId::kDelta: return Delta;
    case FunctionId::kIrate: return Irate;
    case FunctionId::kIdelta: return Idelta;
    case FunctionId::kDeriv: return Deriv;
    case FunctionId::kPredictLinear: return PredictLinear;
    case FunctionId::kHoltWinters: return HoltWinters;
    case FunctionId::kChanges: return Changes;
    case FunctionId::kResets: return Resets;
    case FunctionId::kAvgOverTime: return AvgOverTime;
    case FunctionId::kSumOverTime: return SumOverTime;
    case FunctionId::kCountOverTime: return CountOverTime;
    case FunctionId::kLastOverTime: return LastOverTime;
    case FunctionId::kPresentOverTime: return PresentOverTime;
    case FunctionId::kMaxOverTime: return MaxOverTime;
    case FunctionId::kMinOverTime: return MinOverTime;
    case FunctionId::kStddevOverTime: return StddevOverTime;
    case FunctionId::kStdvarOverTime: return StdvarOverTime;
    case FunctionId::kQuantileOverTime: return QuantileOverTime;
    case FunctionId::kAbsentOverTime: return PresentOverTime;  // the caller turns it around
    default: return nullptr;
  }
}

double Quantile(double q, std::span<double> values) {
  if (values.empty() || std::isnan(q)) return kNan;
  if (q < 0) return -kInf;
  if (q > 1) return kInf;
  auto less = [](double a, double b) { return std::isnan(a) ? !std::isnan(b) : a < b; };
  double rank = q * static_cast<double>(values.size() - 1);
  double floor = std::max(0.0, std::floor(rank));
  auto lower = static_cast<size_t>(floor);
  size_t upper = std::min(values.size() - 1, lower + 1);
  auto at = [&](size_t i) { return values.begin() + static_cast<std::ptrdiff_t>(i); };
  std::nth_element(values.begin(), at(lower), values.end(), less);
  double low = values[lower];
  double high = upper == lower ? low : *std::min_element(at(upper), values.end(), less);
  double weight = rank - floor;
  return low * (1 - weight) + high * weight;
}

}  // namespace rollguard::promql
