// SPDX-License-Identifier: Apache-2.0
// History in memory: what simulation, rehearsal and tests record into. Durable at once unless told
// to fail. Single-threaded.
#pragma once

#include <map>

#include "agent/ports/history.h"

namespace rollguard::history {

class MemoryHistory : public History {
 public:
  void Append(HistoryRecord record, Durable durable = {}) override;
  void PutRelease(ReleaseRow row) override;
  void Measure(MeasurementRow row) override { measurements_.push_back(std::move(row)); }
  Expected<std::vector<StoredRecord>> Find(const HistoryFilter& filter) override;
  Expected<std::vector<ReleaseRow>> Releases(const HistoryFilter& filter) override;
  Expected<std::vector<MeasurementRow>> Measurements(const HistoryFilter& filter) override;
  Expected<std::string> Given(const std::string& hash) override;
  HistoryHealth Health() override { return {}; }

  // From now on appends fail (or work again).
  void SetFailing(bool failing) { failing_ = failing; }
  const std::vector<HistoryRecord>& records() const { return records_; }

 private:
  std::vector<HistoryRecord> records_;
  std::map<std::pair<std::string, std::string>, size_t> known_;
  std::vector<ReleaseRow> releases_;
  std::vector<MeasurementRow> measurements_;
  std::map<std::string, std::string> givens_;
  bool failing_ = false;
};

}  // namespace rollguard::history
