// SPDX-License-Identifier: Apache-2.0
// Whose turn it is on the deciding thread.
#include "agent/app/loop.h"

#include <future>
#include <string>

#include "tests/support/catch.h"
#include "tests/support/real_clock.h"

namespace rollguard::app {
namespace {

TEST_CASE("loop: what is to be done at once passes what was posted and timers that are due") {
  testing::RealClock clock;
  Loop loop(clock);
  std::string order;
  std::promise<void> done;
  // Before it runs, so that all of them wait.
  loop.After(Duration(0), [&] { order += "timer "; });
  loop.Post([&] {
    order += "posted ";
    loop.Post([&] { order += "later "; }, Turn::kAtOnce);
  });
  loop.Post([&] { order += "second "; });
  loop.AtOnce([&] { order += "first "; });
  const TimerId cancelled = loop.AtOnce([&] { order += "cancelled "; });
  loop.AtOnce([&] { order += "next "; });
  loop.CancelTimer(cancelled);
  loop.After(Duration(1), [&] { done.set_value(); });
  loop.Start();
  done.get_future().wait();
  loop.Stop();
  CHECK(order == "first next posted later second timer ");
}

}  // namespace
}  // namespace rollguard::app
