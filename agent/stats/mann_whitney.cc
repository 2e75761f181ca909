// SPDX-License-Identifier: Apache-2.0
// The shift's interval: for a shift mu, W(mu) = (d - 0.5 sign d) / sigma, where d is how far the
// rank sum of (x - mu) is from its expectation and sigma is corrected for ties. W falls as mu
// grows; the ends of the interval are where it crosses +z and -z, the estimate where it crosses 0.
#include "agent/stats/mann_whitney.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "agent/base/random.h"
#include "agent/base/text.h"

namespace rollguard::stats {
namespace {

constexpr double kRootTolerance = 1e-4;
const double kNan = std::numeric_limits<double>::quiet_NaN();

struct Ranked {
  double value;
  bool candidate;
};

double WilcoxonAt(std::span<const double> x, std::span<const double> y, double mu) {
  std::vector<Ranked> all;
  all.reserve(x.size() + y.size());
  for (double v : x) all.push_back({v - mu, true});
  for (double v : y) all.push_back({v, false});
  std::sort(all.begin(), all.end(),
            [](const Ranked& a, const Ranked& b) { return a.value < b.value; });
  double rank_sum = 0;
  double ties = 0;
  for (size_t i = 0; i < all.size();) {
    size_t j = i;
    size_t mine = 0;
    for (; j < all.size() && all[j].value == all[i].value; ++j) mine += all[j].candidate ? 1 : 0;
    auto t = static_cast<double>(j - i);
    double mid = static_cast<double>(i + j + 1) / 2;  // ranks count from 1
    rank_sum += mid * static_cast<double>(mine);
    ties += t * t * t - t;
    i = j;
  }
  auto n = static_cast<double>(x.size());
  auto m = static_cast<double>(y.size());
  double d = rank_sum - n * (n + 1) / 2 - n * m / 2;
  double sigma = std::sqrt(n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1))));
  double correction = d > 0 ? 0.5 : (d < 0 ? -0.5 : 0);
  return sigma > 0 ? (d - correction) / sigma : 0;
}

// Brent's method for f(a) and f(b) of unlike signs.
double Brent(const std::function<double(double)>& f, double a, double b, double fa, double fb) {
  double c = a;
  double fc = fa;
  double d = b - a;
  double e = d;
  for (int i = 0; i < 200; ++i) {
    if ((fb > 0) == (fc > 0)) {
      c = a;
      fc = fa;
      d = e = b - a;
    }
    if (std::fabs(fc) < std::fabs(fb)) {
      a = b;
      b = c;
      c = a;
      fa = fb;
      fb = fc;
      fc = fa;
    }
    double tolerance =
        2 * std::numeric_limits<double>::epsilon() * std::fabs(b) + kRootTolerance / 2;
    double half = (c - b) / 2;
    if (std::fabs(half) <= tolerance || fb == 0) return b;
    if (std::fabs(e) < tolerance || std::fabs(fa) <= std::fabs(fb)) {
      d = e = half;
    } else {
      double s = fb / fa;
      double p = 2 * half * s;
      double q = 1 - s;
      if (a != c) {
        double r = fb / fc;
        double u = fa / fc;
        p = s * (2 * half * u * (u - r) - (b - a) * (r - 1));
        q = (u - 1) * (r - 1) * (s - 1);
      }
      if (p > 0) q = -q;
      p = std::fabs(p);
      bool interpolate =
          2 * p < std::min(3 * half * q - std::fabs(tolerance * q), std::fabs(e * q));
      e = interpolate ? d : half;
      d = interpolate ? p / q : half;
    }
    a = b;
    fa = fb;
    b += std::fabs(d) > tolerance ? d : (half > 0 ? tolerance : -tolerance);
    fb = f(b);
  }
  return b;
}

std::vector<double> Clean(std::span<const double> values, const JudgeOptions& options) {
  std::vector<double> out;
  for (double v : values) {
    if (!std::isnan(v)) out.push_back(v);
    if (std::isnan(v) && options.nan == NanStrategy::kReplace) out.push_back(0);
  }
  if (options.outliers == OutlierStrategy::kKeep || out.empty()) return out;
  double q1 = Percentile(out, 25);
  double q3 = Percentile(out, 75);
  double low = std::min(Percentile(out, 1), q1 - 3 * (q3 - q1));
  double high = std::max(Percentile(out, 99), q3 + 3 * (q3 - q1));
  std::erase_if(out, [&](double v) { return v < low || v > high; });
  return out;
}

