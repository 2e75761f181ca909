// SPDX-License-Identifier: Apache-2.0
#include "agent/app/census.h"

#include "tests/support/catch.h"

namespace rollguard::app {
namespace {

const Time kNow = FromUnixMillis(1'700'000'000'000);

release::GuardState State(bool releases, std::vector<Time> rollbacks = {}) {
  release::GuardState state;
  state.rollbacks = std::move(rollbacks);
  if (!releases) return state;
  state.phase = release::Phase::kProgressing;
  state.release.emplace();
  return state;
}

TEST_CASE("census: a guard counts as it is now, however often it is put") {
  Census census;
  census.Put("a/one", "shop", State(true));
  census.Put("a/one", "shop", State(true));
  census.Put("a/two", "shop", State(true));
  CHECK(census.releasing() == 2);
  census.Put("a/one", "shop", State(false, {kNow}));
  CHECK(census.releasing() == 1);
  CHECK(census.RollbacksAfter(kNow - Duration(1)) == 1);
  census.Put("a/one", "shop", State(false));
  CHECK(census.RollbacksAfter(kNow - Duration(1)) == 0);
  census.Remove("a/two");
  census.Remove("a/never");
  CHECK(census.releasing() == 0);
}

TEST_CASE("census: one that was only seen does not release") {
  Census census;
  release::GuardState state = State(true);
  state.phase = release::Phase::kPending;
  census.Put("a/one", "", state);
  CHECK(census.releasing() == 0);
}

TEST_CASE("census: rollbacks of a time and of a group") {
  Census census;
  const Duration minute = std::chrono::minutes(1);
  census.Put("a/one", "shop", State(true, {kNow - 61 * minute, kNow - 10 * minute}));
  census.Put("a/two", "shop", State(false, {kNow - 60 * minute, kNow - 5 * minute}));
  census.Put("b/one", "", State(false, {kNow - 10 * minute}));
  const Time hour_ago = kNow - 60 * minute;
  CHECK(census.RollbacksAfter(hour_ago) == 3);
  CHECK(census.RollbacksAfter(hour_ago - Duration(1)) == 4);
  CHECK(census.RollbacksAfter(hour_ago, "shop") == 2);
  CHECK(census.RollbacksAfter(hour_ago, "other") == 0);
  census.Put("a/two", "other", State(false, {kNow - 60 * minute, kNow - 5 * minute}));
  CHECK(census.RollbacksAfter(hour_ago, "other") == 1);
}

}  // namespace
}  // namespace rollguard::app
