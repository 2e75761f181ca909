// SPDX-License-Identifier: Apache-2.0
#include "agent/history/memory_history.h"

#include <algorithm>

#include "agent/base/hash.h"

namespace rollguard::history {
namespace {

bool InTime(const HistoryFilter& filter, Time at) {
  return (!filter.since || at >= *filter.since) && (!filter.until || at < *filter.until);
}

bool Same(const std::string& wanted, const std::string& value) {
  return wanted.empty() || wanted == value;
}

}  // namespace

void MemoryHistory::Append(HistoryRecord record, Durable durable) {
  if (failing_) {
    if (durable) durable(Error(ErrorCode::kUnavailable, "the history is away"));
    return;
  }
  if (known_.emplace(std::pair(record.kind, record.id), records_.size()).second) {
    if (!record.given.empty()) {
      std::string hash = Sha256Hex(record.given);
      record.body.Set("given", hash);
      givens_[hash] = std::move(record.given);
      record.given.clear();
    }
    records_.push_back(std::move(record));
  }
  if (durable) durable({});
}

void MemoryHistory::PutRelease(ReleaseRow row) {
  auto found = std::find_if(releases_.begin(), releases_.end(),
                            [&](const ReleaseRow& r) { return r.id == row.id; });
  if (found != releases_.end()) {
    *found = std::move(row);
  } else {
    releases_.push_back(std::move(row));
  }
}

Expected<std::vector<StoredRecord>> MemoryHistory::Find(const HistoryFilter& filter) {
  std::vector<StoredRecord> found;
  for (size_t i = records_.size(); i-- > 0 && found.size() < filter.limit;) {
    const HistoryRecord& r = records_[i];
    auto seq = static_cast<int64_t>(i) + 1;
    if (Same(filter.kind, r.kind) && Same(filter.guard, r.guard) &&
        Same(filter.release, r.release) && Same(filter.id, r.id) && InTime(filter, r.at) &&
        (filter.before_seq == 0 || seq < filter.before_seq)) {
      found.push_back({seq, r, ""});
    }
  }
  return found;
}

Expected<std::string> MemoryHistory::Given(const std::string& hash) {
  auto found = givens_.find(hash);
  if (found == givens_.end()) return History::Given(hash);
  return found->second;
}

Expected<std::vector<ReleaseRow>> MemoryHistory::Releases(const HistoryFilter& filter) {
  std::vector<ReleaseRow> found;
  for (size_t i = releases_.size(); i-- > 0 && found.size() < filter.limit;) {
    const ReleaseRow& r = releases_[i];
    if (Same(filter.guard, r.guard) && Same(filter.release, r.id) && Same(filter.id, r.id) &&
        InTime(filter, r.started))
      found.push_back(r);
  }
  return found;
}

Expected<std::vector<MeasurementRow>> MemoryHistory::Measurements(const HistoryFilter& filter) {
  std::vector<MeasurementRow> found;
  for (size_t i = measurements_.size(); i-- > 0 && found.size() < filter.limit;) {
    const MeasurementRow& m = measurements_[i];
    if (Same(filter.guard, m.guard) && Same(filter.release, m.release) && InTime(filter, m.at))
      found.push_back(m);
  }
  return found;
}

}  // namespace rollguard::history
