// SPDX-License-Identifier: Apache-2.0
// The writer: gather, write in one transaction, tell who waits. Facts that somebody waits for (an
// alert is answered once it is durable, and only then acted upon) pass those that nobody does;
// where there are always some, every other transaction is for the others, and that ends after a few
// milliseconds. A batch that fails stays at the head of the queue, so order is kept; who has waited
// longer than the patience is told that the fact is not durable yet, and the fact is written all
// the same when the database is back.
#include <algorithm>

#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/history/pack.h"
#include "agent/history/rows.h"
#include "agent/history/schema.h"
#include "agent/history/sql_history.h"

namespace rollguard::history {
namespace {

constexpr std::chrono::nanoseconds kLongest = std::chrono::milliseconds(2);

}  // namespace

SqlHistory::SqlHistory(DatabaseFactory factory, SqlHistoryOptions options, const Clock& clock)
    : factory_(std::move(factory)),
      options_(std::move(options)),
      clock_(clock),
      reader_(factory_()) {}

SqlHistory::~SqlHistory() {
  if (!thread_.joinable()) return;
  if (!Flush(std::chrono::seconds(5))) database_->Hurry();
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

Status SqlHistory::Start() {
  database_ = factory_();
  Status opened = EnsureOpen(*database_);
  if (!opened) failure_ = opened.error().message;
  thread_ = std::thread([this] { Run(); });
  return opened;
}

void SqlHistory::Append(HistoryRecord record, Durable durable) {
  Push({Fact{std::move(record), std::move(durable)}, clock_.Monotonic()});
}

void SqlHistory::PutRelease(ReleaseRow row) { Push({std::move(row), clock_.Monotonic()}); }

void SqlHistory::Measure(MeasurementRow row) { Push({std::move(row), clock_.Monotonic()}); }

void SqlHistory::Push(Item item) {
  {
    std::unique_lock lock(mutex_);
    // Measurements are the only thing that may be lost, and they go first.
    bool droppable = std::holds_alternative<MeasurementRow>(item.what);
    if (queue_.size() < (droppable ? options_.max_queue / 2 : options_.max_queue)) {
      const auto* fact = std::get_if<Fact>(&item.what);
      const bool waited_for = fact != nullptr && fact->durable;
      auto at = waited_for ? queue_.begin() + static_cast<ptrdiff_t>(waited_for_++) : queue_.end();
      queue_.insert(at, std::move(item));
      lock.unlock();  // who wakes finds it free
      wake_.notify_one();
      return;
    }
  }
  auto* fact = std::get_if<Fact>(&item.what);
  if (fact != nullptr && fact->durable) {
    fact->durable(Error(ErrorCode::kUnavailable, "the history is away and its queue is full"));
  }
}

// Either those that are waited for, or others.
std::deque<SqlHistory::Item> SqlHistory::TakeBatch(bool waited_for) {
  const size_t skip = waited_for ? 0 : waited_for_;
  const size_t size = std::min(waited_for ? waited_for_ : queue_.size() - skip, options_.max_batch);
  const auto begin = queue_.begin() + static_cast<ptrdiff_t>(skip);
  const auto end = begin + static_cast<ptrdiff_t>(size);
  std::deque<Item> batch(std::make_move_iterator(begin), std::make_move_iterator(end));
  queue_.erase(begin, end);
  if (waited_for) waited_for_ -= size;
  in_flight_ = size;
  return batch;
}

// What was not written of a batch, ahead of its kind.
void SqlHistory::PutBack(std::deque<Item> batch, bool waited_for) {
  // To insert nothing into a deque may move what stands before that place onto itself (libstdc++
  // does), which empties it.
  if (batch.empty()) return;
  queue_.insert(queue_.begin() + static_cast<ptrdiff_t>(waited_for ? 0 : waited_for_),
                std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
  if (waited_for) waited_for_ += batch.size();
}

void SqlHistory::Run() {
  std::unique_lock lock(mutex_);
  bool waited_for = false;
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    waited_for = waited_for_ > 0 && (!waited_for || waited_for_ == queue_.size());
    std::deque<Item> batch = TakeBatch(waited_for);
    lock.unlock();
    const Expected<size_t> written = WriteBatch(batch);
    for (size_t i = 0; written && i < *written; ++i) {
      auto* fact = std::get_if<Fact>(&batch.front().what);
      if (fact != nullptr && fact->durable) fact->durable({});
      batch.pop_front();
    }
    lock.lock();
    in_flight_ = 0;
    failure_ = written ? "" : written.error().message;
    PutBack(std::move(batch), waited_for);
    if (!written) {
      if (stopping_) return;
      ReportLate();
      wake_.wait_for(lock, options_.retry, [this] { return stopping_; });
    }
    written_.notify_all();
  }
}

// Called with the lock held.
void SqlHistory::ReportLate() {
  auto now = clock_.Monotonic();
  Error error(ErrorCode::kUnavailable, StrCat("not recorded yet: ", failure_));
  for (Item& item : queue_) {
    auto* fact = std::get_if<Fact>(&item.what);
    if (fact == nullptr || !fact->durable || now - item.queued < options_.patience) continue;
    auto durable = std::exchange(fact->durable, {});
    durable(error);
  }
}

Status SqlHistory::EnsureOpen(Database& database) {
  if (!database.IsOpen()) chain_loaded_ = false;
  if (Status opened = database.Open(); !opened) return opened;
  if (!migrated_) {
    if (Status migrated = Migrate(database); !migrated) return migrated;
    migrated_ = true;
  }
  return {};
}

Status SqlHistory::LoadChain() {
  if (chain_loaded_) return {};
  // Waits for a transaction that still writes the row: one over a connection that was given up may
  // end late.
  Status made = database_->Execute(
      "INSERT INTO chains (chain, anchor, newest) VALUES ($1, '', '') ON CONFLICT (chain) DO "
      "NOTHING",
      {options_.writer});
  if (!made) return made;
  auto rows = database_->Query("SELECT newest FROM chains WHERE chain = $1", {options_.writer});
  if (!rows) return rows.error();
  newest_hash_ = rows->at(0).at(0).value_or("");
  chain_loaded_ = true;
  return {};
}

Status SqlHistory::SaveChain() {
  return database_->Execute("UPDATE chains SET newest = $1 WHERE chain = $2",
                            {newest_hash_, options_.writer});
}

// How many of them are durable now: all, unless they took long.
Expected<size_t> SqlHistory::WriteBatch(std::deque<Item>& batch) {
  if (Status open = EnsureOpen(*database_); !open) return open.error();
  if (Status begun = database_->Execute("BEGIN"); !begun) return begun.error();
  std::string hash_before = newest_hash_;
  auto write = [this](const auto& item) -> Status {
    using T = std::decay_t<decltype(item)>;
    if constexpr (std::is_same_v<T, Fact>) return WriteFact(item);
    if constexpr (std::is_same_v<T, ReleaseRow>) return WriteRelease(item);
    if constexpr (std::is_same_v<T, MeasurementRow>) return WriteMeasurement(item);
  };
  const auto end = clock_.Monotonic() + kLongest;
  size_t written = 0;
  Status done = LoadChain();
  while (done && written < batch.size() && (written == 0 || clock_.Monotonic() < end)) {
    done = std::visit(write, batch[written].what);
    ++written;
  }
  if (done) done = SaveChain();
  if (done) done = database_->Execute("COMMIT");
  if (!done) {
    (void)database_->Execute("ROLLBACK");
    newest_hash_ = hash_before;
    chain_loaded_ = false;  // read it again: another process may have written in between
    return done.error();
  }
  return written;
}

Status SqlHistory::WriteFact(const Fact& fact) {
  const HistoryRecord& r = fact.record;
  std::string given;
  Json body = r.body;
  if (!r.given.empty()) {
    given = Sha256Hex(r.given);
    body.Set("given", given);
  }
  ChainRow row{.seq = 0,
               .chain = options_.writer,
               .previous = newest_hash_,
               .hash = {},
               .record = {.kind = r.kind,
                          .id = r.id,
                          .at = r.at,
                          .guard = r.guard,
                          .release = r.release,
                          .actor = r.actor},
               .body_text = body.Dump()};
  row.hash = HashOf(row);
  auto written = database_->Query(
      "INSERT INTO facts (chain, previous, hash, kind, id, at, guard, release_id, actor, body)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (kind, id) DO NOTHING "
      "RETURNING seq",
      {row.chain, row.previous, row.hash, r.kind, r.id, std::to_string(ToUnixMillis(r.at)), r.guard,
       r.release, r.actor, row.body_text});
  if (!written) return written.error();
  if (written->empty()) return {};
  newest_hash_ = row.hash;
  return given.empty() ? Status() : WriteGiven(given, r);
}

Status SqlHistory::WriteGiven(const std::string& hash, const HistoryRecord& record) {
  return database_->Execute(
      "INSERT INTO givens (hash, at, size, body) VALUES ($1, $2, $3, $4) ON CONFLICT (hash) DO "
      "NOTHING",
      {hash, std::to_string(ToUnixMillis(record.at)), std::to_string(record.given.size()),
       Pack(record.given)});
}

Status SqlHistory::WriteRelease(const ReleaseRow& row) {
  Value ended = row.ended ? Value(std::to_string(ToUnixMillis(*row.ended))) : Value();
  return database_->Execute(
      "INSERT INTO releases (id, guard, started, ended, body) VALUES ($1, $2, $3, $4, $5)"
      " ON CONFLICT (id) DO UPDATE SET ended = excluded.ended, body = excluded.body",
      {row.id, row.guard, std::to_string(ToUnixMillis(row.started)), ended, ToJson(row).Dump()});
}

Status SqlHistory::WriteMeasurement(const MeasurementRow& row) {
  return database_->Execute(
      "INSERT INTO measurements (at, guard, release_id, metric, value, verdict) VALUES ($1, $2, "
      "$3, $4, $5, $6)",
      {std::to_string(ToUnixMillis(row.at)), row.guard, row.release, row.metric,
       FormatNumber(row.value), row.verdict});
}

HistoryHealth SqlHistory::Health() {
  std::lock_guard lock(mutex_);
  HistoryHealth health{.degraded = !failure_.empty(),
                       .reason = failure_,
                       .waiting = queue_.size() + in_flight_,
                       .lag = {}};
  for (size_t at : {size_t{0}, waited_for_}) {
    if (at >= queue_.size()) break;
    const auto lag = clock_.Monotonic() - queue_[at].queued;
    health.lag = std::max(health.lag, std::chrono::duration_cast<Duration>(lag));
  }
  return health;
}

bool SqlHistory::Flush(Duration limit) {
  std::unique_lock lock(mutex_);
  return written_.wait_for(lock, limit, [this] { return queue_.empty() && in_flight_ == 0; });
}

}  // namespace rollguard::history
