// SPDX-License-Identifier: Apache-2.0
// Writes what happens into the history: decisions with all that Step was given, and a row per
// release that grows until it ends and is marked right or wrong when its rollback was verified.
// Belongs to the deciding thread.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/app/sensor.h"
#include "agent/ports/history.h"

namespace rollguard::app {

// On the pod template or the workload: when the change was committed, RFC 3339. For the lead time.
inline constexpr std::string_view kCommitTimeAnnotation = "rollguard.dev/commit-time";

class Recorder : public Listener {
 public:
  explicit Recorder(History& history) : history_(history) {}

  // Rows that had not ended when an earlier process stopped: they go on.
  void Restore(const std::vector<ReleaseRow>& running);

  void Stepped(const SteppedView& view) override;
  void Decided(const spec::Guard& guard, const release::Decision& decision) override;
  void Changed(const spec::Guard& guard, const release::GuardState& before,
               const release::GuardState& after, const release::Observation& observation) override;
  void Told(const spec::Guard& guard, const release::Notify& notice) override;
  void Removed(const std::string& guard) override;

 private:
  // What the last Step of a guard was given, until its decisions are durable.
  struct Pending {
    std::set<std::string> decisions;
    std::string given;
  };
  ReleaseRow RowOf(const spec::Guard& guard, const release::ReleaseState& state) const;
  void CatchUp(const std::string& guard, const release::GuardState& state);

  History& history_;
  std::map<std::string, Pending> pending_;    // by guard
  std::map<std::string, ReleaseRow> open_;    // by guard
  std::map<std::string, ReleaseRow> closed_;  // by guard: the last, for the verdict that may follow
  std::map<std::string, Time> committed_;     // by guard: of the template that is in the spec
  std::set<std::string> caught_up_;           // guards
};

}  // namespace rollguard::app
