// SPDX-License-Identifier: Apache-2.0
// The same cases over SQLite and over a real PostgreSQL.
#include "agent/history/sql_history.h"

#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <mutex>

#include "agent/base/text.h"
#include "agent/history/pack.h"
#include "tests/history/history_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"
#include "tests/support/real_clock.h"
#include "tests/support/real_postgres.h"

namespace rollguard::history {
namespace {

ReleaseRow Release(std::string id, std::string outcome) {
  ReleaseRow row{.id = std::move(id),
                 .guard = "shop/cart",
                 .strategy = "canary",
                 .revision = "v2",
                 .previous = "v1",
                 .started = kNow,
                 .ended = {},
                 .outcome = std::move(outcome),
                 .trigger = {},
                 .trigger_kind = {},
                 .trigger_at = {},
                 .safe_at = {},
                 .commit_time = {},
                 .right = {}};
  if (!row.outcome.empty()) row.ended = kNow + std::chrono::minutes(9);
  return row;
}

void KeepsWhatItIsTold(const DatabaseFactory& factory) {
  testing::RealClock clock;
  SqlHistory history(factory, {}, clock);
  REQUIRE(history.Start().ok());
  for (int i = 0; i < 50; ++i) history.Append(Decision(i));
  REQUIRE(history.Flush(std::chrono::seconds(20)));
  CHECK(AppendDurably(history, Decision(50)));
  CHECK(AppendDurably(history, Decision(7)));  // again: stands once
  history.PutRelease(Release("r1", ""));
  history.PutRelease(Release("r1", "promoted"));
  history.Measure({kNow, "shop/cart", "r1", "errors", 0.25, "Successful"});
  REQUIRE(history.Flush(std::chrono::seconds(20)));

  auto all = history.Find({.kind = "decision", .limit = 1000});
  REQUIRE(all.ok());
  REQUIRE(all->size() == 51);
  CHECK(all->front().record.id == "shop/cart-50");
  CHECK(all->front().record.body.At("text").Str() == "it's \"quoted\" \xC3\xA9");
  auto page = history.Find({.kind = "decision", .before_seq = all->at(9).seq, .limit = 10});
  REQUIRE(page.ok());
  CHECK(page->front().record.id == all->at(10).record.id);
  auto window = history.Find(
      {.since = kNow + std::chrono::minutes(10), .until = kNow + std::chrono::minutes(12)});
  REQUIRE(window.ok());
  CHECK(window->size() == 2);
  auto releases = history.Releases({.guard = "shop/cart"});
  REQUIRE(releases.ok());
  REQUIRE(releases->size() == 1);
  CHECK(releases->at(0).outcome == "promoted");
  // Those that began at one instant come in one order, whatever was written when.
  for (const char* id : {"r5", "r3", "r9", "r7"}) {
    ReleaseRow row = Release(id, "promoted");
    row.started = kNow + std::chrono::hours(1);
    history.PutRelease(row);
  }
  REQUIRE(history.Flush(std::chrono::seconds(20)));
  std::string order;
  auto ordered = history.Releases({.guard = "shop/cart"});
  REQUIRE(ordered.ok());
  for (const ReleaseRow& row : *ordered) order += row.id + " ";
  CHECK(order == "r9 r7 r5 r3 r1 ");
  auto measured = history.Measurements({.release = "r1"});
  REQUIRE(measured.ok());
  CHECK(measured->at(0).value == 0.25);
  auto verified = history.Verify();
  REQUIRE(verified.ok());
  CHECK(verified->rows == 51);
  CHECK(verified->breaks.empty());
  CHECK_FALSE(history.Health().degraded);
}

void FindsOneChangedByte(const DatabaseFactory& factory) {
  testing::RealClock clock;
  SqlHistory history(factory, {}, clock);
  REQUIRE(history.Start().ok());
  for (int i = 0; i < 20; ++i) history.Append(Decision(i));
  REQUIRE(history.Flush(std::chrono::seconds(20)));
  auto forger = factory();
  REQUIRE(forger->Open().ok());
  struct Row {
    const char* name;
    const char* forge;
    const char* undo;
    int64_t seq;
  };
  const Row rows[] = {
      {"a changed byte",
       "UPDATE facts SET body = REPLACE(body, '\"n\":11', '\"n\":12') WHERE seq = 12",
       "UPDATE facts SET body = REPLACE(body, '\"n\":12', '\"n\":11') WHERE seq = 12", 12},
      {"another actor", "UPDATE facts SET actor = 'me' WHERE seq = 5",
       "UPDATE facts SET actor = 'rollguard' WHERE seq = 5", 5},
      {"a moved time", "UPDATE facts SET at = at + 1 WHERE seq = 3",
       "UPDATE facts SET at = at - 1 WHERE seq = 3", 3},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    REQUIRE(forger->Execute(row.forge).ok());
    auto verified = history.Verify();
    REQUIRE(verified.ok());
    REQUIRE(verified->breaks.size() == 1);
    CHECK(verified->breaks[0].seq == row.seq);
    REQUIRE(forger->Execute(row.undo).ok());
    CHECK(history.Verify()->breaks.empty());
  }
  REQUIRE(forger->Execute("DELETE FROM facts WHERE seq = 8").ok());
  CHECK(history.Verify()->breaks.size() == 1);
  REQUIRE(forger->Execute("DELETE FROM facts WHERE seq >= 8").ok());
  CHECK(history.Verify()->breaks.size() == 1);
}

// What a decision was made from is kept once, found by its hash, checked, and forgotten first.
void KeepsWhatDecisionsWereMadeFrom(const DatabaseFactory& factory) {
  testing::RealClock clock;
  SqlHistoryOptions options;
  options.retain_givens = std::chrono::minutes(10);
  SqlHistory history(factory, options, clock);
  REQUIRE(history.Start().ok());
  std::string text;
  for (int i = 0; i < 5000; ++i) text += StrCat("{\"kind\":\"Pod\",\"name\":\"p-", i % 7, "\"},");
  for (int i = 0; i < 3; ++i) {
    HistoryRecord record = Decision(i);
    record.given = i < 2 ? text : text + "another";
    history.Append(std::move(record));
  }
  REQUIRE(history.Flush(std::chrono::seconds(20)));
  auto found = history.Find({.kind = "decision", .limit = 10});
  REQUIRE(found->size() == 3);
  std::string first = found->at(2).record.body.At("given").Str();
  CHECK(first == found->at(1).record.body.At("given").Str());
  CHECK(first != found->at(0).record.body.At("given").Str());
  auto given = history.Given(first);
  REQUIRE(given.ok());
  CHECK(*given == text);
  CHECK(history.Given("none").error().code == ErrorCode::kNotFound);
  auto database = factory();
  REQUIRE(database->Open().ok());
  auto size = database->Query("SELECT LENGTH(body) FROM givens WHERE hash = $1", {first});
  CHECK(ParseInt(size->at(0)[0].value_or("")).value_or(0) < static_cast<int64_t>(text.size()) / 20);
  auto verified = history.Verify();
  CHECK(verified->givens == 2);
  CHECK(verified->breaks.empty());
  REQUIRE(database
              ->Execute("UPDATE givens SET body = (SELECT body FROM givens WHERE hash <> $1) WHERE "
                        "hash = $1",
                        {first})
              .ok());
  CHECK(history.Verify()->breaks.size() == 1);
  REQUIRE(history.Prune(kNow + std::chrono::hours(1)).ok());
  CHECK_FALSE(history.Given(first).ok());
  CHECK(history.Find({.limit = 10})->size() == 3);
}

void ForgetsWhatIsOld(const DatabaseFactory& factory) {
  testing::RealClock clock;
  SqlHistoryOptions options;
  options.retain_facts = std::chrono::minutes(10);
  options.retain_measurements = std::chrono::minutes(10);
  SqlHistory history(factory, options, clock);
  REQUIRE(history.Start().ok());
  for (int i = 0; i < 30; ++i) history.Append(Decision(i));
  history.Measure({kNow, "shop/cart", "r1", "errors", 1, ""});
  REQUIRE(history.Flush(std::chrono::seconds(20)));
  REQUIRE(history.Prune(kNow + std::chrono::minutes(30)).ok());
  auto left = history.Find({.limit = 100});
  REQUIRE(left.ok());
  CHECK(left->size() == 10);
  CHECK(history.Measurements({.limit = 10})->empty());
  auto verified = history.Verify();
  CHECK(verified->rows == 10);
  CHECK(verified->breaks.empty());
  CHECK(AppendDurably(history, Decision(31)));
  CHECK(history.Verify()->breaks.empty());
  REQUIRE(history.Prune(kNow + std::chrono::hours(5)).ok());
  CHECK(history.Find({.limit = 100})->empty());
  CHECK(AppendDurably(history, Decision(40)));
  CHECK(history.Verify()->breaks.empty());
}

}  // namespace

TEST_CASE("history in SQLite", "[history]") {
  testing::TempDir dir("history");
  auto factory = [&](const std::string& name) {
    return [path = dir.path() + "/" + name] { return OpenSqlite(path); };
  };
  KeepsWhatItIsTold(factory("a.db"));
  FindsOneChangedByte(factory("b.db"));
  ForgetsWhatIsOld(factory("c.db"));
  KeepsWhatDecisionsWereMadeFrom(factory("d.db"));
}

TEST_CASE("history in PostgreSQL", "[history]") {
  testing::RealPostgres server;
  auto factory = [&](const std::string& name) {
    return [url = server.NewDatabase(name)] { return OpenPostgres(url); };
  };
  KeepsWhatItIsTold(factory("a"));
  FindsOneChangedByte(factory("b"));
  ForgetsWhatIsOld(factory("c"));
  KeepsWhatDecisionsWereMadeFrom(factory("d"));
}

TEST_CASE("what was durable survives kill -9", "[history]") {
  testing::TempDir dir("history");
  std::string path = dir.path() + "/h.db";
  int told[2];
  REQUIRE(::pipe(told) == 0);
  pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    testing::RealClock clock;
    SqlHistory history([&] { return OpenSqlite(path); }, {}, clock);
    if (!history.Start()) std::_Exit(1);
    for (int i = 0;; ++i) {
      if (AppendDurably(history, Decision(i))) (void)!::write(told[1], &i, sizeof i);
    }
  }
  int last = 0;
  while (last < 200) REQUIRE(::read(told[0], &last, sizeof last) == sizeof last);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(told[1]);
  int number = 0;
  while (::read(told[0], &number, sizeof number) == sizeof number) last = number;
  ::close(told[0]);
  testing::RealClock clock;
  SqlHistory history([&] { return OpenSqlite(path); }, {}, clock);
  REQUIRE(history.Start().ok());
  auto found = history.Find({.limit = 1'000'000});
  REQUIRE(found.ok());
  CHECK(found->size() >= static_cast<size_t>(last) + 1);
  CHECK(history.Verify()->breaks.empty());
  CHECK(AppendDurably(history, Decision(1'000'000)));
  CHECK(history.Verify()->breaks.empty());
}

