// SPDX-License-Identifier: Apache-2.0
// The process ends in time, whatever it is waiting for.
#include <csignal>
#include <future>

#include "agent/base/text.h"
#include "tests/serve/stage.h"
#include "tests/support/catch.h"
#include "tests/support/real_postgres.h"

namespace rollguard::serve {
namespace {

// 20 s of grace, which the history uses up, and 7 s at its end; without a limit it would be for
// ever.
constexpr std::chrono::seconds kInTime{90};

TEST_CASE("a history that stands still does not hold up the stop") {
  testing::RealPostgres server;
  Stage stage;
  const std::string config = stage.dir().Write(
      "agent.yaml",
      StrCat("kind: AgentConfig\nauth: {anonymousRead: true}\nhistory:\n  postgres: {url: '",
             server.NewDatabase("h"), "'}\n"));
  stage.StartAgent({"--config", config});
  CHECK(stage.PostAlert("Any").status == 200);
  const testing::Address agent = stage.agent().address();
  const auto read = [&] { return testing::Ask(agent, "GET", "/api/v1/releases").status; };
  CHECK(read() == 200);
  server.Pause();
  std::vector<std::future<int>> readers;
  for (int i = 0; i < 6; ++i) readers.push_back(std::async(std::launch::async, read));
  // Takes 8 s, by which time the readers wait for the history too.
  CHECK(testing::PollUntil([&] { return stage.PostAlert("Another").status == 503; },
                           std::chrono::seconds(60)));
  stage.agent().process().Signal(SIGTERM);
  const std::optional<int> code = stage.agent().process().WaitFor(kInTime);
  INFO(stage.Log());
  REQUIRE(code.has_value());
  CHECK(*code == 0);
  for (auto& reader : readers) CHECK(reader.get() != 200);
}

}  // namespace
}  // namespace rollguard::serve
