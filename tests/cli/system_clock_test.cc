// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/system_clock.h"

#include "tests/support/catch.h"

namespace rollguard::cli {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a wall clock that jumps is believed only once it stays there") {
  std::chrono::nanoseconds wall = 1000h, monotonic = 5s;
  AnchoredClock clock([&] { return wall; }, [&] { return monotonic; });
  auto pass = [&](std::chrono::nanoseconds time) {
    wall += time;
    monotonic += time;
  };
  auto told = [&] { return std::chrono::nanoseconds(clock.Now().time_since_epoch()); };
  CHECK(told() == 1000h);
  pass(10s);
  CHECK(told() == 1000h + 10s);
  wall += 300ms;  // a small correction
  CHECK(told() == 1000h + 10s + 300ms);
  for (const auto jump : {std::chrono::nanoseconds(1h), std::chrono::nanoseconds(-1h)}) {
    const auto before = told();
    wall += jump;
    CHECK(told() == before);
    pass(59s);
    CHECK(told() == before + 59s);
    wall -= jump;  // it was a mistake
    CHECK(told() == before + 59s);
    wall += jump;  // and now it is none: the time begins anew
    CHECK(told() == before + 59s);
    pass(59s);
    CHECK(told() == before + 118s);
    pass(1s);
    CHECK(told() == before + 119s + jump);
    CHECK(told() == wall);
  }
  CHECK(clock.Monotonic() == monotonic);
}

}  // namespace
}  // namespace rollguard::cli
