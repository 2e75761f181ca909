// SPDX-License-Identifier: Apache-2.0
// Who is calling, and may they. A caller proves itself with a bearer token (one of the static
// tokens, else TokenReview) or with a client certificate that the server verified. What it may do
// is asked of Kubernetes (SubjectAccessReview on guards.rollguard.dev) or, for static names, of the
// configuration. Nothing is open by default; there are no cookies.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/app/loop.h"
#include "agent/base/expected.h"
#include "agent/http/message.h"
#include "agent/kube/reviews.h"
#include "agent/ports/cluster.h"
#include "agent/spec/agent_config.h"

namespace rollguard::api {

struct Caller {
  enum class Kind { kAnonymous, kStatic, kKubernetes, kCertificate };
  Kind kind = Kind::kAnonymous;
  std::string name = "anonymous";
  std::vector<std::string> groups{};
  kube::Identity kubernetes{};  // as the review said; for the access reviews
};
const char* ToString(Caller::Kind kind);

// "May `caller` VERB the guard NS/NAME": an empty name is every guard of the namespace, an empty
// namespace every namespace.
struct AccessRequest {
  std::string verb;
  std::string ns;
  std::string name;
};

// True for get, list and watch: what `anonymous_read` opens.
bool IsReadVerb(std::string_view verb);

// The same time whatever differs, for secrets.
bool ConstantTimeEqual(std::string_view a, std::string_view b);

struct IdentityPorts {
  Cluster* cluster = nullptr;  // null: no reviews; called on the loop only
  app::Loop* loop = nullptr;
  const Clock* clock = nullptr;
  // The text of a file; tokens are read again when a second has passed. Null: the file system.
  std::function<Expected<std::string>(const std::string& path)> read_file{};
};

// Thread-safe; the calls block a server's worker (never the loop) for a few seconds at most.
class Identity {
 public:
  Identity(spec::AuthConfig config, IdentityPorts ports);
  ~Identity();

  // After a reload: everything that was cached is forgotten.
  void SetConfig(spec::AuthConfig config);

  // kUnauthenticated (401): no credentials where some are needed, or wrong ones. kUnavailable
  // (503): the reviews cannot be had now.
  Expected<Caller> Identify(const http::Request& request);
  // kDenied (403) names what is missing.
  Status Allow(const Caller& caller, const AccessRequest& wanted);
  // Senders of webhooks have credentials of their own.
  Expected<std::string> IdentifyWebhook(const http::Request& request);

 private:
  struct State;
  std::shared_ptr<State> Current() const;
  Expected<Caller> ByToken(State& state, const std::string& token);
  Expected<Caller> Review(State& state, const std::string& token);
  Status AskKubernetes(State& state, const Caller& caller, const AccessRequest& wanted);
  Expected<std::string> ReadSecret(State& state, const std::string& path);

  IdentityPorts ports_;
  mutable std::mutex mutex_;  // guards state_
  std::shared_ptr<State> state_;
};

}  // namespace rollguard::api
