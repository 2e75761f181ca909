// SPDX-License-Identifier: Apache-2.0
// What happened, kept: releases, decisions, measurements, alerts, approvals, calls with their
// actor. Implemented by agent/history over SQLite or PostgreSQL, and in memory for simulation and
// tests.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/expected.h"
#include "agent/base/json.h"
#include "agent/base/time.h"

namespace rollguard {

// One fact. `id` is unique within its kind (a decision's id, an alert's event key); writing the
// same (kind, id) again is a no-op, so that a fact recorded before a crash and again after it
// stands once.
struct HistoryRecord {
  std::string kind{};  // decision alert approval call release
  std::string id{};
  Time at{};
  std::string guard{};    // namespace/name, or empty
  std::string release{};  // or empty
  std::string actor{};    // who or what: "rollguard", a user, "alertmanager"
  Json body{};
  // What the fact was made from, as one (large) JSON text. Kept apart from the fact, compressed and
  // for a shorter time; the stored body names it by its hash in `given` (see History::Given).
  std::string given{};
};

// A release as a row that changes until it has ended. `id` decides; the newest write wins.
struct ReleaseRow {
  std::string id{};
  std::string guard{};
  std::string strategy{};
  std::string revision{};
  std::string previous{};
  Time started{};
  std::optional<Time> ended{};
  std::string outcome{};       // "" while running; promoted rolled_back superseded aborted rejected
  std::string trigger{};       // what took it back: rule or alert name, "person", "deadline"
  std::string trigger_kind{};  // rule alert analysis health person deadline
  std::optional<Time>
      trigger_at{};  // when the trigger began (an alert's startsAt, a rule's first breach)
  std::optional<Time> safe_at{};  // when traffic was off the candidate
  std::optional<Time> commit_time{};
  std::optional<bool> right{};  // of a rollback: whether the trigger went away afterwards
};

struct MeasurementRow {
  Time at{};
  std::string guard{};
  std::string release{};
  std::string metric{};
  double value = 0;  // NaN: none
  std::string verdict{};
};

struct HistoryFilter {
  std::string kind{};
  std::string guard{};
  std::string release{};
  std::string id{};
  std::optional<Time> since{};
  std::optional<Time> until{};
  int64_t before_seq = 0;  // paging: rows older than this
  size_t limit = 100;      // newest first
};

struct StoredRecord {
  int64_t seq = 0;
  HistoryRecord record;
  std::string hash{};
};

struct HistoryHealth {
  bool degraded = false;
  std::string reason{};
  size_t waiting = 0;  // facts not yet durable
  Duration lag{0};     // age of the oldest of them
};

// Writes never block the caller and never fail for it: they are queued, kept through outages and
// written in order. `durable` runs on the writer's thread: ok once the fact has survived a crash,
// an error when it could not be written within the writer's patience (it is still kept and
// retried). Reads block and must not be made on the deciding thread. Thread-safe.
class History {
 public:
  virtual ~History() = default;
  using Durable = std::function<void(Status)>;
  virtual void Append(HistoryRecord record, Durable durable = {}) = 0;
  virtual void PutRelease(ReleaseRow row) = 0;
  virtual void Measure(MeasurementRow row) = 0;

  virtual Expected<std::vector<StoredRecord>> Find(const HistoryFilter& filter) = 0;
  virtual Expected<std::vector<ReleaseRow>> Releases(const HistoryFilter& filter) = 0;
  virtual Expected<std::vector<MeasurementRow>> Measurements(const HistoryFilter& filter) = 0;
  // The text that a stored body's `given` names. kNotFound once its time is over.
  virtual Expected<std::string> Given(const std::string& hash) {
    return Error(ErrorCode::kNotFound, "nothing is kept under " + hash);
  }
  virtual HistoryHealth Health() = 0;
};

}  // namespace rollguard
