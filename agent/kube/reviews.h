// SPDX-License-Identifier: Apache-2.0
// Who is calling and may they: TokenReview and SubjectAccessReview over the port Cluster.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/ports/cluster.h"

namespace rollguard::kube {

struct Identity {
  std::string username;
  std::string uid;
  std::vector<std::string> groups;
  Json extra;
};

// The identity behind a bearer token; kUnauthenticated when the server does not accept it.
void ReviewToken(Cluster& cluster, const std::string& token, std::vector<std::string> audiences,
                 std::function<void(Expected<Identity>)> done);

struct AccessQuestion {
  std::string verb;  // "rollback"
  std::string group = "rollguard.dev";
  std::string resource = "guards";
  std::string subresource;
  std::string ns;
  std::string name;
};

// ok when allowed; kDenied with the server's reason when not.
void ReviewAccess(Cluster& cluster, const Identity& who, const AccessQuestion& question,
                  std::function<void(Status)> done);

// The same for the agent's own account: what `rollguard` may do itself.
void ReviewOwnAccess(Cluster& cluster, const AccessQuestion& question,
                     std::function<void(Status)> done);

}  // namespace rollguard::kube
