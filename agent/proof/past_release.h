// SPDX-License-Identifier: Apache-2.0
// Releases of the past: from a list that a person gives, or found in the series that
// kube-state-metrics leaves behind.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/diagnostic.h"
#include "agent/promql/value.h"
#include "agent/spec/guard.h"

namespace rollguard::proof {

struct PastRelease {
  enum class Label { kUnknown, kGood, kBad };
  std::string id;
  std::string ns = "default";
  std::string workload;
  std::string service;  // empty: the workload's name
  Time start{};
  Time end{};
  // Patterns; become $candidate_pods and $stable_pods. Without stable pods nothing is compared.
  std::string candidate_pods;
  std::string stable_pods;
  spec::StringMap vars;
  Label label = Label::kUnknown;  // what really was the case
};
const char* ToString(PastRelease::Label label);

// A list of `{id, namespace, workload, service, start, end, candidatePods, stablePods, vars,
// label}`. Without pods: WORKLOAD-.*. Every problem is reported; the value is usable only without.
std::vector<PastRelease> ParseReleases(std::string_view file, std::string_view text,
                                       Diagnostics& diagnostics);

// "2026-11-02T10:00:00Z", Unix seconds, "now", or "-7d" before now. Nothing for anything else.
std::optional<Time> ParseMoment(std::string_view text, Time now);

struct ReleaseSearch {
  std::string ns;
  std::string workload;
  std::string service;
  Time from{};
  Time to{};
  Duration length{0};  // a release ends so long after its start, or when the next one begins
};

// Where releases can be seen, best first. `query` is asked as an instant query at `to`, or as a
// range when `step` is not 0.
struct ReleaseQuery {
  std::string name;  // of the series, for people
  std::string query;
  Duration step{0};
};
std::vector<ReleaseQuery> ReleaseQueries(const ReleaseSearch& search);
// What the answer to query number `which` shows; empty when it shows nothing.
std::vector<PastRelease> FindReleases(const ReleaseSearch& search, size_t which,
                                      const promql::Value& answer);

// A stretch without releases as many healthy ones, one after the other.
std::vector<PastRelease> QuietReleases(const ReleaseSearch& search);

}  // namespace rollguard::proof