TEST_CASE("tidying copies the log into the database, while facts are written", "[history]") {
  testing::TempDir dir("history");
  const std::string path = dir.path() + "/h.db";
  testing::RealClock clock;
  SqlHistory history([&] { return OpenSqlite(path); }, {}, clock);
  REQUIRE(history.Start().ok());
  history.Tidy();  // nobody has read yet, there is no connection for it
  for (int i = 0; i < 50; ++i) REQUIRE(AppendDurably(history, Decision(i)));
  REQUIRE(history.Find({.limit = 100})->size() == 50);
  history.Append(Decision(50));
  history.Tidy();
  // The database alone, without its log.
  std::filesystem::copy_file(path, dir.path() + "/copy.db");
  SqlHistory copy([&] { return OpenSqlite(dir.path() + "/copy.db"); }, {}, clock);
  CHECK(copy.Find({.limit = 100})->size() >= 50);
  REQUIRE(history.Flush(std::chrono::seconds(20)));
  CHECK(history.Find({.limit = 100})->size() == 51);
  CHECK(history.Verify()->breaks.empty());
}

// A history whose database another has locked.
struct Locked {
  explicit Locked(SqlHistoryOptions options = {}) : history(Opener(), Soon(options), clock) {
    REQUIRE(history.Start().ok());
    rival = OpenSqlite(path);
    REQUIRE(rival->Open().ok());
    REQUIRE(rival->Execute("BEGIN IMMEDIATE").ok());
  }
  static SqlHistoryOptions Soon(SqlHistoryOptions options) {
    options.retry = std::chrono::milliseconds(20);
    return options;
  }
  std::function<std::unique_ptr<Database>()> Opener() {
    return [path = path] { return OpenSqlite(path); };
  }

