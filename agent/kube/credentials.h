// SPDX-License-Identifier: Apache-2.0
// What proves who we are, kept fresh: static tokens, token files that rotate, exec plugins.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/kube/config.h"
#include "agent/ports/http_client.h"

namespace rollguard::kube {

struct Credential {
  HttpHeaders headers;                    // Authorization, Impersonate-*
  std::shared_ptr<const TlsOptions> tls;  // with the plugin's client certificate when it gave one
};

// What a plugin printed: token, client certificate and when it expires.
struct ExecCredential {
  std::string token;
  std::string cert_pem;
  std::string key_pem;
  Time expires = Time::max();
};
// `origin` begins each error: which user of which kubeconfig.
Expected<ExecCredential> ParseExecCredential(const std::string& origin, const std::string& text);

// Thread-safe. A plugin runs on a thread of its own, one at a time; all who ask meanwhile wait for
// it. `config` and `clock` must outlive it.
class Credentials {
 public:
  Credentials(const ClusterConfig& config, const Clock& clock);
  ~Credentials();  // ends a running plugin; who still waits is not called

  using Done = std::function<void(Expected<Credential>)>;
  // Calls `done` at once when the credential is at hand, else from the plugin's thread.
  void Get(Done done);
  // The server refused what Get gave: read the file or run the plugin again. False when there is
  // nothing that could change.
  bool Refresh();
  void Stop();

 private:
  Expected<std::string> Token();
  Credential Build(const std::string& token, std::shared_ptr<const TlsOptions> tls) const;
  void StartPlugin();
  void PluginEnded(Expected<ExecCredential> result);
  Expected<ExecCredential> RunPlugin();

  const ClusterConfig& config_;
  const Clock& clock_;
  std::shared_ptr<const TlsOptions> tls_;

  std::mutex mutex_;
  bool stopped_ = false;
  std::string file_token_;
  std::chrono::nanoseconds file_read_at_{0};
  bool file_known_ = false;
  ExecCredential exec_;
  bool exec_known_ = false;
  std::shared_ptr<const TlsOptions> exec_tls_;
  bool plugin_runs_ = false;
  std::atomic<bool> stop_plugin_{false};
  std::vector<Done> waiting_;
  std::thread plugin_;
};

}  // namespace rollguard::kube
