// SPDX-License-Identifier: Apache-2.0
#include "agent/api/tape.h"

#include <cmath>
#include <limits>

#include "agent/base/text.h"

namespace rollguard::api {
namespace {

constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
constexpr size_t kMaxReason = 300;

float Narrow(const std::optional<double>& value) {
  return value ? static_cast<float>(*value) : kNone;
}
Json Number(float value) {
  return std::isfinite(value) ? Json(static_cast<double>(value)) : Json();
}

}  // namespace

void Tape::Line::Add(const Point& point) {
  if (!points.empty() && points.back().at == point.at) {
    points.back() = point;
    return;
  }
  if (passed++ % every != 0) return;
  points.push_back(point);
  if (points.size() < kMaxPoints) return;
  size_t kept = 0;
  for (size_t i = 0; i < points.size(); i += 2) points[kept++] = points[i];
  points.resize(kept);
  every *= 2;
  passed = 0;
}

Tape::Reel& Tape::Of(const std::string& guard, const std::string& release) {
  Reel& reel = reels_[guard];
  if (reel.release != release) {
    reel = Reel{};
    reel.release = release;
  }
  return reel;
}

void Tape::Stand(const std::string& guard, const std::string& release, Time at, double weight,
                 std::optional<double> score) {
  Reel& reel = Of(guard, release);
  auto share = static_cast<float>(weight);
  // A level line is drawn from its corners: the last point moves along.
  auto& points = reel.weight.points;
  size_t n = points.size();
  if (n >= 2 && points[n - 1].candidate == share && points[n - 2].candidate == share) {
    points[n - 1].at = at;
  } else {
    reel.weight.Add({at, share, kNone});
  }
  if (score) reel.score.Add({at, Narrow(score), kNone});
}

void Tape::Measured(const std::string& guard, const std::string& release, const std::string& name,
                    Time at, std::optional<double> candidate, std::optional<double> stable,
                    std::optional<double> threshold) {
  Reel& reel = Of(guard, release);
  if (reel.signals.size() >= kMaxLines && !reel.signals.contains(name)) return;
  Line& line = reel.signals[name];
  line.threshold = threshold;
  line.Add({at, Narrow(candidate), Narrow(stable)});
}

void Tape::Measured(const std::string& guard, const std::string& name, Time at,
                    std::optional<double> candidate) {
  std::string release = ReleaseOf(guard);
  if (!release.empty()) Measured(guard, release, name, at, candidate, std::nullopt, std::nullopt);
}

std::string Tape::ReleaseOf(const std::string& guard) const {
  auto found = reels_.find(guard);
  return found == reels_.end() ? std::string() : found->second.release;
}

void Tape::Mark(const std::string& guard, Time at, const std::string& verdict,
                const std::string& reason) {
  auto found = reels_.find(guard);
  if (found == reels_.end()) return;
  auto& marks = found->second.marks;
  if (marks.size() >= kMaxMarks) marks.erase(marks.begin());
  marks.push_back({at, verdict, Abbreviate(reason, kMaxReason)});
}

Json Tape::LineJson(const Line& line, bool stable) {
  Json points = Json::Arr();
  for (const Point& p : line.points) {
    Json point = Json::Obj({{"at", FormatRfc3339(p.at)}, {"candidate", Number(p.candidate)}});
    if (stable) point.Set("stable", Number(p.stable));
    points.Push(std::move(point));
  }
  return points;
}

Json Tape::Read(const std::string& guard) const {
  static const Reel none;
  auto found = reels_.find(guard);
  const Reel& reel = found == reels_.end() ? none : found->second;
  Json signals = Json::Arr(), marks = Json::Arr();
  for (const auto& [name, line] : reel.signals) {
    signals.Push(Json::Obj({{"name", name},
                            {"threshold", line.threshold ? Json(*line.threshold) : Json()},
                            {"points", LineJson(line, true)}}));
  }
  for (const MarkAt& mark : reel.marks) {
    marks.Push(Json::Obj(
        {{"at", FormatRfc3339(mark.at)}, {"verdict", mark.verdict}, {"reason", mark.reason}}));
  }
  return Json::Obj({{"release", reel.release},
                    {"weight", LineJson(reel.weight, false)},
                    {"score", LineJson(reel.score, false)},
                    {"signals", std::move(signals)},
                    {"marks", std::move(marks)}});
}

}  // namespace rollguard::api
