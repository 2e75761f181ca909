// SPDX-License-Identifier: Apache-2.0
// What the charts of a running release are drawn from: weight, score, what rules measured, and the
// decisions. Bounded: a line that is full keeps every other point and takes half as many from then
// on. Belongs to the deciding thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/json.h"
#include "agent/base/time.h"

namespace rollguard::api {

class Tape {
 public:
  static constexpr size_t kMaxPoints = 180;
  static constexpr size_t kMaxLines = 24;
  static constexpr size_t kMaxMarks = 60;

  // A release that is new to the guard begins a new tape.
  void Stand(const std::string& guard, const std::string& release, Time at, double weight,
             std::optional<double> score);
  void Measured(const std::string& guard, const std::string& release, const std::string& name,
                Time at, std::optional<double> candidate, std::optional<double> stable,
                std::optional<double> threshold);
  // Of the release that has the tape; before its first Stand nothing is kept.
  void Measured(const std::string& guard, const std::string& name, Time at,
                std::optional<double> candidate);
  void Mark(const std::string& guard, Time at, const std::string& verdict,
            const std::string& reason);
  void Forget(const std::string& guard) { reels_.erase(guard); }

  Json Read(const std::string& guard) const;  // SeriesSet
  // The release the tape of the guard is of; empty: there is none.
  std::string ReleaseOf(const std::string& guard) const;

 private:
  struct Point {
    Time at;
    float candidate;  // NaN: none
    float stable;
  };
  struct Line {
    std::vector<Point> points;
    uint32_t every = 1;  // of so many points one is kept
    uint32_t passed = 0;
    std::optional<double> threshold;

    void Add(const Point& point);
  };
  struct MarkAt {
    Time at;
    std::string verdict;
    std::string reason;
  };
  struct Reel {
    std::string release;
    Line weight, score;
    std::map<std::string, Line> signals;
    std::vector<MarkAt> marks;
  };
  Reel& Of(const std::string& guard, const std::string& release);
  static Json LineJson(const Line& line, bool stable);

  std::map<std::string, Reel> reels_;
};

}  // namespace rollguard::api
