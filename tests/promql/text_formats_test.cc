// SPDX-License-Identifier: Apache-2.0
// The notation of rule tests, and metrics pages.
#include "agent/base/text.h"
#include "agent/promql/exposition.h"
#include "agent/promql/series_notation.h"
#include "tests/support/catch.h"

namespace rollguard::promql {
namespace {

std::string Show(const SeriesValues& values) {
  std::string out;
  for (const auto& value : values) {
    if (!out.empty()) out += ' ';
    out += !value ? "_" : IsStale(*value) ? "stale" : FormatValue(*value);
  }
  return out;
}

std::string Values(std::string_view text) {
  std::optional<NotationError> error;
  SeriesValues values = ParseSeriesValues(text, error);
  return error ? StrCat("@", error->offset, " ", error->message) : Show(values);
}

std::string Name(std::string_view text) {
  std::optional<NotationError> error;
  Labels labels = ParseSeriesName(text, error);
  return error ? StrCat("@", error->offset, " ", error->message) : labels.ToString();
}

std::string Page(std::string_view text, bool open_metrics = false) {
  auto samples = ParseExposition(text, {.open_metrics = open_metrics, .max_samples = 100});
  if (!samples) return samples.error().message;
  std::string out;
  for (const ExpositionSample& sample : *samples) {
    auto labels = ParseExpositionSeries(sample.series);
    out += StrCat(labels ? labels->ToString() : labels.error().message, " ",
                  FormatValue(sample.value));
    if (sample.t) out += StrCat(" @", *sample.t);
    out += "\n";
  }
  return out;
}

}  // namespace

TEST_CASE("series notation: values", "[promql][notation]") {
  const struct {
    const char* text;
    const char* want;
  } rows[] = {
      {"1 2 3", "1 2 3"},
      {"0+10x3", "0 10 20 30"},
      {"5-2x2", "5 3 1"},
      {"-1-1x2", "-1 -2 -3"},
      {"7x2", "7 7 7"},
      {"7x0", "7"},
      {"0x3", "0 0 0 0"},
      {"_ 1 _x2 stale", "_ 1 _ _ stale"},
      {"NaN Inf -Inf +Inf nan", "NaN +Inf -Inf +Inf NaN"},
      {"1.5e3 .5", "1500 0.5"},
      {"1+.5x1", "1 1.5"},
      {"", ""},
      {"1 x", "@2 expected a value: a number, NaN, Inf, stale, _, a+bxN, a-bxN or axN"},
      {"1+1", "@3 expected \"x\" and the number of repetitions"},
      {"1 2+1x", "@6 expected the number of repetitions after \"x\" (at most 1000000)"},
      {"1x99999999999", "@2 expected the number of repetitions after \"x\" (at most 1000000)"},
      {"_x999999 _x999999", "@17 the series is too long"},
      {"stalex2", "@0 expected a value: a number, NaN, Inf, stale, _, a+bxN, a-bxN or axN"},
  };
  for (const auto& row : rows) {
    INFO(row.text);
    CHECK(Values(row.text) == row.want);
  }
}

TEST_CASE("series notation: names", "[promql][notation]") {
  CHECK(Name("up") == "up");
  CHECK(Name("up{job=\"a\", i='b'}") == "up{i=\"b\", job=\"a\"}");
  CHECK(Name("{__name__=\"x:y\", a=\"1\"}") == "x:y{a=\"1\"}");
  CHECK(Name("up{job!=\"a\"}").find("a series has exact labels") != std::string::npos);
  CHECK(Name("up[5m]") == "@0 expected a metric with labels, like up{job=\"a\"}");
  CHECK(Name("up offset 5m").find("expected a metric") != std::string::npos);
}

TEST_CASE("metrics pages: the text format", "[promql][exposition]") {
  CHECK(Page("# HELP a Help with \\n.\n# TYPE a counter\na 1\n a{x=\"y\"} 2.5 1700000000000\n\n"
             "b{ x = \"q\\\"u\\\\o\\nte\" , } +Inf\nc NaN\n") ==
        "a 1\na{x=\"y\"} 2.5 @1700000000000\nb{x=\"q\\\"u\\\\o\\nte\"} +Inf\nc NaN\n");
  CHECK(Page("a{x=\"}\"} 1") == "a{x=\"}\"} 1\n");
  CHECK(Page("a") == "line 1 of the metrics page: expected a value after the series: \"a\"");
  CHECK(Page("x 1\na{x=\"y} 1\n") ==
        "line 2 of the metrics page: the labels are not closed: \"a{x=\\\"y} 1\"");
  CHECK(Page("a 1 2 3").find("unexpected text after the sample") != std::string::npos);
  CHECK(Page("a 1 # {x=\"1\"} 2").find("unexpected text") != std::string::npos);
  CHECK(Page("a{x=\"1\",x=\"2\"} 1").find("a label is given twice") != std::string::npos);
  CHECK(Page("9a 1").find("invalid metric name") != std::string::npos);
  CHECK(Page("a{x=\"\xff\"} 1").find("not UTF-8") != std::string::npos);
  std::string many;
  for (int i = 0; i < 101; ++i) many += StrCat("a", i, " 1\n");
  CHECK(Page(many).find("too many samples on one page") != std::string::npos);
}

TEST_CASE("metrics pages: OpenMetrics", "[promql][exposition]") {
  CHECK(Page("# TYPE a counter\na_total{x=\"1\"} 5 1700000000.5 # {trace=\"t\"} 1 1\n"
             "a_created{x=\"1\"} 1700000000\n# TYPE g gauge\ng_created 1\n# EOF\n",
             true) == "a_total{x=\"1\"} 5 @1700000000500\ng_created 1\n");
  CHECK(Page("a 1\n", true) ==
        "the metrics page is cut short: OpenMetrics text must end with \"# EOF\"");
  CHECK(Page("# EOF\na 1\n", true).find("nothing may follow") != std::string::npos);
  CHECK(Page("a 1\n\n# EOF\n", true).find("empty lines") != std::string::npos);
  CHECK(IsOpenMetrics("application/openmetrics-text; version=1.0.0; charset=utf-8"));
  CHECK_FALSE(IsOpenMetrics("text/plain; version=0.0.4"));
}

}  // namespace rollguard::promql