double Mean(std::span<const double> values) {
  double sum = 0;
  for (double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

bool Constant(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [&](double v) { return v == values[0]; });
}

// meanRatio: candidate over stable. cles: how often a candidate value is above a stable one, ties
// count half.
double Effect(std::span<const double> x, std::span<const double> y, EffectMeasure measure) {
  if (measure == EffectMeasure::kMeanRatio) {
    double mx = Mean(x);
    double my = Mean(y);
    return mx == 0 || my == 0 ? kNan : mx / my;
  }
  double wins = 0;
  for (double a : x) {
    for (double b : y) wins += a > b ? 1 : (a == b ? 0.5 : 0);
  }
  return wins / (static_cast<double>(x.size()) * static_cast<double>(y.size()));
}

void AddNoise(std::vector<double>& values, Random& random) {
  for (double& v : values) v += random.Normal() * std::fabs(v) * 1e-5;
}

Judgement Plain(Class verdict, std::string reason) {
  return {verdict, false, kNan, kNan, kNan, kNan, std::move(reason)};
}

// The verdict where there is too little to compare.
std::optional<Judgement> Trivial(const std::vector<double>& x, const std::vector<double>& y,
                                 const JudgeOptions& options) {
  if (x.empty() || y.empty()) {
    std::string reason = x.empty() && y.empty()
                             ? "no data on either side"
                             : (x.empty() ? "no data from the candidate" : "no data from stable");
    if (options.nan == NanStrategy::kReplace)
      return Plain(Class::kPass, reason + "; missing values count as 0");
    if (options.must_have_data && !options.critical) return Plain(Class::kNodataFailMetric, reason);
    return Plain(Class::kNodata, reason);
  }
  if (x.size() < options.min_points || y.size() < options.min_points) {
    return Plain(Class::kNodata, StrCat("too few samples to tell: ", x.size(), " and ", y.size(),
                                        ", needed are ", options.min_points, " on either side"));
  }
  std::vector<double> a = x;
  std::vector<double> b = y;
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  if (a == b) return Plain(Class::kPass, "both sides have equal samples");
  return std::nullopt;
}

void Classify(Judgement& j, const JudgeOptions& options) {
  double bound = std::fabs(j.estimate) * options.tolerance;
  bool up = options.direction != Direction::kDecrease;
  bool down = options.direction != Direction::kIncrease;
  bool unknown = std::isnan(j.deviation);
  bool high = up && j.low > bound;
  bool low = down && j.high < -bound;
  if (high && (unknown || j.deviation >= options.allowed_increase)) {
    j.verdict = Class::kHigh;
    j.critical = options.critical && (unknown || j.deviation >= options.critical_increase);
    j.reason = "the candidate's values are higher than stable's";
  } else if (low && (unknown || j.deviation <= options.allowed_decrease)) {
    j.verdict = Class::kLow;
    j.critical = options.critical && (unknown || j.deviation <= options.critical_decrease);
    j.reason = "the candidate's values are lower than stable's";
  } else {
    j.verdict = Class::kPass;
    j.reason = high || low ? "the difference is within what is allowed"
                           : "no difference beyond the tolerance";
  }
}

}  // namespace

const char* ToString(Class c) {
  switch (c) {
    case Class::kPass: return "Pass";
    case Class::kHigh: return "High";
    case Class::kLow: return "Low";
    case Class::kNodata: return "Nodata";
    case Class::kNodataFailMetric: return "NodataFailMetric";
  }
  return "";
}

ShiftInterval EstimateShift(std::span<const double> x, std::span<const double> y,
                            double confidence) {
  auto [min_x, max_x] = std::minmax_element(x.begin(), x.end());
  auto [min_y, max_y] = std::minmax_element(y.begin(), y.end());
  double from = *min_x - *max_y;
  double to = *max_x - *min_y;
  double at_from = WilcoxonAt(x, y, from);
  double at_to = WilcoxonAt(x, y, to);
  double z = NormalQuantile(1 - (1 - confidence) / 2);
  auto root = [&](double target) {
    if (at_from <= target) return from;
    if (at_to >= target) return to;
    auto f = [&](double mu) { return WilcoxonAt(x, y, mu) - target; };
    return Brent(f, from, to, at_from - target, at_to - target);
  };
  return {root(z), root(-z), root(0)};
}

Judgement Judge(std::span<const double> candidate, std::span<const double> stable,
                const JudgeOptions& options) {
  std::vector<double> x = Clean(candidate, options);
  std::vector<double> y = Clean(stable, options);
  if (auto trivial = Trivial(x, y, options)) {
    trivial->critical =
        options.critical && trivial->verdict != Class::kPass && trivial->verdict != Class::kNodata;
    return *trivial;
  }
  if (Constant(x) && Constant(y)) {
    if (x[0] == y[0]) return Plain(Class::kPass, "one and the same value on both sides");
    Random random(options.seed);
    AddNoise(x, random);
    AddNoise(y, random);
  }
  ShiftInterval shift = EstimateShift(x, y, options.confidence);
  Judgement judgement{
      Class::kPass, false, shift.low, shift.high, shift.estimate, Effect(x, y, options.effect), ""};
  Classify(judgement, options);
  return judgement;
}

double Percentile(std::vector<double> values, double p) {
  if (values.empty()) return kNan;
  std::sort(values.begin(), values.end());
  double at = p / 100 * static_cast<double>(values.size() - 1);
  auto below = static_cast<size_t>(at);
  size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
}

double NormalCdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

// Newton's steps from a bisected start: accurate to the last few bits, and short.
double NormalQuantile(double p) {
  if (!(p > 0)) return -std::numeric_limits<double>::infinity();
  if (!(p < 1)) return std::numeric_limits<double>::infinity();
  double low = -40;
  double high = 40;
  for (int i = 0; i < 200 && high - low > 1e-15 * std::max(1.0, std::fabs(low)); ++i) {
    double middle = (low + high) / 2;
    (NormalCdf(middle) < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace rollguard::stats