  testing::TempDir dir{"history"};
  std::string path = dir.path() + "/h.db";
  testing::RealClock clock;
  SqlHistory history;
  std::unique_ptr<Database> rival;
};

TEST_CASE("a locked database delays facts and loses none", "[history]") {
  SqlHistoryOptions options;
  options.patience = std::chrono::milliseconds(50);
  Locked locked(options);
  SqlHistory& history = locked.history;
  CHECK_FALSE(AppendDurably(history, Decision(1)));  // said not to be durable ...
  CHECK(history.Health().degraded);
  CHECK(history.Health().waiting >= 1);
  REQUIRE(locked.rival->Execute("ROLLBACK").ok());
  REQUIRE(history.Flush(std::chrono::seconds(20)));
  CHECK(history.Find({.limit = 10})->size() == 1);  // ... and written all the same
  CHECK_FALSE(history.Health().degraded);
}

TEST_CASE("facts somebody waits for pass those that nobody does", "[history]") {
  SqlHistoryOptions options;
  options.patience = std::chrono::hours(1);
  Locked locked(options);
  SqlHistory& history = locked.history;
  for (int i = 0; i < 3000; ++i) history.Append(Decision(i));
  std::promise<bool> first, second;
  history.Append(Decision(10'000), [&](const Status& s) { first.set_value(s.ok()); });
  history.Append(Decision(10'001), [&](const Status& s) { second.set_value(s.ok()); });
  REQUIRE(locked.rival->Execute("ROLLBACK").ok());
  CHECK(first.get_future().get());
  CHECK(second.get_future().get());
  REQUIRE(history.Flush(std::chrono::seconds(60)));
  auto all = history.Find({.limit = 4000});
  REQUIRE(all.ok());
  REQUIRE(all->size() == 3002);
  CHECK(all->front().record.id == "shop/cart-2999");  // the last of those that nobody waits for
  size_t of_first = 0, of_second = 0;
  for (size_t i = 0; i < all->size(); ++i) {
    if (all->at(i).record.id == "shop/cart-10000") of_first = i;
    if (all->at(i).record.id == "shop/cart-10001") of_second = i;
  }
  CHECK(of_second < of_first);  // newest first: they keep their order
  CHECK(of_second > 1000);      // and passed nearly all
  CHECK(history.Verify()->breaks.empty());
}

// A door that stands open, or holds whoever comes until it is opened.
class Gate {
 public:
  void Shut() { Set(false); }
  void Open() { Set(true); }
  void Pass() {
    std::unique_lock lock(mutex_);
    ++held_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    --held_;
  }
  void AwaitSomebody() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return held_ > 0; });
  }

 private:
  void Set(bool open) {
    std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int held_ = 0;
};

// A database whose transactions end when the gate lets them.
class Gated : public Database {
 public:
  Gated(std::unique_ptr<Database> real, Gate& gate) : real_(std::move(real)), gate_(gate) {}
  Status Open() override { return real_->Open(); }
  Status Execute(const std::string& sql, const Row& values) override {
    if (sql == "COMMIT") gate_.Pass();
    return real_->Execute(sql, values);
  }
  Expected<std::vector<Row>> Query(const std::string& sql, const Row& values) override {
    return real_->Query(sql, values);
  }
  std::string_view SerialKey() const override { return real_->SerialKey(); }
  bool IsOpen() const override { return real_->IsOpen(); }

 private:
  std::unique_ptr<Database> real_;
  Gate& gate_;
};

TEST_CASE("what comes while a transaction is written stands as it came", "[history]") {
  testing::TempDir dir("history");
  testing::RealClock clock;
  Gate gate;
  SqlHistory history(
      [&] { return std::make_unique<Gated>(OpenSqlite(dir.path() + "/h.db"), gate); }, {}, clock);
  REQUIRE(history.Start().ok());
  gate.Shut();
  history.Append(Decision(1));
  gate.AwaitSomebody();
  std::promise<bool> durable;
  history.Append(Decision(2), [&](const Status& s) { durable.set_value(s.ok()); });
  history.Append(Decision(3));
  gate.Open();
  CHECK(durable.get_future().get());
  REQUIRE(history.Flush(std::chrono::seconds(20)));
  auto all = history.Find({.limit = 10});
  REQUIRE(all.ok());
  std::string ids;
  for (const StoredRecord& row : *all) ids += row.record.id + " ";
  CHECK(ids == "shop/cart-3 shop/cart-2 shop/cart-1 ");
}

TEST_CASE("packed texts come back; what is no packed text is refused", "[history]") {
  for (const std::string& text :
       {std::string(), std::string("a"), std::string(300'000, 'x'), std::string("\0\xff\"", 3)}) {
    auto back = Unpack(Pack(text));
    REQUIRE(back.ok());
    CHECK(*back == text);
  }
  std::string packed = Pack(std::string(300'000, 'x'));
  CHECK_FALSE(Unpack(packed, 1000).ok());  // a bomb
  CHECK_FALSE(Unpack(packed.substr(0, packed.size() / 2)).ok());
  for (const char* text : {"", "hello", "AAAA", "%%%"}) {
    INFO(text);
    CHECK_FALSE(Unpack(text).ok());
  }
}

TEST_CASE("a database of an older version is brought up to date", "[history]") {
  testing::TempDir dir("history");
  std::string path = dir.path() + "/h.db";
  testing::RealClock clock;
  {
    SqlHistory history([&] { return OpenSqlite(path); }, {}, clock);
    REQUIRE(history.Start().ok());
    CHECK(AppendDurably(history, Decision(1)));
  }
  auto database = OpenSqlite(path);
  REQUIRE(database->Open().ok());
  REQUIRE(database->Execute("DROP TABLE givens").ok());
  REQUIRE(database->Execute("DELETE FROM rollguard_schema WHERE version = 2").ok());
  SqlHistory history([&] { return OpenSqlite(path); }, {}, clock);
  REQUIRE(history.Start().ok());
  HistoryRecord record = Decision(2);
  record.given = "{}";
  CHECK(AppendDurably(history, std::move(record)));
  CHECK(history.Find({.limit = 10})->size() == 2);
  CHECK(history.Verify()->breaks.empty());
}

TEST_CASE("a database of a newer version is refused", "[history]") {
  testing::TempDir dir("history");
  std::string path = dir.path() + "/h.db";
  auto database = OpenSqlite(path);
  REQUIRE(database->Open().ok());
  REQUIRE(database->Execute("CREATE TABLE rollguard_schema (version INTEGER NOT NULL)").ok());
  REQUIRE(database->Execute("INSERT INTO rollguard_schema VALUES (99)").ok());
  testing::RealClock clock;
  SqlHistory history([&] { return OpenSqlite(path); }, {}, clock);
  Status started = history.Start();
  REQUIRE_FALSE(started.ok());
  CHECK(started.error().message.find("newer than this program's") != std::string::npos);
}

TEST_CASE("errors do not show the password", "[history]") {
  auto database = OpenPostgres("postgres://user:s3cret@127.0.0.1:1/none");
  Status opened = database->Open();
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().message.find("s3cret") == std::string::npos);
  CHECK(opened.error().message.find("cannot connect to") != std::string::npos);
}

}  // namespace rollguard::history
