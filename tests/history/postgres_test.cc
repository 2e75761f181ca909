// SPDX-License-Identifier: Apache-2.0
// A real PostgreSQL that dies, falls silent, stands still, ends a transaction late.
#include <future>

#include "agent/base/text.h"
#include "agent/history/sql_history.h"
#include "tests/history/history_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/cut_proxy.h"
#include "tests/support/real_clock.h"
#include "tests/support/real_postgres.h"

namespace rollguard::history {
namespace {

TEST_CASE("PostgreSQL killed in the middle: nothing lost, order kept", "[history]") {
  testing::RealPostgres server;
  std::string url = server.NewDatabase("h");
  testing::RealClock clock;
  SqlHistoryOptions options;
  options.patience = std::chrono::milliseconds(100);
  options.retry = std::chrono::milliseconds(50);
  SqlHistory history([&] { return OpenPostgres(url); }, options, clock);
  REQUIRE(history.Start().ok());
  for (int i = 0; i < 100; ++i) history.Append(Decision(i));
  REQUIRE(history.Flush(std::chrono::seconds(20)));
  server.Kill();
  for (int i = 100; i < 200; ++i) history.Append(Decision(i));
  CHECK_FALSE(AppendDurably(history, Decision(200)));
  CHECK(history.Health().degraded);
  server.StartAgain();
  REQUIRE(history.Flush(std::chrono::seconds(60)));
  auto found = history.Find({.limit = 1000});
  REQUIRE(found.ok());
  REQUIRE(found->size() == 201);
  // What somebody waits for may have passed the others, which keep their order.
  std::erase_if(*found, [](const StoredRecord& row) { return row.record.id == "shop/cart-200"; });
  REQUIRE(found->size() == 200);
  for (size_t i = 0; i < found->size(); ++i)
    CHECK(found->at(i).record.id == StrCat("shop/cart-", 199 - i));
  CHECK(history.Verify()->breaks.empty());
}

TEST_CASE("a connection to PostgreSQL that has gone silent is given up", "[history]") {
  testing::RealPostgres server;
  testing::CutProxy wire(server.port(), {});
  const std::string url = ReplaceAll(server.NewDatabase("h"),
                                     testing::Address(server.port()).Text(), wire.address().Text());
  testing::RealClock clock;
  SqlHistory history([&] { return OpenPostgres(url); }, {}, clock);
  REQUIRE(history.Start().ok());
  CHECK(AppendDurably(history, Decision(1)));
  wire.Forget();
  CHECK_FALSE(AppendDurably(history, Decision(2)));  // who waits is told ...
  CHECK(history.Flush(std::chrono::seconds(60)));    // ... and it is written over another one
  CHECK(history.Find({.limit = 10})->size() == 2);
}

TEST_CASE("what a silent connection to PostgreSQL has locked is free again", "[history]") {
  testing::RealPostgres server;
  testing::CutProxy wire(server.port(), {});
  const std::string url = server.NewDatabase("h");
  auto gone =
      OpenPostgres(ReplaceAll(url, testing::Address(server.port()).Text(), wire.address().Text()));
  auto other = OpenPostgres(url);
  REQUIRE(gone->Open().ok());
  REQUIRE(other->Open().ok());
  REQUIRE(other->Execute("CREATE TABLE facts (id TEXT PRIMARY KEY)", {}).ok());
  REQUIRE(gone->Execute("BEGIN", {}).ok());
  REQUIRE(gone->Execute("INSERT INTO facts (id) VALUES ('alert')", {}).ok());
  wire.Forget();
  CHECK(testing::PollUntil(
      [&] { return other->Execute("INSERT INTO facts (id) VALUES ('alert')", {}).ok(); },
      std::chrono::seconds(60)));
}

TEST_CASE("a PostgreSQL that stands still is given up, and written to when it goes on") {
  testing::RealPostgres server;
  const std::string url = server.NewDatabase("h");
  testing::RealClock clock;
  SqlHistory history([&] { return OpenPostgres(url, std::chrono::seconds(4)); }, {}, clock);
  REQUIRE(history.Start().ok());
  CHECK(AppendDurably(history, Decision(1)));
  server.Pause();
  CHECK_FALSE(AppendDurably(history, Decision(2)));  // who waits is told ...
  CHECK(history.Health().degraded);
  CHECK_FALSE(history.Find({.limit = 10}).ok());
  server.Resume();
  CHECK(history.Flush(std::chrono::seconds(60)));  // ... and it is written over another connection
  CHECK(testing::PollUntil([&] { return history.Find({.limit = 10}).ok(); },
                           std::chrono::seconds(60)));
  CHECK(history.Find({.limit = 10})->size() == 2);
  CHECK(history.Verify()->breaks.empty());
}

TEST_CASE("a PostgreSQL that stands still does not hold up the end") {
  testing::RealPostgres server;
  const std::string url = server.NewDatabase("h");
  testing::RealClock clock;
  auto history = std::make_unique<SqlHistory>(
      [&] { return OpenPostgres(url, std::chrono::hours(1)); }, SqlHistoryOptions{}, clock);
  REQUIRE(history->Start().ok());
  CHECK(AppendDurably(*history, Decision(1)));
  REQUIRE(history->Find({.limit = 10}).ok());
  server.Pause();
  history->Append(Decision(2));
  auto found = std::async(std::launch::async, [&] { return history->Find({.limit = 10}).ok(); });
  history->EndReading();
  CHECK_FALSE(found.get());
  CHECK_FALSE(history->Find({.limit = 10}).ok());  // no other connection is tried
  auto end = std::async(std::launch::async, [&] { history.reset(); });
  CHECK(end.wait_for(std::chrono::minutes(2)) == std::future_status::ready);
  server.Resume();
}

// A COMMIT that was sent over a connection that was given up since.
TEST_CASE("a chain goes on from what a transaction that ends late has written") {
  testing::RealPostgres server;
  const std::string url = server.NewDatabase("h");
  testing::RealClock clock;
  {
    REQUIRE(SqlHistory([&] { return OpenPostgres(url); }, {}, clock).Start().ok());
  }
  auto late = OpenPostgres(url);
  REQUIRE(late->Open().ok());
  REQUIRE(late->Execute("INSERT INTO chains VALUES ('rollguard', '', 'older')", {}).ok());
  REQUIRE(late->Execute("BEGIN", {}).ok());
  REQUIRE(late->Execute("UPDATE chains SET newest = 'late'", {}).ok());
  SqlHistory history([&] { return OpenPostgres(url); }, {}, clock);
  REQUIRE(history.Start().ok());
  history.Append(Decision(1));
  auto onlooker = OpenPostgres(url);
  REQUIRE(onlooker->Open().ok());
  CHECK(testing::PollUntil(
      [&] { return !onlooker->Query("SELECT pid FROM pg_locks WHERE NOT granted")->empty(); },
      std::chrono::seconds(60)));
  REQUIRE(late->Execute("COMMIT", {}).ok());
  REQUIRE(history.Flush(std::chrono::seconds(60)));
  auto rows = onlooker->Query("SELECT previous FROM facts");
  REQUIRE(rows.ok());
  REQUIRE(rows->size() == 1);
  CHECK(rows->at(0).at(0) == "late");
}

}  // namespace
}  // namespace rollguard::history
