// SPDX-License-Identifier: Apache-2.0
// How to reach one API server, and as whom: from flags, a kubeconfig, or the pod's service account.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/base/expected.h"
#include "agent/base/time.h"
#include "agent/ports/http_client.h"

namespace rollguard::kube {

// A program that prints an ExecCredential (client.authentication.k8s.io).
struct ExecPlugin {
  std::string command;  // as written; a path with a slash is relative to the kubeconfig's folder
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;  // added to the agent's own environment
  std::string api_version;
  std::string install_hint;
  bool provide_cluster_info = false;
  Duration timeout = std::chrono::seconds(30);
};

// Ready for KubeClient. Every file that is read once has been read and checked; token files are
// read again while the client runs.
struct ClusterConfig {
  std::string server;  // "https://10.96.0.1:443", no slash at the end
  TlsOptions tls;      // client certificates included
  std::string proxy;
  std::string unix_socket;
  std::string default_namespace = "default";

  // The first that is not empty is used: exec, token file, token, user and password.
  ExecPlugin exec;  // command empty: none
  std::string token_file;
  std::string token;
  std::string username;
  std::string password;

  std::string impersonate_user;
  std::vector<std::string> impersonate_groups;

  std::string origin;  // for messages: `context "dev" of /home/a/.kube/config`
};

// What was said on the command line or in the agent's own configuration; empty means not said.
struct ConfigFlags {
  std::string kubeconfig;
  std::string context;
  std::string cluster;
  std::string user;
  std::string server;
  std::string ca_file;
  std::string token;
  std::string token_file;
  std::string client_certificate;
  std::string client_key;
  std::string tls_server_name;
  std::string proxy_url;
  std::string ns;
  std::string as;
  std::vector<std::string> as_groups;
  bool insecure = false;
};

// What main() found around the process. Nothing in this folder reads the environment itself.
struct Surroundings {
  std::string kubeconfig_env;  // $KUBECONFIG: files joined by ':'
  std::string home;            // $HOME
  std::string service_host;    // $KUBERNETES_SERVICE_HOST
  std::string service_port;    // $KUBERNETES_SERVICE_PORT
  std::string service_account_dir = "/var/run/secrets/kubernetes.io/serviceaccount";
};

// In this order: flags that name a server and no kubeconfig; a kubeconfig (flag, $KUBECONFIG,
// ~/.kube/config); the service account. The error names file and key, and what to do. `now` is
// held against the validity of client certificates.
Expected<ClusterConfig> LoadConfig(const ConfigFlags& flags, const Surroundings& around, Time now);

// The parts of LoadConfig. A kubeconfig list is merged as kubectl does: the first file that sets a
// value wins, missing files are passed over unless all are missing.
Expected<ClusterConfig> LoadKubeconfig(const std::vector<std::string>& files,
                                       const ConfigFlags& flags, Time now);
Expected<ClusterConfig> LoadInCluster(const Surroundings& around);

// The names of the contexts of a kubeconfig list and the current one ("" when unset).
struct ContextList {
  std::vector<std::string> names;
  std::string current;
};
Expected<ContextList> ListContexts(const std::vector<std::string>& files);

}  // namespace rollguard::kube
