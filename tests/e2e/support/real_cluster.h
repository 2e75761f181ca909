// SPDX-License-Identifier: Apache-2.0
// A real Kubernetes control plane on the loopback: etcd, kube-apiserver, kube-controller-manager on
// free ports, with a data folder that is deleted. No scheduler and no kubelet: see FakeKubelet.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/expected.h"
#include "tests/support/address.h"
#include "tests/support/process.h"

namespace rollguard::testing {

inline constexpr const char* kAdminToken = "admin-token";    // system:masters
inline constexpr const char* kViewerToken = "viewer-token";  // user "viewer", no rights
inline constexpr const char* kViewerUser = "viewer";
// Three more of system:masters, so that the audit log tells replicas apart: agent-0 to agent-2.
inline constexpr int kReplicaUsers = 3;

class RealCluster {
 public:
  // Programs are looked for in $KUBEBUILDER_ASSETS, $ROLLGUARD_KUBE_ASSETS and PATH. Waits until
  // the server is ready and the `default` namespace is there. On the main thread only.
  // `audit_policy`: given, every request it selects is recorded in audit_log(). `wire`: the API
  // server reaches etcd at the address it answers for etcd's port.
  static Expected<std::unique_ptr<RealCluster>> Start(const std::string& audit_policy = {},
                                                      std::function<Address(int)> wire = {});
  ~RealCluster();

  const std::string& kubeconfig() const { return kubeconfig_; }
  std::string etcd_url() const;
  int api_port() const { return api_port_; }
  std::string audit_log() const { return File("audit.log"); }
  // SIGKILL, and the same server again. On the main thread.
  Status RestartApiServer();
  // Keeps a copy of the store as it stands, or puts the store back to it. The servers are away
  // meanwhile. On the main thread.
  Status KeepStore();
  Status PutStoreBack();
  // An error with the end of its log when one of the programs is no longer running.
  Status Check() const;

 private:
  RealCluster() = default;
  Status CopyStore(const std::string& from, const std::string& to);
  Status Put(const std::string& name, Expected<std::unique_ptr<Process>> process);
  Process* Find(const std::string& name);
  Status StartEtcd();
  Status StartApiServer();
  Status StartControllerManager();
  Status WriteFiles();
  Status WaitReady();
  std::string File(const std::string& name) const { return dir_.path() + "/" + name; }
  Error Failed(const std::string& program, const std::string& why) const;

  TempDir dir_{"kube"};
  std::string audit_policy_;
  std::function<Address(int)> wire_;
  int etcd_port_ = 0;
  Address etcd_seen_;  // where the API server reaches etcd
  int peer_port_ = 0;
  int api_port_ = 0;
  std::string kubeconfig_;
  // Stopped in reverse order.
  struct Member {
    std::string name;
    std::unique_ptr<Process> process;
  };
  std::vector<Member> members_;
};

}  // namespace rollguard::testing
