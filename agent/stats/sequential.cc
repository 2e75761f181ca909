// SPDX-License-Identifier: Apache-2.0
#include "agent/stats/sequential.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace rollguard::stats {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
constexpr size_t kGrid = kProportionGrid.size();
const double kLogGrid = std::log(static_cast<double>(kGrid));

bool Usable(double bad, double total) {
  return std::isfinite(bad) && std::isfinite(total) && bad >= 0 && total > 0;
}

double Clamp(double phi) { return phi >= 1 ? std::min(phi, 20.0) : 1.0; }

}  // namespace

double LogSumExp(const double* values, size_t count) {
  double top = kMinusInfinity;
  for (size_t i = 0; i < count; ++i) top = std::max(top, values[i]);
  if (!(top > kMinusInfinity)) return kMinusInfinity;
  double sum = 0;
  for (size_t i = 0; i < count; ++i) sum += std::exp(values[i] - top);
  return top + std::log(sum);
}

ProportionTest::ProportionTest(const ProportionOptions& options) : options_(options) {
  options_.overdispersion = Clamp(options_.overdispersion);
  if (!(options_.tolerate > 0) || !std::isfinite(options_.tolerate)) options_.tolerate = 1;
  log_restart_.fill(kMinusInfinity);
}

void ProportionTest::set_overdispersion(double phi) { options_.overdispersion = Clamp(phi); }

void ProportionTest::Restore(const State& state) {
  log_plain_ = state.log_plain;
  log_restart_ = state.log_restart;
  looks_ = state.looks;
}

// With c = r n_c, q0 = c / (c + n_b) and q_g = g c / (g c + n_b); so
//   q_g / q0 = g (c + n_b) / (g c + n_b)   and   (1 - q_g) / (1 - q0) = (c + n_b) / (g c + n_b).
// A restart bet placed at look t has weight w_t = 1 / (t (t + 1)); what is not yet placed is kept
// as cash: 1 / (t + 1) after t looks.
bool ProportionTest::Add(const ProportionLook& look) {
  if (!Usable(look.candidate_bad, look.candidate_total) ||
      !Usable(look.stable_bad, look.stable_total))
    return false;
  ++looks_;
  double t = static_cast<double>(looks_);
  double log_weight = options_.form == Form::kPlain ? 0 : -std::log(t * (t + 1));
  double bad = look.candidate_bad + look.stable_bad;
  double scaled = options_.tolerate * look.candidate_total;
  for (size_t i = 0; i < kGrid; ++i) {
    double step = 0;
    if (bad > 0) {
      double g = kProportionGrid[i];
      double stable_ratio =
          std::log((scaled + look.stable_total) / (g * scaled + look.stable_total));
      step = (bad * stable_ratio + look.candidate_bad * std::log(g)) / options_.overdispersion;
    }
    log_plain_[i] += step;
    if (options_.form == Form::kPlain) continue;
    double pair[2] = {log_restart_[i], log_weight};
    log_restart_[i] = LogSumExp(pair, 2) + step;
  }
  return true;
}

double ProportionTest::LogPlain() const { return LogSumExp(log_plain_.data(), kGrid) - kLogGrid; }

double ProportionTest::LogRestart() const {
  double cash = -std::log(static_cast<double>(looks_) + 1);
  double pair[2] = {LogSumExp(log_restart_.data(), kGrid) - kLogGrid, cash};
  return LogSumExp(pair, 2);
}

double ProportionTest::LogE() const {
  if (options_.form == Form::kPlain) return LogPlain();
  if (options_.form == Form::kRestart) return LogRestart();
  double pair[2] = {LogPlain(), LogRestart()};
  return LogSumExp(pair, 2) - std::log(2.0);
}

double ProportionTest::E() const {
  return std::min(std::exp(LogE()), std::numeric_limits<double>::max());
}

bool ProportionTest::Alarm(double alpha) const { return alpha > 0 && LogE() >= -std::log(alpha); }

}  // namespace rollguard::stats
