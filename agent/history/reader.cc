// SPDX-License-Identifier: Apache-2.0
// Reads over a connection of their own: queries, verification of the audit chain, retention.
#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/history/pack.h"
#include "agent/history/rows.h"
#include "agent/history/schema.h"
#include "agent/history/sql_history.h"

namespace rollguard::history {
namespace {

constexpr size_t kVerifyPage = 5000;

Expected<std::vector<StoredRecord>> ReadFacts(Database& database, const HistoryFilter& filter) {
  Where where = WhereOf(filter, "at", true);
  auto rows = database.Query(StrCat("SELECT ", kFactColumns, " FROM facts", where.sql,
                                    " ORDER BY seq DESC LIMIT ", filter.limit),
                             where.values);
  if (!rows) return rows.error();
  std::vector<StoredRecord> found;
  for (const Row& row : *rows) {
    ChainRow fact = FactFromRow(row);
    found.push_back({fact.seq, std::move(fact.record), std::move(fact.hash)});
  }
  return found;
}

Expected<std::vector<ReleaseRow>> ReadReleases(Database& database, const HistoryFilter& filter) {
  Where where = WhereOf(filter, "started", false);
  auto rows = database.Query(StrCat("SELECT body FROM releases", where.sql,
                                    " ORDER BY started DESC, id DESC LIMIT ", filter.limit),
                             where.values);
  if (!rows) return rows.error();
  std::vector<ReleaseRow> found;
  for (const Row& row : *rows) {
    auto body = ParseJson(row[0].value_or("null"));
    if (!body) return body.error();
    found.push_back(ReleaseFromJson(*body));
  }
  return found;
}

Expected<std::vector<MeasurementRow>> ReadMeasurements(Database& database,
                                                       const HistoryFilter& filter) {
  Where where = WhereOf(filter, "at", false);
  auto rows = database.Query(
      StrCat("SELECT at, guard, release_id, metric, value, verdict FROM measurements", where.sql,
             " ORDER BY at DESC LIMIT ", filter.limit),
      where.values);
  if (!rows) return rows.error();
  std::vector<MeasurementRow> found;
  for (const Row& r : *rows) {
    found.push_back({FromUnixMillis(ParseInt(r[0].value_or("")).value_or(0)), r[1].value_or(""),
                     r[2].value_or(""), r[3].value_or(""),
                     ParseDouble(r[4].value_or("")).value_or(0), r[5].value_or("")});
  }
  return found;
}

Error NotToItsEnd() { return {ErrorCode::kUnavailable, "the agent stops"}; }

// Feeds every fact in order of seq, a page at a time.
Status FeedAll(Database& database, ChainVerifier& verifier, const std::atomic<bool>& end) {
  std::string after = "0";
  while (true) {
    if (end) return NotToItsEnd();
    auto rows =
        database.Query(StrCat("SELECT ", kFactColumns,
                              " FROM facts WHERE seq > $1 ORDER BY seq LIMIT ", kVerifyPage),
                       {after});
    if (!rows) return rows.error();
    for (const Row& row : *rows) verifier.Feed(FactFromRow(row));
    if (rows->size() < kVerifyPage) return {};
    after = rows->back()[0].value_or("0");
  }
}

// Holds every kept text against the hash that the facts name it by.
Status CheckGivens(Database& database, SqlHistory::Verification& out,
                   const std::atomic<bool>& end) {
  std::string after;
  while (true) {
    if (end) return NotToItsEnd();
    auto rows = database.Query(
        "SELECT hash, body FROM givens WHERE hash > $1 ORDER BY hash LIMIT 200", {after});
    if (!rows) return rows.error();
    for (const Row& row : *rows) {
      ++out.givens;
      after = row[0].value_or("");
      auto text = Unpack(row[1].value_or(""));
      if (text && Sha256Hex(*text) == after) continue;
      out.breaks.push_back(
          {0, "", StrCat("what a decision was made from (", after.substr(0, 12), ") was changed")});
    }
    if (rows->size() < 200) return {};
  }
}

// Removes the facts before `limit` that are at the beginning of their chain, and moves the anchor.
Status PruneChain(Database& database, const std::string& chain, const std::string& limit) {
  auto newest_old = database.Query(
      "SELECT seq, hash FROM facts WHERE chain = $1 AND seq < COALESCE((SELECT MIN(seq) FROM facts "
      "WHERE chain = $1 AND at >= $2),"
      " (SELECT MAX(seq) + 1 FROM facts WHERE chain = $1)) ORDER BY seq DESC LIMIT 1",
      {chain, limit});
  if (!newest_old) return newest_old.error();
  if (newest_old->empty()) return {};
  const Row& last = (*newest_old)[0];
  if (Status moved =
          database.Execute("UPDATE chains SET anchor = $1 WHERE chain = $2", {last[1], chain});
      !moved)
    return moved;
  return database.Execute("DELETE FROM facts WHERE chain = $1 AND seq <= $2", {chain, last[0]});
}

}  // namespace

template <class T>
Expected<T> SqlHistory::WithReader(const std::function<Expected<T>(Database&)>& read) {
  std::lock_guard lock(reader_mutex_);
  if (Status opened = reader_->Open(); !opened) return opened.error();
  return read(*reader_);
}

void SqlHistory::EndReading() {
  reading_ends_ = true;
  reader_->Hurry();
}

Expected<std::vector<StoredRecord>> SqlHistory::Find(const HistoryFilter& filter) {
  return WithReader<std::vector<StoredRecord>>([&](Database& d) { return ReadFacts(d, filter); });
}

Expected<std::vector<ReleaseRow>> SqlHistory::Releases(const HistoryFilter& filter) {
  return WithReader<std::vector<ReleaseRow>>([&](Database& d) { return ReadReleases(d, filter); });
}

Expected<std::vector<MeasurementRow>> SqlHistory::Measurements(const HistoryFilter& filter) {
  return WithReader<std::vector<MeasurementRow>>(
      [&](Database& d) { return ReadMeasurements(d, filter); });
}

Expected<std::string> SqlHistory::Given(const std::string& hash) {
  return WithReader<std::string>([&](Database& database) -> Expected<std::string> {
    auto rows = database.Query("SELECT body FROM givens WHERE hash = $1", {hash});
    if (!rows) return rows.error();
    if (rows->empty()) {
      return Error(ErrorCode::kNotFound,
                   "what this decision was made from is not kept any more (or never was)");
    }
    return Unpack(rows->at(0)[0].value_or(""));
  });
}

Expected<SqlHistory::Verification> SqlHistory::Verify() {
  return WithReader<Verification>([this](Database& database) -> Expected<Verification> {
    auto chains = database.Query("SELECT chain, anchor, newest FROM chains");
    if (!chains) return chains.error();
    ChainVerifier verifier;
    for (const Row& row : *chains) verifier.Anchor(row[0].value_or(""), row[1].value_or(""));
    if (Status fed = FeedAll(database, verifier, reading_ends_); !fed) return fed.error();
    for (const Row& row : *chains) verifier.ExpectEnd(row[0].value_or(""), row[2].value_or(""));
    Verification out{verifier.rows(), 0, verifier.breaks()};
    if (Status checked = CheckGivens(database, out, reading_ends_); !checked)
      return checked.error();
    return out;
  });
}

void SqlHistory::Tidy() {
  std::lock_guard lock(reader_mutex_);
  if (reader_->IsOpen()) reader_->Tidy();
}

Status SqlHistory::Prune(Time now) {
  auto done = WithReader<bool>([&](Database& database) -> Expected<bool> {
    auto before = [&](Duration keep) { return std::to_string(ToUnixMillis(now - keep)); };
    if (Status s = database.Execute("DELETE FROM measurements WHERE at < $1",
                                    {before(options_.retain_measurements)});
        !s)
      return s.error();
    if (Status s =
            database.Execute("DELETE FROM givens WHERE at < $1", {before(options_.retain_givens)});
        !s)
      return s.error();
    if (Status s = database.Execute("DELETE FROM releases WHERE ended IS NOT NULL AND started < $1",
                                    {before(options_.retain_releases)});
        !s) {
      return s.error();
    }
    if (Status s = database.Execute("BEGIN"); !s) return s.error();
    Status pruned = PruneChain(database, options_.writer, before(options_.retain_facts));
    Status ended = database.Execute(pruned ? "COMMIT" : "ROLLBACK");
    if (!pruned) return pruned.error();
    if (!ended) return ended.error();
    return true;
  });
  if (!done) return done.error();
  return {};
}

}  // namespace rollguard::history
