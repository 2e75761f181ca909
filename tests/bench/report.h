// SPDX-License-Identifier: Apache-2.0
// What a bench says: figures with their unit, the goal where there is one, the floor where one was
// measured in the same run, and the machine. As a table on stdout, and as JSON in the file that
// --json or $BENCH_JSON names, which `bench_summary` reads.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/json.h"

namespace rollguard::bench {

struct Figure {
  std::string name;
  double value = 0;
  std::string unit;
  std::optional<double> at_most, at_least;  // the goal
  std::optional<double> floor;              // the same thing done with nothing in between
  std::string floor_is;
};

class Report {
 public:
  // Takes --json FILE out of the arguments; what is left is the bench's own.
  Report(std::string name, int argc, char** argv);

  // The number behind an option of the bench ("--seconds 5"), else `otherwise`.
  double Option(std::string_view flag, double otherwise) const;
  bool Has(std::string_view flag) const;

  void Section(const std::string& title);
  void Add(const std::string& name, double value, const std::string& unit);
  // With a goal.
  void AtMost(const std::string& name, double value, const std::string& unit, double goal);
  void Add(Figure figure);
  // A sentence that belongs to the figures: what was not measured, and why.
  void Note(const std::string& text);

  // Writes the file. 0, or 1 when it could not be written: a missed goal is shown, not a failure,
  // since what is measured depends on the machine.
  int Finish();

 private:
  std::string name_;
  std::string file_;
  std::vector<std::string> args_;
  Json figures_ = Json::Arr();
  Json notes_ = Json::Arr();
};

// Whether the figure meets its goal; true when it has none.
bool Meets(const Figure& figure);
// Processor, cores, kernel, load average, build.
Json Machine();

// The value below which `share` of them lie; sorts them. 0 when there are none.
double Quantile(std::vector<double>& values, double share);

}  // namespace rollguard::bench
