// SPDX-License-Identifier: Apache-2.0
// Seeded traffic of a candidate and a stable revision, look by look: the null and its alternatives,
// for the tests and the benchmark alike.
#pragma once

#include <cmath>
#include <cstdint>

#include "agent/base/random.h"
#include "agent/stats/sequential.h"

namespace rollguard::stats {

inline double Poisson(Random& random, double mean) {
  if (mean > 60) return std::max(0.0, std::round(mean + std::sqrt(mean) * random.Normal()));
  double product = random.Uniform();
  double limit = std::exp(-mean);
  double count = 0;
  while (product > limit) {
    product *= random.Uniform();
    ++count;
  }
  return count;
}

// How the world around a release behaves; both sides always share it.
enum class World {
  kSteady,
  kDrifting,   // traffic and error rate wander, the candidate's share of traffic steps up
  kIncidents,  // now and then everything fails more for a while
};

class Traffic {
 public:
  Traffic(uint64_t seed, World world, double ratio = 1)
      : random_(seed), world_(world), ratio_(ratio) {
    total_ = 300 + 2700 * random_.Uniform();
    rate_ = 0.001 + 0.009 * random_.Uniform();
  }

  // The look number `at` (from 0), candidate `ratio` times as bad as stable.
  ProportionLook Next(int at) {
    double share = 0.1;
    if (world_ == World::kDrifting) {
      share = at < 60 ? 0.05 : (at < 120 ? 0.2 : 0.5);
      total_ = std::max(50.0, total_ * (1 + 0.05 * random_.Normal()));
      rate_ = std::min(0.05, std::max(1e-4, rate_ * (1 + 0.05 * random_.Normal())));
    }
    if (world_ == World::kIncidents && incident_ == 0 && random_.Chance(0.02)) incident_ = 10;
    double rate = rate_ * (incident_ > 0 ? 20 : 1);
    if (incident_ > 0) --incident_;
    ProportionLook look;
    look.candidate_total = std::round(total_ * share);
    look.stable_total = std::round(total_ * (1 - share));
    look.candidate_bad = Poisson(random_, look.candidate_total * std::min(1.0, rate * ratio_));
    look.stable_bad = Poisson(random_, look.stable_total * rate);
    return look;
  }

 private:
  Random random_;
  World world_;
  double ratio_;
  double total_;
  double rate_;
  int incident_ = 0;
};

// The look at which the test alarms, counted from 1; 0: never.
inline int FirstAlarm(ProportionTest test, Traffic traffic, double alpha, int looks) {
  for (int i = 0; i < looks; ++i) {
    ProportionLook look = traffic.Next(i);
    bool moved = look.candidate_bad + look.stable_bad > 0;
    if (test.Add(look) && moved && test.Alarm(alpha)) return i + 1;
  }
  return 0;
}

// The upper end of Wilson's 95 % interval for `hits` of `n`.
inline double WilsonUpper(double hits, double n) {
  constexpr double z = 1.96;
  double p = hits / n;
  return (p + z * z / (2 * n) + z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n))) /
         (1 + z * z / n);
}

}  // namespace rollguard::stats
