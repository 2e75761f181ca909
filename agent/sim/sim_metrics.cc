// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/sim_metrics.h"

#include "agent/promql/engine.h"
#include "agent/promql/parser.h"

namespace rollguard::sim {

SimMetrics::SimMetrics(Scheduler& scheduler, Duration retention)
    : scheduler_(scheduler), retention_(retention) {}

SimMetrics::~SimMetrics() = default;

SeriesRef SimMetrics::Series(const MetricLabels& labels) {
  std::vector<std::pair<std::string_view, std::string_view>> pairs(labels.begin(), labels.end());
  promql::Labels made = promql::Labels::FromPairs(std::move(pairs));
  if (ended_.empty()) {
    labels_.push_back(std::move(made));
    return labels_.size() - 1;
  }
  const SeriesRef series = ended_.back();
  ended_.pop_back();
  labels_[series] = std::move(made);
  return series;
}

void SimMetrics::Append(SeriesRef series, Time when, double value) {
  (void)store_.Append(labels_[series], ToUnixMillis(when), value);
  if (when - cleaned_ < std::chrono::minutes(10)) return;
  cleaned_ = when;
  store_.DropBefore(ToUnixMillis(when - retention_));
}

void SimMetrics::End(SeriesRef series, Time when) {
  (void)store_.Append(labels_[series], ToUnixMillis(when), promql::StaleMarker());
  labels_[series] = {};
  ended_.push_back(series);
}

Expected<MetricAnswer> SimMetrics::Evaluate(const MetricQuery& query) const {
  auto parsed = promql::ParseQuery(query.query);
  if (!parsed) return parsed.error();
  promql::Engine engine(store_);
  auto value = query.range
                   ? engine.Range(*parsed, query.range->start, query.range->end, query.range->step)
                   : engine.Instant(*parsed, query.at == Time{} ? scheduler_.Now() : query.at);
  if (!value) return value.error();
  return MetricAnswer{.value = std::move(*value)};
}

void SimMetrics::Query(MetricQuery query, MetricDone done) {
  ++queries_;
  Duration wait = mood_ == Mood::kSlow ? query.timeout : latency_;
  scheduler_.After(wait, [this, alive = std::weak_ptr(alive_), mood = mood_,
                          query = std::move(query), done = std::move(done)] {
    if (alive.expired()) return;
    switch (mood) {
      case Mood::kDown:
        return done(Error(ErrorCode::kUnavailable, "the metrics server refused the connection"));
      case Mood::kSlow:
        return done(Error(ErrorCode::kTimeout, "the metrics server did not answer in time"));
      case Mood::kGarbage:
        return done(
            Error(ErrorCode::kUnavailable, "the metrics server answered HTML instead of JSON"));
      case Mood::kEmpty: return done(MetricAnswer{.value = promql::Vector{}});
      case Mood::kPartial: {
        auto answer = Evaluate(query);
        if (answer) {
          answer->suspect = true;
          answer->warnings = {"a store did not answer"};
        }
        return done(std::move(answer));
      }
      case Mood::kWell: return done(Evaluate(query));
    }
  });
}

}  // namespace rollguard::sim
