// SPDX-License-Identifier: Apache-2.0
// Answers of reviews are kept by the hash of the token, never by the token. A refusal is kept for a
// few seconds only, so that a role given just now works at once. What is kept is bounded: a full
// table is emptied, which costs reviews and nothing else.
#include "agent/api/identity.h"

#include <algorithm>
#include <atomic>

#include "agent/api/await.h"
#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/kube/files.h"

namespace rollguard::api {
namespace {

constexpr Duration kReviewLimit = std::chrono::seconds(4);
constexpr Duration kRefusalKept = std::chrono::seconds(5);
constexpr std::chrono::nanoseconds kFileKept = std::chrono::seconds(1);
constexpr size_t kMaxKept = 4096;
constexpr size_t kMaxToken = 8192;

Error Unauthenticated(std::string message) {
  return {ErrorCode::kUnauthenticated, std::move(message)};
}
Error Denied(std::string message) { return {ErrorCode::kDenied, std::move(message)}; }

std::string Wish(const AccessRequest& wanted) {
  std::string what = StrCat(wanted.verb, " guards.rollguard.dev");
  if (!wanted.name.empty()) what += StrCat(" ", Quote(wanted.name));
  return what + (wanted.ns.empty() ? " in all namespaces" : StrCat(" in ", Quote(wanted.ns)));
}

const spec::StaticToken* FindToken(const spec::AuthConfig& config, const std::string& name) {
  for (const spec::StaticToken& token : config.tokens) {
    if (token.name == name) return &token;
  }
  return nullptr;
}

Status ByConfiguration(const spec::StaticToken& token, const AccessRequest& wanted) {
  bool verb = std::any_of(token.verbs.begin(), token.verbs.end(),
                          [&](const std::string& v) { return v == "*" || v == wanted.verb; });
  bool place = token.namespaces.empty() ||
               (!wanted.ns.empty() && std::find(token.namespaces.begin(), token.namespaces.end(),
                                                wanted.ns) != token.namespaces.end());
  if (verb && place) return {};
  return Denied(StrCat(Quote(token.name), " may not ", Wish(wanted), ": add the ",
                       verb ? "namespace" : "verb", " to its entry under auth.tokens"));
}

// The credentials after a scheme word, e.g. "Bearer abc"; empty when the scheme is another.
std::string_view After(std::string_view header, std::string_view scheme) {
  size_t space = header.find(' ');
  if (space == std::string_view::npos || !EqualsIgnoreCase(header.substr(0, space), scheme))
    return {};
  return Trim(header.substr(space + 1));
}

}  // namespace

const char* ToString(Caller::Kind kind) {
  switch (kind) {
    case Caller::Kind::kAnonymous: return "anonymous";
    case Caller::Kind::kStatic: return "token";
    case Caller::Kind::kKubernetes: return "kubernetes";
    case Caller::Kind::kCertificate: return "certificate";
  }
  return "anonymous";
}

bool IsReadVerb(std::string_view verb) {
  return verb == "get" || verb == "list" || verb == "watch";
}

bool ConstantTimeEqual(std::string_view a, std::string_view b) {
  // Digests have one length, so neither length nor content of a secret shows in the time.
  Sha256Digest left = Sha256(a), right = Sha256(b);
  volatile uint8_t different = 0;
  for (size_t i = 0; i < left.size(); ++i)
    different = static_cast<uint8_t>(different | (left[i] ^ right[i]));
  return different == 0;
}

struct Identity::State {
  explicit State(spec::AuthConfig c) : config(std::move(c)) {}

  template <class T>
  struct Kept {
    T value;
    std::chrono::nanoseconds until{0};
  };
  template <class T>
  using Table = std::map<std::string, Kept<T>, std::less<>>;

  template <class T>
  std::optional<T> Find(const Table<T>& table, const std::string& key,
                        std::chrono::nanoseconds now) {
    std::lock_guard lock(mutex);
    auto found = table.find(key);
    if (found == table.end() || found->second.until <= now) return std::nullopt;
    return found->second.value;
  }
  template <class T>
  void Keep(Table<T>& table, const std::string& key, T value, std::chrono::nanoseconds until) {
    std::lock_guard lock(mutex);
    if (table.size() >= kMaxKept) table.clear();
    table.insert_or_assign(key, Kept<T>{std::move(value), until});
  }

