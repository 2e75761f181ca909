// SPDX-License-Identifier: Apache-2.0
// A sequential test of proportions: is the candidate's share of bad requests higher than the stable
// one's, looked at again and again? E is an e-process: on a healthy candidate the chance that it
// ever reaches 1/alpha is at most alpha, however often one looks and whenever one stops.
//
// Given the number of bad requests of both sides in a look, each of them fell on the candidate with
// chance q0 = r n_c / (r n_c + n_b) if the candidate is r times as bad as stable. E bets, for a
// grid of larger ratios, that it fell there more often. Everything is kept in logarithms.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace rollguard::stats {

enum class Form {
  kPlain,    // the mean of exp(L_g): faults that were there from the start
  kRestart,  // bets placed anew at every look: faults that begin late
  kMix,      // the mean of both, which is again valid: the default
};

// One look: bad of total on either side, since the last look.
struct ProportionLook {
  double candidate_bad = 0;
  double candidate_total = 0;
  double stable_bad = 0;
  double stable_total = 0;
};

inline constexpr std::array<double, 7> kProportionGrid = {1.5, 2, 3, 5, 10, 20, 50};

struct ProportionOptions {
  double tolerate = 1;        // r: the candidate may be r times as bad
  double overdispersion = 1;  // phi >= 1: log increments are divided by it
  Form form = Form::kMix;
};

// A value type; state() and the constructor from it are all there is to keep across a restart.
class ProportionTest {
 public:
  explicit ProportionTest(const ProportionOptions& options = {});

  // Takes one look into account. Looks with a total of 0 (or anything negative or not finite) on
  // either side are skipped and return false. Counts need not be whole.
  bool Add(const ProportionLook& look);
  void set_overdispersion(double phi);

  double LogE() const;  // of the form asked for
  double E() const;     // saturates at the largest double
  bool Alarm(double alpha) const;

  uint64_t looks() const { return looks_; }
  double overdispersion() const { return options_.overdispersion; }

  struct State {
    std::array<double, kProportionGrid.size()> log_plain{};
    std::array<double, kProportionGrid.size()> log_restart{};  // -inf: no bet placed yet
    uint64_t looks = 0;
  };
  State state() const { return {log_plain_, log_restart_, looks_}; }
  void Restore(const State& state);

 private:
  double LogPlain() const;
  double LogRestart() const;

  ProportionOptions options_;
  std::array<double, kProportionGrid.size()> log_plain_{};
  std::array<double, kProportionGrid.size()> log_restart_{};
  uint64_t looks_ = 0;
};

// log(sum(exp(x))) without overflow; -inf for an empty span or all -inf.
double LogSumExp(const double* values, size_t count);

}  // namespace rollguard::stats
