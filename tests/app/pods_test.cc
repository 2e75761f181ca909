// SPDX-License-Identifier: Apache-2.0
// Which pods a rule's $candidate_pods and $stable_pods are, for each kind of workload.
#include "agent/app/bindings.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

TEST_CASE("pods of a revision by the kind of workload") {
  const Json canary =
      *ParseJson(R"({"spec":{"targetRef":{"name":"web"}},"status":{"lastPromotedSpec":"r1"}})");
  release::RevisionView one{"r1", "h1", 1, 1, 1, 1, nullptr, {"web-0", "web-2"}, {}, {}};
  release::RevisionView two{"r2", "h2", 2, 1, 1, 1, nullptr, {"web-1"}, {}, {}};
  struct Row {
    const char* kind;
    const char* revision;
    const char* want;
  };
  const Row rows[] = {
      {"Deployment", "r1", "web-h1-.*"},
      {"Deployment", "r2", "web-h2-.*"},
      {"Rollout", "r2", "web-h2-.*"},
      {"StatefulSet", "r1", "web-0|web-2"},
      {"DaemonSet", "r2", "web-1"},
      {"Canary", "r1", "web-primary-.*"},
      {"Canary", "r2", "web-[a-z0-9]+-[a-z0-9]+"},
      {"Deployment", "r3", ""},
  };
  for (const Row& row : rows) {
    INFO(row.kind << " " << row.revision);
    spec::Guard guard;
    guard.target.kind = row.kind;
    guard.target.name = "web";
    release::Observation seen;
    seen.target.exists = true;
    seen.target.object = &canary;
    seen.target.revisions = {one, two};
    CHECK(app::PodPattern(guard, seen, row.revision) == row.want);
  }
}

}  // namespace
}  // namespace rollguard::testing
