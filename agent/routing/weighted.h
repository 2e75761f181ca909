// SPDX-License-Identifier: Apache-2.0
// What most routers have in common: lists of destinations with weights, in which one entry is the
// stable track's and one the candidate's. The entries' weights keep their sum, so a share the owner
// gave to somebody else stays as it is.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agent/base/expected.h"
#include "agent/base/json.h"

namespace rollguard::routing {

// How to tell the two entries of a list apart, and how to make one from the other.
struct Shape {
  std::function<bool(const Json&)> is_stable;
  std::function<bool(const Json&)> is_candidate;
  // An owner's entry -> the stable track's; an entry that is that already is left as it is.
  std::function<void(Json&)> to_stable;
  std::function<Json(const Json&)> to_candidate;  // the owner's stable entry -> the candidate's
  std::string weight = "weight";
};

// A weight as somebody wrote it, within what sums and percents of it can be counted in.
int64_t WeightFrom(const Json& value);

bool HasStable(const Json& list, const Shape& shape);
bool HasCandidate(const Json& list, const Shape& shape);

// Sets both weights; adds the candidate's entry when it is missing. Returns what RestList needs:
// {"stable": entry, "candidate": entry or null}. Invalid: no stable entry, or a share that cannot
// be expressed beside foreign entries.
Expected<Json> SplitList(Json& list, const Shape& shape, int64_t candidate);

// Puts the owner's two entries back; entries added by others since then stay. When the tracks have
// changed places since the memo was written the entries have too: what the owner gave stable is
// stable's again.
void RestList(Json& list, const Shape& shape, const Json& memo);

// The candidate's share in percent; nothing when the list has no candidate.
std::optional<int64_t> ReadList(const Json& list, const Shape& shape);

// Entries that name a Service of the track under `key`, in the ways an entry may be written.
Shape ServiceShape(const std::string& key, const std::string& stable, const std::string& candidate);

}  // namespace rollguard::routing
