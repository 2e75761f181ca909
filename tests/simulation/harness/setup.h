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
  // Who carries releases out: the agent, or another controller that it watches and tells.
  enum class Carrier { kAgent, kArgo, kFlagger };
  Carrier carrier = Carrier::kAgent;
  std::string steps = {};  // of an Argo Rollout, JSON
  // JSON pointers of what nobody but the owner may ever change, by "Kind/name".
  struct Foreign {
    std::string object;
    std::string pointer;
  };
  std::vector<Foreign> foreign = {};

  bool external() const { return carrier != Carrier::kAgent; }
  bool rolling() const { return strategy.starts_with("rolling"); }
  bool replica_ratio() const { return strategy.find("routing") == std::string::npos; }
};

// Every strategy with every router it can use. The order is part of what a seed means.
const std::vector<Setup>& Setups();
// The other strategies with further routers, and two Deployments with each: for tests that need no
// seeds.
const std::vector<Setup>& FurtherSetups();
// The strategy external: an Argo Rollout, a Flagger Canary (external_setup.cc).
const std::vector<Setup>& ExternalSetups();
const Setup* FindSetup(std::string_view name);  // of all

// What the owner edits to release a version: the target, or the Deployment a Canary speaks of.
ResourceType OwnersType(const Setup& setup);

std::string ImageOf(std::string_view version);  // "v2" -> "shop/checkout:v2"
// `configured`: it reads the ConfigMap `settings` and the Secret `keys`.
Json TemplateOf(std::string_view version, bool configured = false);
// What those two hold with that version.
Json SettingsOf(std::string_view version);
Json KeysOf(std::string_view version);
// The workload at rest, before anything happened.
Json WorkloadOf(const Setup& setup, const std::string& name, int64_t replicas,
                bool configured = false);
// The same of another controller: its object, and what that object speaks of.
std::vector<Json> ForeignWorkloadOf(const Setup& setup, int64_t replicas);

}  // namespace rollguard::simulation
