// SPDX-License-Identifier: Apache-2.0
// A strategy with a router, and everything of its owner that stands around it: the workload, the
// Services, the routing objects with foreign fields and foreign routes in them.
#pragma once

#include <string>
#include <vector>

#include "agent/ports/cluster.h"
#include "agent/sim/routes.h"

namespace rollguard::simulation {

inline constexpr const char* kNs = "shop";
inline constexpr const char* kApp = "checkout";

struct Setup {
  std::string name;
  std::string strategy;  // flow YAML below `strategy:`
  std::string kind = "Deployment";
  sim::RouteSource source = {};
  std::vector<std::string> objects = {};  // JSON of what the owner wrote, without the workload
  std::vector<ResourceType> types = {};   // custom kinds among them
  // A rollout of Kubernetes' own never loses requests either, except where pods are replaced in
  // place.
  bool lossless = true;
  bool second = false;       // a second Deployment of somebody else carries the candidate
  int64_t max_replicas = 0;  // over 0: a HorizontalPodAutoscaler up to this
  // JSON pointers of what nobody but the owner may ever change, by "Kind/name".
  struct Foreign {
    std::string object;
    std::string pointer;
  };
  std::vector<Foreign> foreign = {};

  bool rolling() const { return strategy.starts_with("rolling"); }
  bool replica_ratio() const { return strategy.find("routing") == std::string::npos; }
};

// Every strategy with every router it can use. The order is part of what a seed means.
const std::vector<Setup>& Setups();
// The other strategies with further routers, and two Deployments with each: for tests that need no
// seeds.
const std::vector<Setup>& FurtherSetups();
const Setup* FindSetup(std::string_view name);  // of both

std::string ImageOf(std::string_view version);  // "v2" -> "shop/checkout:v2"
// `configured`: it reads the ConfigMap `settings` and the Secret `keys`.
Json TemplateOf(std::string_view version, bool configured = false);
// What those two hold with that version.
Json SettingsOf(std::string_view version);
Json KeysOf(std::string_view version);
// The workload at rest, before anything happened.
Json WorkloadOf(const Setup& setup, const std::string& name, int64_t replicas,
                bool configured = false);

}  // namespace rollguard::simulation
