// SPDX-License-Identifier: Apache-2.0
// The history of a running agent, read over its REST interface: what `history`, `explain`, `replay`
// and `stats` see without a database of their own. Reads only; asks for pages until there is
// enough.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "agent/cli/remote.h"
#include "agent/ports/history.h"

namespace rollguard::cli {

class RemoteHistory final : public History {
 public:
  explicit RemoteHistory(std::unique_ptr<Remote> remote) : remote_(std::move(remote)) {}

  void Append(HistoryRecord, Durable) override {}
  void PutRelease(ReleaseRow) override {}
  void Measure(MeasurementRow) override {}
  HistoryHealth Health() override { return {}; }

  Expected<std::vector<StoredRecord>> Find(const HistoryFilter& filter) override;
  Expected<std::vector<ReleaseRow>> Releases(const HistoryFilter& filter) override;
  Expected<std::vector<MeasurementRow>> Measurements(const HistoryFilter& filter) override;
  // Of a decision that Find gave before.
  Expected<std::string> Given(const std::string& hash) override;

  Remote& remote() { return *remote_; }

 private:
  // Items of all pages of a list, at most so many.
  Expected<std::vector<Json>> Pages(const std::string& path, const HistoryFilter& filter);

  std::unique_ptr<Remote> remote_;
  std::map<std::string, std::string> given_of_;  // hash -> the decision that names it
};

}  // namespace rollguard::cli
