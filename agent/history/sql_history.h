// SPDX-License-Identifier: Apache-2.0
// History over a Database. One writer thread gathers what is queued into one transaction (so a
// thousand facts cost one sync); facts somebody waits for go first. One other connection reads.
// When the database is away the queue grows, Health() says so, and everything is written in order
// once it is back.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>

#include "agent/base/time.h"
#include "agent/history/chain.h"
#include "agent/history/database.h"
#include "agent/ports/history.h"

namespace rollguard::history {

struct SqlHistoryOptions {
  std::string writer = "rollguard";  // names the audit chain: one per replica
  size_t max_queue = 200'000;        // beyond: measurements are dropped, then appends fail at once
  size_t max_batch = 1'000;
  Duration patience = std::chrono::seconds(3);  // a fact not durable by then is reported as failed
  Duration retry = std::chrono::milliseconds(500);
  Duration retain_facts = std::chrono::hours(24 * 365 * 7);
  Duration retain_releases = std::chrono::hours(24 * 365);
  Duration retain_measurements = std::chrono::hours(24 * 30);
  Duration retain_givens = std::chrono::hours(24 * 30);  // what decisions were made from
};

using DatabaseFactory = std::function<std::unique_ptr<Database>()>;

// Without Start() it only reads: no thread, nothing written, no migration.
class SqlHistory : public History {
 public:
  SqlHistory(DatabaseFactory factory, SqlHistoryOptions options, const Clock& clock);
  ~SqlHistory() override;  // writes what is queued, for at most a few seconds

  // Connects and migrates. An error here is for the operator: the agent may start nevertheless.
  Status Start();

  void Append(HistoryRecord record, Durable durable = {}) override;
  void PutRelease(ReleaseRow row) override;
  void Measure(MeasurementRow row) override;
  Expected<std::vector<StoredRecord>> Find(const HistoryFilter& filter) override;
  Expected<std::vector<ReleaseRow>> Releases(const HistoryFilter& filter) override;
  Expected<std::vector<MeasurementRow>> Measurements(const HistoryFilter& filter) override;
  Expected<std::string> Given(const std::string& hash) override;
  HistoryHealth Health() override;

  struct Verification {
    size_t rows = 0;
    size_t givens = 0;
    std::vector<ChainBreak> breaks;
  };
  // Every fact against its chain, and what decisions were made from against its hash.
  Expected<Verification> Verify();
  // Deletes what is past its retention; the audit chains get a new anchor.
  Status Prune(Time now);
  // Every ten seconds or so, so that no commit has to.
  void Tidy();
  // The agent stops: whoever reads is let finish, but a server that says nothing is not waited for,
  // and the audit is not verified to its end.
  void EndReading();
  // Waits until everything queued so far is durable or `limit` has passed.
  bool Flush(Duration limit);

 private:
  struct Fact {
    HistoryRecord record;
    Durable durable;
  };
  struct Item {
    std::variant<Fact, ReleaseRow, MeasurementRow> what;
    std::chrono::nanoseconds queued;
  };

  void Push(Item item);
  void Run();
  std::deque<Item> TakeBatch(bool waited_for);
  void PutBack(std::deque<Item> batch, bool waited_for);
  Expected<size_t> WriteBatch(std::deque<Item>& batch);
  Status WriteFact(const Fact& fact);
  Status WriteGiven(const std::string& hash, const HistoryRecord& record);
  Status WriteRelease(const ReleaseRow& row);
  Status WriteMeasurement(const MeasurementRow& row);
  Status EnsureOpen(Database& database);
  Status LoadChain();
  Status SaveChain();
  void ReportLate();
  template <class T>
  Expected<T> WithReader(const std::function<Expected<T>(Database&)>& read);

  DatabaseFactory factory_;
  SqlHistoryOptions options_;
  const Clock& clock_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable written_;
  std::deque<Item> queue_;
  size_t waited_for_ = 0;  // so many at its head: somebody waits until they are durable
  size_t in_flight_ = 0;
  bool stopping_ = false;
  std::string failure_;  // of the last attempt; empty: fine

  // The writer thread's own.
  std::unique_ptr<Database> database_;
  std::string newest_hash_;
  bool chain_loaded_ = false;
  bool migrated_ = false;

  std::mutex reader_mutex_;
  const std::unique_ptr<Database> reader_;
  std::atomic<bool> reading_ends_{false};
  std::thread thread_;
};

}  // namespace rollguard::history
