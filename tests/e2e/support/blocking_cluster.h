// SPDX-License-Identifier: Apache-2.0
// A cluster as tests speak to it: every call waits for its answer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/kube/client.h"
#include "agent/net/curl_client.h"
#include "tests/support/process.h"
#include "tests/support/real_clock.h"

namespace rollguard::testing {

class BlockingCluster {
 public:
  // Ends the program with the reason when the kubeconfig cannot be used.
  explicit BlockingCluster(const std::string& kubeconfig);

  Expected<Json> Call(ClusterRequest request);
  // Null when there is no such object (or an error, which is printed).
  Json Get(const ResourceType& type, const std::string& ns, const std::string& name);
  std::vector<Json> List(const ResourceType& type, const std::string& ns);
  // The kind is found by apiVersion and kind; unknown ones get the plural Kubernetes would give.
  Expected<Json> Create(const Json& object);
  Expected<Json> Apply(const Json& object);  // create, or merge into what is there
  Expected<Json> Patch(const ResourceType& type, const std::string& ns, const std::string& name,
                       const Json& merge_patch);
  Status Delete(const ResourceType& type, const std::string& ns, const std::string& name);

  // Every object of a YAML text, created.
  Status CreateAll(const std::string& yaml);

  kube::KubeClient& client() { return *client_; }

 private:
  RealClock clock_;
  net::CurlClient http_;
  std::unique_ptr<kube::KubeClient> client_;
};

// The objects of a YAML text of several documents.
std::vector<Json> ObjectsOf(const std::string& yaml);

}  // namespace rollguard::testing
