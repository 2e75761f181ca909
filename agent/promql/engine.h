// SPDX-License-Identifier: Apache-2.0
// Evaluates a query over stored samples, as Prometheus 2.42 does (or 3, by option).
//
// A range query is evaluated once for all its steps, not step by step: every node yields a grid
// (cells.h), series are selected once, labels are matched once per series, windows slide. Parts
// that do not depend on the step (`@`) are evaluated at one step and spread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "agent/base/expected.h"
#include "agent/base/time.h"
#include "agent/promql/ast.h"
#include "agent/promql/storage.h"
#include "agent/promql/value.h"

namespace rollguard::promql {

struct EngineOptions {
  Duration lookback = std::chrono::minutes(5);
  Duration default_step = std::chrono::minutes(1);  // of subqueries that name none
  bool version3 = false;
  // Cells and points held at one time, of 8 to 16 bytes each.
  size_t max_samples = 50'000'000;
  // Points and cells looked at before giving up; about 1e9 a second.
  uint64_t max_work = 100'000'000'000;
  // Asked now and then (every few milliseconds of work); true ends the evaluation. May be empty.
  std::function<bool()> expired;
};

// Stateless but for what it is given; both must outlive it. Evaluations may run in parallel as long
// as the querier's Select may.
//
// Errors are kInvalid for what the query or its data do wrong, kTooLarge for a limit, kTimeout when
// expired; messages are Prometheus' own where it has one.
class Engine {
 public:
  explicit Engine(const Querier& querier, EngineOptions options = {})
      : querier_(&querier), options_(std::move(options)) {}

  // `given[i]` stands for PlaceholderNode i: a Scalar or a Vector; placeholders may not stand
  // inside subqueries.
  Expected<Value> Instant(const Query& query, Time at, std::span<const Value> given = {}) const;

  // Always a matrix, sorted by labels. `end` counts when it is on a step.
  Expected<Value> Range(const Query& query, Time start, Time end, Duration step,
                        std::span<const Value> given = {}) const;

 private:
  const Querier* querier_;
  EngineOptions options_;
};

}  // namespace rollguard::promql
