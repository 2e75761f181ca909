// SPDX-License-Identifier: Apache-2.0
// The metrics page against prometheus-cpp: the same counters, gauges and histograms, with awkward
// label values, give the same samples and the same comments from both.
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <set>

#include "agent/base/text.h"
#include "agent/promql/exposition.h"
#include "agent/telemetry/metrics.h"
#include "tests/support/catch.h"

namespace rollguard::telemetry {
namespace {

const char* const kAwkward[] = {"plain", "quo\"te", "back\\slash", "line\nbreak", "ünïcödé", ""};

prometheus::Labels LabelsOf(const MetricInfo& info, const std::string& value) {
  prometheus::Labels labels;
  for (std::string_view name : info.labels) labels[std::string(name)] = value;
  return labels;
}

// One series of the metric on both sides.
template <class Ours>
Ours& Find(Metrics& metrics, const MetricInfo& info, const std::string& v,
           Ours& (Metrics::*of)(Metric, Metrics::Labels)) {
  switch (info.labels.size()) {
    case 0: return (metrics.*of)(info.id, {});
    case 1: return (metrics.*of)(info.id, {v});
    case 2: return (metrics.*of)(info.id, {v, v});
    case 3: return (metrics.*of)(info.id, {v, v, v});
    case 4: return (metrics.*of)(info.id, {v, v, v, v});
    case 5: return (metrics.*of)(info.id, {v, v, v, v, v});
    default: return (metrics.*of)(info.id, {v, v, v, v, v, v});
  }
}

void FillBoth(const MetricInfo& info, const std::string& value, double number, Metrics& metrics,
              prometheus::Registry& registry) {
  const std::string name(info.name), help(info.help);
  const auto labels = LabelsOf(info, value);
  if (info.kind == Kind::kCounter) {
    Find(metrics, info, value, &Metrics::CounterOf).Add(number);
    prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(labels).Increment(
        number);
  } else if (info.kind == Kind::kGauge) {
    Find(metrics, info, value, &Metrics::GaugeOf).Set(number);
    prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(labels).Set(number);
  } else {
    const prometheus::Histogram::BucketBoundaries bounds(info.buckets.begin(), info.buckets.end());
    auto& theirs =
        prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add(labels, bounds);
    auto& ours = Find(metrics, info, value, &Metrics::HistogramOf);
    for (double observed : {number, number * 10, number / 100, bounds[0]}) {
      theirs.Observe(observed);
      ours.Observe(observed);
    }
  }
}

std::map<std::string, double> SamplesOf(const std::string& page) {
  std::map<std::string, double> samples;
  auto parsed = promql::ParseExposition(page);
  REQUIRE(parsed.ok());
  for (const promql::ExpositionSample& sample : *parsed) {
    auto labels = promql::ParseExpositionSeries(sample.series);
    REQUIRE(labels.ok());
    samples[labels->ToString()] = sample.value;
  }
  return samples;
}

std::set<std::string> CommentsOf(const std::string& page) {
  std::set<std::string> comments;
  for (std::string_view line : Split(page, '\n'))
    if (line.starts_with('#')) comments.emplace(line);
  return comments;
}

}  // namespace

TEST_CASE("the page says what prometheus-cpp says", "[telemetry]") {
  Metrics metrics;
  prometheus::Registry registry;
  double number = 0.7;
  for (const MetricInfo& info : Catalog()) {
    if (info.id == Metric::kSeriesDropped) continue;  // the registry's own
    for (const char* value : kAwkward) {
      FillBoth(info, value, number, metrics, registry);
      number = number * 1.37 + 0.01;
      if (info.labels.empty()) break;
    }
  }
  const std::string ours = metrics.Expose();
  const std::string theirs = prometheus::TextSerializer().Serialize(registry.Collect());
  const auto want = SamplesOf(theirs), got = SamplesOf(ours);
  CHECK(want.size() > 500);
  for (const auto& [series, value] : want) {
    INFO(series);
    auto found = got.find(series);
    REQUIRE(found != got.end());
    CHECK(found->second == Approx(value).epsilon(1e-12));
  }
  for (const std::string& comment : CommentsOf(theirs)) {
    INFO(comment);
    CHECK(CommentsOf(ours).contains(comment));
  }
}

}  // namespace rollguard::telemetry
