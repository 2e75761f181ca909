// SPDX-License-Identifier: Apache-2.0
// What a run of many seeds was made of: how often each strategy with each router, each kind of
// fault, each thing that people do was played, and for how long.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/simulation/harness/simulation.h"

namespace rollguard::simulation {

class Tally {
 public:
  void Add(const Plan& plan, const Report& report);
  // A few lines for people.
  std::string Text() const;

 private:
  using Counts = std::map<std::string, uint64_t>;
  void AddFaults(const Plan& plan);
  void AddEvents(const Plan& plan);
  void AddBesides(const Besides& besides);

  uint64_t seeds_ = 0, failed_ = 0, releases_ = 0, rejected_ = 0, kills_ = 0, writes_ = 0;
  double hours_ = 0, requests_ = 0, lost_ = 0;
  Counts strategies_, routers_, versions_, faults_, events_, limits_, besides_;
};

}  // namespace rollguard::simulation
