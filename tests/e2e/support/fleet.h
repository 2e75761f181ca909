// SPDX-License-Identifier: Apache-2.0
// Guarded services in a real cluster: the same strategies, routers and owners' objects as the
// seeded simulation has (tests/simulation/harness/setup.h), each in a namespace of its own, and one
// agent for all of them that reaches the API server through a recording proxy.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/support/api_proxy.h"
#include "tests/e2e/support/blocking_cluster.h"
#include "tests/simulation/harness/setup.h"
#include "tests/support/agent_process.h"

namespace rollguard::testing {

struct Member {
  const simulation::Setup* setup = nullptr;
  std::string ns;
  std::vector<Json> objects;           // as the owner created them
  std::map<std::string, Json> before;  // "Kind/name" -> as the server had them before the guard
  bool swaps() const { return setup->second; }
  bool held() const {  // the workload is paused at rest
    return setup->kind == "Deployment" && setup->name != "rolling observed";
  }
};

class Fleet {
 public:
  Fleet();

  // Namespace, workload, Services, routing objects; not the guard.
  Member& Add(const std::string& setup_name);
  std::vector<std::unique_ptr<Member>>& members() { return members_; }

  bool StartAgent();
  void KillAgent();
  AgentProcess& agent() { return *agent_; }
  int agent_port() const { return agent_port_; }  // the same for every start
  // Headers of somebody who may look at everything.
  std::vector<std::pair<std::string, std::string>> Reader() const {
    return {{"Authorization", "Bearer reader"}};
  }
  ApiProxy& proxy() { return proxy_; }
  BlockingCluster& cluster() { return cluster_; }
  std::string Log() const { return ReadFile(dir_.path() + "/agent.log"); }

  // Creates or changes the guard. `waits`: the release stops before its end until it is told;
  // else it runs through quickly.
  Status PutGuard(const Member& member, bool waits);
  void SetVersion(const Member& member, const std::string& version);
  // Posts a firing critical alert about the guard.
  PlainAnswer PostAlert(const Member& member, const std::string& name = "Broken");
  PlainAnswer PostAlertAbout(const std::string& guard, const std::string& name,
                             bool resolved = false);
  // Minimal CRDs of these kinds; true when the server knows them all.
  bool InstallKinds(const std::vector<ResourceType>& types, bool with_status = false);

  Json StatusOf(const Member& member);
  // Until it holds for every member; else the names of those for which it does not.
  std::string AwaitAll(const std::function<bool(const Member&)>& holds,
                       std::chrono::milliseconds limit);
  bool AtRest(const Member& member, const std::string& outcome);
  // Where a release that waits has come to rest and is to be judged.
  bool Waits(const Member& member);

  std::vector<std::string> Images(const Member& member);  // of pods that are not being deleted
  Json Workload(const Member& member);
  Json Current(const Member& member, const Json& object);

 private:
  TempDir dir_{"fleet"};
  ApiProxy proxy_;
  BlockingCluster cluster_;
  std::vector<std::unique_ptr<Member>> members_;
  std::unique_ptr<AgentProcess> agent_;
  int agent_port_;
  int alerts_ = 0;
  std::map<std::string, Time> firing_;  // since when, by guard and name
  int number_;  // tells the namespaces of several fleets apart
};

// $KUBECONFIG.
std::string Kubeconfig();

}  // namespace rollguard::testing
