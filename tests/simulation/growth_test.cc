// SPDX-License-Identifier: Apache-2.0
// The soak's judgement, on series whose growth is known.
#include "tests/simulation/harness/growth.h"

#include <functional>
#include <vector>

#include "agent/base/random.h"
#include "tests/support/catch.h"

namespace rollguard::simulation {
namespace {

std::vector<Reading> Hourly(size_t count, const std::function<double(double)>& value) {
  std::vector<Reading> out;
  for (size_t i = 0; i < count; ++i) {
    const double hour = static_cast<double>(i) / 60;
    out.push_back({hour, value(hour)});
  }
  return out;
}

TEST_CASE("growth: a straight line is known exactly") {
  const Growth growth = GrowthOf(Hourly(30, [](double hour) { return 100 + 7 * hour; }));
  CHECK(growth.slope == Approx(7));
  CHECK(growth.error == Approx(0).margin(1e-6));
  CHECK(growth.mean == Approx(100 + 7 * 29.0 / 120));
  CHECK(growth.Exceeds(6.9));
  CHECK_FALSE(growth.Exceeds(7.1));
}

TEST_CASE("growth: noise alone does not grow, a leak below the noise does") {
  Random random(3);
  auto noise = [&] { return static_cast<double>(random.Below(2'000)) / 100 - 10; };
  const Growth flat = GrowthOf(Hourly(120, [&](double) { return 1'000 + noise(); }));
  CHECK_FALSE(flat.Exceeds(1));
  CHECK(flat.error > 0);
  // 9 an hour under a noise of plus or minus 10: the first and the last sample may say anything.
  const Growth leak =
      GrowthOf(Hourly(120, [&](double hour) { return 1'000 + 9 * hour + noise(); }));
  CHECK(leak.slope == Approx(9).margin(3));
  CHECK(leak.Exceeds(1));
}

// A value that wanders slowly has few samples that tell anything anew.
TEST_CASE("growth: samples that resemble each other make the error larger") {
  auto wave = [](size_t every) {
    return GrowthOf(Hourly(60, [every](double hour) {
      return static_cast<double>(static_cast<size_t>(hour * 60 + 0.5) / every % 2);
    }));
  };
  CHECK(wave(10).error > 2 * wave(1).error);
}

TEST_CASE("growth: too few readings tell nothing") {
  for (const auto& readings :
       {std::vector<Reading>{}, {{1, 1}}, {{1, 1}, {2, 5}}, {{1, 1}, {1, 5}, {1, 9}}}) {
    const Growth growth = GrowthOf(readings);
    CHECK(growth.slope == 0);
    CHECK_FALSE(growth.Exceeds(0));
  }
}

}  // namespace
}  // namespace rollguard::simulation
