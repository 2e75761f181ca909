// SPDX-License-Identifier: Apache-2.0
// A backtest as JSON and as text for the terminal.
#include <algorithm>
#include <cmath>

#include "agent/base/text.h"
#include "agent/promql/plot.h"
#include "agent/proof/backtest.h"

namespace rollguard::proof {
namespace {

using Outcome = BacktestVerdict::Outcome;

Json Seconds(Time at) { return Json(static_cast<double>(ToUnixMillis(at)) / 1000); }
Json OrNull(const std::optional<double>& value) { return value ? Json(*value) : Json(); }
Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json ToJson(const RuleCourse& course) {
  return Json::Obj({{"rule", course.rule},
                    {"group", course.group},
                    {"action", spec::ToString(course.action)},
                    {"state", analysis::ToString(course.worst)},
                    {"firedAt", course.fired ? Seconds(*course.fired) : Json()},
                    {"looks", course.looks},
                    {"withoutData", course.without_data},
                    {"value", Number(course.peak)},
                    {"threshold", OrNull(course.threshold)},
                    {"text", course.text}});
}

Json ToJson(const BacktestVerdict& v) {
  Json signals = Json::Arr();
  for (const RuleCourse& course : v.rules) signals.Push(ToJson(course));
  Json json =
      Json::Obj({{"id", v.release.id},
                 {"start", Seconds(v.release.start)},
                 {"end", Seconds(v.release.end)},
                 {"outcome", ToString(v.outcome)},
                 {"at", v.at ? Seconds(*v.at) : Json()},
                 {"after", v.at ? Json(ToSeconds(*v.at - v.release.start)) : Json()},
                 {"rule", v.rule.empty() || v.outcome == Outcome::kPassed ? Json() : Json(v.rule)},
                 {"reason", v.reason},
                 {"looks", v.looks},
                 {"signals", std::move(signals)}});
  if (v.release.label != PastRelease::Label::kUnknown) json.Set("label", ToString(v.release.label));
  if (!v.problem.empty()) json.Set("problem", v.problem);
  return json;
}

std::string After(const BacktestVerdict& v) {
  return v.at ? StrCat(" after ", FormatShortDuration(*v.at - v.release.start)) : "";
}

std::string Says(const BacktestVerdict& v) {
  if (!v.problem.empty()) return StrCat("cannot be judged: ", v.problem);
  switch (v.outcome) {
    case Outcome::kPassed: return StrCat("passed (", v.looks, " looks)");
    case Outcome::kHeld: return StrCat("held", After(v), ": ", v.reason);
    case Outcome::kRolledBack: return StrCat("rolled back", After(v), ": ", v.reason);
  }
  return "";
}

// What that is worth, where a person said what was the case.
std::string Worth(const BacktestVerdict& v) {
  if (v.release.label == PastRelease::Label::kUnknown || !v.problem.empty()) return "";
  bool bad = v.release.label == PastRelease::Label::kBad;
  if (v.outcome == Outcome::kRolledBack) return bad ? "  [bad: found]" : "  [good: FALSE ALARM]";
  return bad ? "  [bad: MISSED]" : "  [good]";
}

std::string Share(const std::optional<double>& share) {
  return share ? Format("%.2f", *share) : "unknown";
}

}  // namespace

Json ToJson(const std::vector<BacktestVerdict>& verdicts) {
  Json releases = Json::Arr();
  for (const BacktestVerdict& v : verdicts) releases.Push(ToJson(v));
  BacktestSummary s = Summarize(verdicts);
  return Json::Obj({{"releases", std::move(releases)},
                    {"summary", Json::Obj({{"rolledBack", s.rolled_back},
                                           {"held", s.held},
                                           {"passed", s.passed},
                                           {"truePositives", s.true_positives},
                                           {"falsePositives", s.false_positives},
                                           {"falseNegatives", s.false_negatives},
                                           {"trueNegatives", s.true_negatives},
                                           {"precision", OrNull(s.precision)},
                                           {"recall", OrNull(s.recall)},
                                           {"medianSecondsToDetect", OrNull(s.median_seconds)}})}});
}

std::string BacktestText(const std::vector<BacktestVerdict>& verdicts) {
  size_t width = 0;
  for (const BacktestVerdict& v : verdicts) width = std::max(width, v.release.id.size());
  std::string out;
  for (const BacktestVerdict& v : verdicts) {
    out +=
        StrCat(v.release.id, std::string(width - v.release.id.size() + 2, ' '),
               FormatRfc3339(v.release.start), "  ",
               FormatShortDuration(v.release.end - v.release.start), "  ", Says(v), Worth(v), "\n");
  }
  BacktestSummary s = Summarize(verdicts);
  out += StrCat("\n", verdicts.size(),
                verdicts.size() == 1 ? " release: " : " releases: ", s.rolled_back,
                " rolled back, ", s.held, " held, ", s.passed, " passed\n");
  size_t labelled = s.true_positives + s.false_positives + s.false_negatives + s.true_negatives;
  if (labelled > 0) {
    size_t good = s.false_positives + s.true_negatives;
    out += StrCat("of ", labelled, " labelled: precision ", Share(s.precision), ", recall ",
                  Share(s.recall), ", false alarms ", s.false_positives, " of ", good, " good\n");
  }
  if (s.median_seconds)
    out += StrCat("median time to detect: ", FormatShortDuration(FromSeconds(*s.median_seconds)),
                  "\n");
  return out;
}

std::string BacktestPlot(const BacktestVerdict& verdict, size_t width) {
  promql::Series values, limit;
  const std::string kName(promql::kMetricName);
  for (const RuleLook& look : verdict.course) {
    if (look.rule != verdict.rule) continue;
    if (std::isfinite(look.value)) values.points.push_back({ToUnixMillis(look.at), look.value});
    if (look.threshold) limit.points.push_back({ToUnixMillis(look.at), *look.threshold});
  }
  if (values.points.size() < 2) return {};
  values.labels = promql::Labels::FromPairs({{"rule", verdict.rule}});
  limit.labels = promql::Labels::FromPairs({{"limit", verdict.rule}});
  promql::Matrix matrix{std::move(values)};
  if (!limit.points.empty()) matrix.push_back(std::move(limit));
  promql::PlotSize size;
  size.width = width;
  return promql::Plot(matrix, size);
}

}  // namespace rollguard::proof
