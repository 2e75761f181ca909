// SPDX-License-Identifier: Apache-2.0
#include "agent/proof/store_source.h"

#include "agent/promql/parser.h"

namespace rollguard::proof {
namespace {

constexpr size_t kMaxParsed = 10'000;

}  // namespace

StoreSource::StoreSource(sim::Scheduler& scheduler, const promql::Querier& samples,
                         promql::EngineOptions options, Duration shift)
    : scheduler_(scheduler), engine_(samples, std::move(options)), shift_(shift) {}

Expected<MetricAnswer> StoreSource::Evaluate(const MetricQuery& query) {
  if (parsed_.size() > kMaxParsed) parsed_.clear();
  auto found = parsed_.find(query.query);
  if (found == parsed_.end())
    found = parsed_.emplace(query.query, promql::ParseQuery(query.query)).first;
  if (!found->second) return found->second.error();
  Time at = (query.at == Time{} ? scheduler_.Now() : query.at) - shift_;
  auto value = query.range ? engine_.Range(*found->second, query.range->start - shift_,
                                           query.range->end - shift_, query.range->step)
                           : engine_.Instant(*found->second, at);
  if (!value) return value.error();
  return MetricAnswer{.value = std::move(*value)};
}

void StoreSource::Query(MetricQuery query, MetricDone done) {
  scheduler_.After(Duration(0), [this, alive = std::weak_ptr(alive_), query = std::move(query),
                                 done = std::move(done)] {
    if (!alive.expired()) done(Evaluate(query));
  });
}

}  // namespace rollguard::proof
