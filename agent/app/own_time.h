// SPDX-License-Identifier: Apache-2.0
// Where the names of pods say nothing about their revision, queries would judge a candidate by what
// another one did under the same names: a pod of a StatefulSet is called as its predecessor was,
// and the canary pods of Flagger are told apart by nothing. There a query looks no further back
// than the candidate's own time.
//
// Pods of a StatefulSet come one after the other. The ones that have had half of the time a query
// looks back are asked about, over as much of it as is theirs; before any has, the oldest.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "agent/app/bindings.h"
#include "agent/app/sensor.h"

namespace rollguard::app {

class OwnTime {
 public:
  // While the pods are on their way out their names may be gone: what was known stands.
  void Learn(const GuardView& view);

  struct Asked {
    std::string pods;   // their pattern; empty: all that are known
    Duration reach{0};  // no further back than that
  };
  // For a query that looks `reach` back at `at`; nothing: as it is written.
  std::optional<Asked> For(Duration reach, Time at) const;
  // Names tell: nothing is ever limited.
  bool unlimited() const { return !began_ && pods_.empty(); }

 private:
  std::optional<Time> began_;
  std::map<std::string, Time> pods_;  // the candidate's, since when
  std::map<std::string, Time> seen_;  // of the whole release: evidence outlives a pod
  std::string release_;
};

// BindQuery at `at`, within the candidate's own time. `values` has $candidate_pods; `mine`: $pods
// are the candidate's, too.
Expected<std::string> BindQueryWithin(const OwnTime& own, bool mine,
                                      const promql::ParseResult& parsed, std::string_view text,
                                      promql::Bindings values, Time at);

}  // namespace rollguard::app
