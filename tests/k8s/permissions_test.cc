// SPDX-License-Identifier: Apache-2.0
// Least privilege, held from both sides: every example is released, promoted and taken back in a
// simulated cluster; what was asked for must be allowed, and what is allowed must have been asked
// for.
#include "tests/k8s/permissions.h"

#include <algorithm>

#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::shipped {
namespace {

const std::vector<std::string> kRouters = {"istio",   "gateway-api",   "ingress",
                                           "traefik", "contour",       "apisix",
                                           "smi",     "argo-rollouts", "flagger"};

std::vector<std::string> AllRoles() {
  std::vector<std::string> files = {"k8s/base/rbac.yaml",
                                    "k8s/overlays/high-availability/leases-role.yaml"};
  for (const std::string& router : kRouters)
    files.push_back(StrCat("k8s/components/routers/", router, "/cluster-role.yaml"));
  return files;
}

std::string Without(const Permissions& all, const Permissions& taken) {
  std::string out;
  for (const std::string& permission : all) {
    if (!taken.contains(permission)) out += permission + "\n";
  }
  return out;
}

TEST_CASE("the agent may do all that it asks for, and nothing else") {
  Permissions asked;
  size_t played = 0;
  for (const std::string& file : FilesIn("k8s/examples/guards")) {
    std::string problem;
    Permissions of_guard = AskedBy(file, problem);
    INFO(file << ": " << problem);
    // What the rehearsal's stage cannot set, it says; the table has what those ask for.
    CHECK((problem.empty() || problem.find("does not follow") != std::string::npos ||
           file.find("external-") != std::string::npos));
    asked.insert(of_guard.begin(), of_guard.end());
    played += problem.empty() ? 1 : 0;
  }
  CHECK(played >= 12);
  for (const Asked& row : AskedElsewhere()) asked.insert(row.permission);
  // A write that is refused is followed by reading the object again (agent/app/executor).
  for (const std::string& permission : Permissions(asked)) {
    const size_t blank = permission.find(' ');
    const std::string resource = permission.substr(0, blank), verb = permission.substr(blank + 1);
    const bool writes = verb == "create" || verb == "patch" || verb == "delete";
    const bool plain = std::count(resource.begin(), resource.end(), '/') == 1;
    const bool told_only = resource.find("review") != std::string::npos ||
                           resource.find("events") != std::string::npos || resource == "/pods";
    if (writes && plain && !told_only) asked.insert(StrCat(resource, " get"));
  }
  // The kind of a generic router is the operator's to allow.
  std::erase_if(asked, [](const std::string& p) { return p.starts_with("router.example.com/"); });
  const Permissions granted = GrantedBy(AllRoles());
  CHECK(Without(asked, granted) == "");
  CHECK(Without(granted, asked) == "");
}

TEST_CASE("observing writes nothing but what it says of itself") {
  std::string problem;
  Permissions asked = AskedBy("k8s/examples/guards/observe.yaml", problem);
  REQUIRE(problem == "");
  Permissions writes;
  for (const std::string& permission : asked) {
    const bool reads = permission.ends_with(" get") || permission.ends_with(" list") ||
                       permission.ends_with(" watch");
    if (!reads) writes.insert(permission);
  }
  CHECK(Without(writes, {"rollguard.dev/guards/status patch"}) == "");
  const Permissions granted = GrantedBy({"k8s/overlays/observe-only/read-only.yaml"});
  for (const std::string& permission : granted) {
    INFO(permission);
    const bool harmless = permission.ends_with(" get") || permission.ends_with(" list") ||
                          permission.ends_with(" watch") ||
                          permission == "rollguard.dev/guards/status patch" ||
                          permission == "events.k8s.io/events create" ||
                          permission.find("reviews create") != std::string::npos;
    CHECK(harmless);
  }
}

}  // namespace
}  // namespace rollguard::shipped
