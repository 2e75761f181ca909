// SPDX-License-Identifier: Apache-2.0
// Whose doing is what the signals say? An alert names no version: of one that began when pods of a
// newer template ran already (the agent was away, nobody held what rolls) the candidate is not the
// cause. All of it goes back then, and the newer one is judged by itself.
#include <algorithm>

#include "agent/release/context.h"

namespace rollguard::release {
namespace {

bool IsOfNewer(const Context& c, const Signal& signal) {
  if (signal.source != Signal::Source::kAlert || !signal.since) return false;
  const WorkloadView& w = c.tracks.roles_swap ? c.candidate() : c.obs.target;
  if (w.revision == c.rel().candidate || w.revision == c.rel().stable) return false;
  const RevisionView* newer = w.Find(w.revision);
  if (newer == nullptr || newer->object == nullptr) return false;
  const auto made = ParseRfc3339(newer->object->At("metadata", "creationTimestamp").Str());
  return made && *made > c.rel().started && *made <= *signal.since;
}

}  // namespace

bool IsAtFault(const Context& c, const std::vector<Signal>& signals) {
  return signals.empty() || !std::all_of(signals.begin(), signals.end(), [&](const Signal& signal) {
           return IsOfNewer(c, signal);
         });
}

}  // namespace rollguard::release