  const spec::AuthConfig config;
  std::mutex mutex;  // guards the tables
  Table<Expected<Caller>> callers;
  Table<Status> access;
  Table<Expected<std::string>> files;
};

Identity::Identity(spec::AuthConfig config, IdentityPorts ports) : ports_(std::move(ports)) {
  if (!ports_.read_file)
    ports_.read_file = [](const std::string& path) { return kube::ReadSmallFile(path, kMaxToken); };
  SetConfig(std::move(config));
}

Identity::~Identity() = default;

void Identity::SetConfig(spec::AuthConfig config) {
  auto fresh = std::make_shared<State>(std::move(config));
  std::lock_guard lock(mutex_);
  state_ = std::move(fresh);
}

std::shared_ptr<Identity::State> Identity::Current() const {
  std::lock_guard lock(mutex_);
  return state_;
}

Expected<std::string> Identity::ReadSecret(State& state, const std::string& path) {
  auto now = ports_.clock->Monotonic();
  if (auto kept = state.Find(state.files, path, now)) return *kept;
  Expected<std::string> text = ports_.read_file(path);
  if (text.ok()) text = std::string(Trim(*text));
  if (text.ok() && text->empty())
    text = Error(ErrorCode::kInvalid, StrCat(Quote(path), " is empty"));
  state.Keep(state.files, path, text, now + kFileKept);
  return text;
}

Expected<Caller> Identity::Identify(const http::Request& request) {
  std::shared_ptr<State> state = Current();
  std::string_view header = request.Header("authorization");
  if (header.empty() && !request.peer_identity.empty()) {
    Caller caller{.kind = Caller::Kind::kCertificate, .name = request.peer_identity};
    caller.kubernetes.username = request.peer_identity;
    if (const auto* known = FindToken(state->config, caller.name)) caller.groups = known->groups;
    return caller;
  }
  if (header.empty()) {
    if (state->config.anonymous_read) return Caller{};
    return Unauthenticated("log in: send a token in the header Authorization: Bearer TOKEN");
  }
  std::string_view token = After(header, "bearer");
  if (token.empty() || token.size() > kMaxToken)
    return Unauthenticated("the header Authorization must be: Bearer TOKEN");
  return ByToken(*state, std::string(token));
}

Expected<Caller> Identity::ByToken(State& state, const std::string& token) {
  const spec::StaticToken* known = nullptr;
  for (const spec::StaticToken& entry : state.config.tokens) {  // all of them, whichever matches
    Expected<std::string> secret = ReadSecret(state, entry.token_file);
    if (secret.ok() && ConstantTimeEqual(*secret, token)) known = &entry;
  }
  if (known != nullptr) {
    return Caller{.kind = Caller::Kind::kStatic, .name = known->name, .groups = known->groups};
  }
  if (!state.config.kubernetes || ports_.cluster == nullptr)
    return Unauthenticated("the token is not known: see auth.tokens in the agent's configuration");
  return Review(state, token);
}

Expected<Caller> Identity::Review(State& state, const std::string& token) {
  auto now = ports_.clock->Monotonic();
  std::string key = Sha256Hex(token);
  if (auto kept = state.Find(state.callers, key, now)) return *kept;
  auto reviewed = Await<Expected<kube::Identity>>(
      *ports_.loop,
      [this, token](auto done) { kube::ReviewToken(*ports_.cluster, token, {}, std::move(done)); },
      kReviewLimit);
  if (!reviewed)
    return Error(ErrorCode::kUnavailable, "the API server does not review tokens now; try again");
  if (!reviewed->ok() && reviewed->error().code != ErrorCode::kUnauthenticated)
    return Error(ErrorCode::kUnavailable,
                 StrCat("tokens cannot be reviewed now: ", reviewed->error().message));
  Expected<Caller> caller = Unauthenticated("the API server does not accept the token");
  if (reviewed->ok()) {
    caller = Caller{.kind = Caller::Kind::kKubernetes,
                    .name = (*reviewed)->username,
                    .groups = (*reviewed)->groups,
                    .kubernetes = **reviewed};
  }
  state.Keep(state.callers, key, caller,
             now + (caller.ok() ? state.config.cache : std::min(kRefusalKept, state.config.cache)));
  return caller;
}

Status Identity::Allow(const Caller& caller, const AccessRequest& wanted) {
  std::shared_ptr<State> state = Current();
  switch (caller.kind) {
    case Caller::Kind::kAnonymous:
      if (state->config.anonymous_read && IsReadVerb(wanted.verb)) return {};
      return Unauthenticated(StrCat("log in to ", wanted.verb));
    case Caller::Kind::kStatic:
      if (const auto* token = FindToken(state->config, caller.name))
        return ByConfiguration(*token, wanted);
      return Unauthenticated("the token is not known any more");
    case Caller::Kind::kCertificate:
      if (const auto* token = FindToken(state->config, caller.name))
        return ByConfiguration(*token, wanted);
      break;
    case Caller::Kind::kKubernetes: break;
  }
  if (!state->config.kubernetes || ports_.cluster == nullptr)
    return Denied(StrCat(Quote(caller.name), " has no entry under auth.tokens"));
  return AskKubernetes(*state, caller, wanted);
}

Status Identity::AskKubernetes(State& state, const Caller& caller, const AccessRequest& wanted) {
  auto now = ports_.clock->Monotonic();
  std::string who =
      StrCat(ToString(caller.kind), "\n", caller.name, "\n", caller.kubernetes.uid, "\n",
             Join(caller.groups, ","), "\n", caller.kubernetes.extra.Canonical());
  std::string key = StrCat(Sha256Hex(who), "\n", wanted.verb, "\n", wanted.ns, "/", wanted.name);
  if (auto kept = state.Find(state.access, key, now)) return *kept;
  kube::AccessQuestion question{
      .verb = wanted.verb, .subresource = {}, .ns = wanted.ns, .name = wanted.name};
  auto answer = Await<Status>(
      *ports_.loop,
      [this, who = caller.kubernetes, question](auto done) {
        kube::ReviewAccess(*ports_.cluster, who, question, std::move(done));
      },
      kReviewLimit);
  if (!answer)
    return Error(ErrorCode::kUnavailable, "the API server does not review access now; try again");
  if (!answer->ok() && answer->error().code != ErrorCode::kDenied)
    return Error(ErrorCode::kUnavailable,
                 StrCat("access cannot be reviewed now: ", answer->error().message));
  state.Keep(
      state.access, key, *answer,
      now + (answer->ok() ? state.config.cache : std::min(kRefusalKept, state.config.cache)));
  return *answer;
}

Expected<std::string> Identity::IdentifyWebhook(const http::Request& request) {
  std::shared_ptr<State> state = Current();
  const auto& auth = state->config.webhooks;
  if (!auth)
    return Unauthenticated(
        "webhooks are not taken: set auth.webhooks in the agent's configuration");
  if (auth->client_certificate && !request.peer_identity.empty()) return request.peer_identity;
  std::string_view header = request.Header("authorization");
  if (!auth->bearer_token_file.empty()) {
    Expected<std::string> secret = ReadSecret(*state, auth->bearer_token_file);
    if (!secret.ok())
      return Error(ErrorCode::kUnavailable, "the webhooks' token cannot be read by the agent");
    std::string_view token = After(header, "bearer");
    if (!token.empty() && ConstantTimeEqual(*secret, token)) return std::string("webhook");
  }
  if (!auth->username.empty()) {
    Expected<std::string> secret = ReadSecret(*state, auth->password_file);
    if (!secret.ok())
      return Error(ErrorCode::kUnavailable, "the webhooks' password cannot be read by the agent");
    auto pair = Base64Decode(After(header, "basic"));
    if (pair && ConstantTimeEqual(StrCat(auth->username, ":", *secret), *pair))
      return auth->username;
  }
  return Unauthenticated("the webhook's credentials are missing or wrong");
}

}  // namespace rollguard::api
