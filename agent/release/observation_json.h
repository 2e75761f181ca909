// SPDX-License-Identifier: Apache-2.0
// An Observation as JSON and back, complete: what Step can see is in it. Kubernetes objects are
// pooled, each once. The contents of ConfigMaps and Secrets are replaced by tokens, the same token
// for the same value, so that comparing them still answers the same and nothing secret is kept.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "agent/base/expected.h"
#include "agent/release/observation.h"

namespace rollguard::release {

inline constexpr int64_t kObservationVersion = 1;

// Replaces the values of ConfigMaps and Secrets. One mask serves one observation and what was
// answered to it.
class ContentMask {
 public:
  // The object with every value of `data`, `binaryData` and `stringData` replaced; the contents of
  // a snapshot of ours are replaced inside it.
  Json Object(const Json& object);
  // A patch of such an object: every string that stood in one is replaced.
  Json Patch(const Json& patch) const;

 private:
  std::string Token(const std::string& value);
  std::string Snapshot(const std::string& encoded);

  std::map<std::string, std::string> tokens_;
};

Json ToJson(const Observation& observation, ContentMask& mask);

// An observation that owns the objects it points to. Moving it keeps the pointers good.
struct OwnedObservation {
  OwnedObservation() = default;
  OwnedObservation(OwnedObservation&&) = default;
  OwnedObservation& operator=(OwnedObservation&&) = default;

  Observation observation;
  std::deque<Json> objects;
};
// The error says which version it is when that is not ours.
Expected<OwnedObservation> ObservationFromJson(const Json& json);

}  // namespace rollguard::release
