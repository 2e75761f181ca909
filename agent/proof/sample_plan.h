// SPDX-License-Identifier: Apache-2.0
// What must be fetched from a server so that rules can be evaluated here as the server would have
// evaluated them: the raw samples of every selector, over every time a question may look at.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/base/diagnostic.h"
#include "agent/ports/metrics_source.h"
#include "agent/promql/storage.h"
#include "agent/proof/past_release.h"
#include "agent/spec/load.h"

namespace rollguard::proof {

// One selector over one stretch of time.
struct SamplePiece {
  std::string selector;  // without range, offset and @
  Time from{};
  Time to{};
  // Not 0: some question reads the selector as an instant vector. Where the server saw a series end
  // is then asked for too, at this step: raw samples do not tell.
  Duration presence{0};
};

// The pieces for all releases, each at most `chunk` long, overlaps merged. `problems` receives what
// makes a rule unanswerable (a variable that the past does not tell).
std::vector<SamplePiece> PlanSamples(const spec::Library& library, const spec::Guard* guard,
                                     const std::vector<PastRelease>& releases, Duration chunk,
                                     std::vector<std::string>& problems);

// The questions for a piece: the raw samples, then the presence if it is wanted.
MetricQuery RawQuery(const SamplePiece& piece);
MetricQuery PresenceQuery(const SamplePiece& piece);

// Collects answers in any order; a sample may come several times.
class SampleBag {
 public:
  // `presence`: the answer to the piece's second question, null when there was none. Series are
  // ended where the server saw them end.
  Status Add(const SamplePiece& piece, const promql::Value& raw, const promql::Value* presence);

  // Everything in order of time. The bag is empty then.
  promql::MemoryStore Take();
  size_t series() const { return points_.size(); }
  size_t samples() const { return samples_; }

 private:
  std::unordered_map<promql::Labels, std::vector<promql::Point>, promql::LabelsHash> points_;
  size_t samples_ = 0;
};

// Where candidate and stable pods are the same pattern, one pod of each release becomes the
// candidate, in turn, and the others stable: healthy releases to compare.
void SpreadPods(const promql::Querier& samples, std::vector<PastRelease>& releases);

}  // namespace rollguard::proof
