// SPDX-License-Identifier: Apache-2.0
#include "agent/api/kept_series.h"

#include <cmath>
#include <map>

#include "agent/app/measurements.h"
#include "agent/base/text.h"

namespace rollguard::api {
namespace {

Json Value(const MeasurementRow& row) {
  return std::isfinite(row.value) ? Json(row.value) : Json();
}

Json Point(const MeasurementRow& row) {
  return Json::Obj({{"at", FormatRfc3339(row.at)}, {"candidate", Value(row)}});
}

struct Line {
  Json points = Json::Arr();
  Json threshold;
};

// "HighErrorRate" when `metric` is that and `suffix`; else nothing.
std::string Before(const std::string& metric, std::string_view suffix) {
  return metric.ends_with(suffix) ? metric.substr(0, metric.size() - suffix.size()) : "";
}

}  // namespace

Json KeptSeries(const std::string& release, const std::vector<MeasurementRow>& rows) {
  std::map<std::string, Line> lines;
  Json weight = Json::Arr(), score = Json::Arr();
  for (const MeasurementRow& row : rows) {
    if (row.metric == app::kWeightLine) {
      weight.Push(Point(row));
    } else if (row.metric == app::kScoreLine) {
      score.Push(Point(row));
    } else if (std::string name = Before(row.metric, app::kLimitLine); !name.empty()) {
      lines[name].threshold = Value(row);
    } else if (name = Before(row.metric, app::kStableLine); !name.empty()) {
      // Written right behind the candidate's.
      Json::Array& points = lines[name].points.items();
      if (!points.empty()) points.back().Set("stable", Value(row));
    } else {
      lines[row.metric].points.Push(Point(row));
    }
  }
  Json signals = Json::Arr();
  for (auto& [name, line] : lines) {
    signals.Push(Json::Obj({{"name", name},
                            {"threshold", std::move(line.threshold)},
                            {"points", std::move(line.points)}}));
  }
  return Json::Obj({{"release", release},
                    {"weight", std::move(weight)},
                    {"score", std::move(score)},
                    {"signals", std::move(signals)},
                    {"marks", Json::Arr()}});
}

}  // namespace rollguard::api
