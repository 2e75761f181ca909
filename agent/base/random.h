// SPDX-License-Identifier: Apache-2.0
// Randomness as a value that is handed in: seeded in tests and simulation, from the system in main.
#pragma once

#include <cstdint>

namespace rollguard {

// xoshiro256** seeded through splitmix64: small, fast, the same everywhere. Not for secrets.
// Not thread-safe; each owner has its own.
class Random {
 public:
  explicit Random(uint64_t seed);

  uint64_t Next();
  uint64_t Below(uint64_t bound);  // 0 <= result < bound; 0 when bound is 0
  double Uniform();                // [0, 1)
  double Normal();                 // mean 0, deviation 1
  bool Chance(double probability) { return Uniform() < probability; }

 private:
  uint64_t state_[4];
};

}  // namespace rollguard
