// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/credentials.h"

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/kube/child_process.h"
#include "agent/kube/files.h"

namespace rollguard::kube {
namespace {

constexpr std::chrono::seconds kFileKept{10};
// A credential that is about to expire is replaced before it does.
constexpr std::chrono::seconds kExpiryMargin{30};

TlsOptions WithClientCertificate(TlsOptions tls, const ExecCredential& exec) {
  if (exec.cert_pem.empty()) return tls;
  tls.cert_file.clear();
  tls.key_file.clear();
  tls.cert_pem = exec.cert_pem;
  tls.key_pem = exec.key_pem;
  return tls;
}

// What a plugin is told (KUBERNETES_EXEC_INFO).
std::string ExecInfo(const ClusterConfig& config) {
  Json spec = Json::Obj({{"interactive", false}});
  if (config.exec.provide_cluster_info) {
    Json cluster = Json::Obj({{"server", config.server}});
    if (!config.tls.ca_pem.empty()) {
      cluster.Set("certificate-authority-data", Base64Encode(config.tls.ca_pem));
    }
    if (!config.tls.server_name.empty()) cluster.Set("tls-server-name", config.tls.server_name);
    if (config.tls.insecure) cluster.Set("insecure-skip-tls-verify", true);
    if (!config.proxy.empty()) cluster.Set("proxy-url", config.proxy);
    spec.Set("cluster", std::move(cluster));
  }
  return Json::Obj({{"apiVersion", config.exec.api_version},
                    {"kind", "ExecCredential"},
                    {"spec", std::move(spec)}})
      .Dump();
}

std::string LastLine(std::string_view text) {
  text = Trim(text);
  size_t newline = text.rfind('\n');
  return Abbreviate(newline == std::string_view::npos ? text : text.substr(newline + 1), 300);
}

}  // namespace

Expected<ExecCredential> ParseExecCredential(const std::string& origin, const std::string& text) {
  auto bad = [&](const std::string& what) {
    return Error(ErrorCode::kUnauthenticated, StrCat(origin, ": ", what));
  };
  Expected<Json> json = ParseJson(text);
  if (!json.ok()) return bad(StrCat("what it printed is not JSON: ", json.error().message));
  if (json->At("kind").Str() != "ExecCredential") {
    return bad("what it printed is no ExecCredential");
  }
  const Json& status = json->At("status");
  ExecCredential credential;
  credential.token = status.At("token").Str();
  credential.cert_pem = status.At("clientCertificateData").Str();
  credential.key_pem = status.At("clientKeyData").Str();
  if (credential.token.empty() && credential.cert_pem.empty()) {
    return bad("status holds neither token nor clientCertificateData");
  }
  if (credential.cert_pem.empty() != credential.key_pem.empty()) {
    return bad("clientCertificateData and clientKeyData must come together");
  }
  if (std::string at = status.At("expirationTimestamp").Str(); !at.empty()) {
    Expected<Time> time = ParseRfc3339(at);
    if (!time.ok()) return bad(StrCat("expirationTimestamp: ", time.error().message));
    credential.expires = *time;
  }
  return credential;
}

Credentials::Credentials(const ClusterConfig& config, const Clock& clock)
    : config_(config), clock_(clock), tls_(std::make_shared<TlsOptions>(config.tls)) {}

Credentials::~Credentials() { Stop(); }

void Credentials::Stop() {
  std::thread plugin;
  std::vector<Done> dropped;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    stop_plugin_ = true;
    dropped.swap(waiting_);
    plugin.swap(plugin_);
  }
  if (plugin.joinable()) plugin.join();
}

Credential Credentials::Build(const std::string& token,
                              std::shared_ptr<const TlsOptions> tls) const {
  Credential credential;
  credential.tls = std::move(tls);
  HttpHeaders& headers = credential.headers;
  if (!token.empty()) {
    headers.emplace_back("Authorization", StrCat("Bearer ", token));
  } else if (!config_.username.empty()) {
    std::string pair = StrCat(config_.username, ":", config_.password);
    headers.emplace_back("Authorization", StrCat("Basic ", Base64Encode(pair)));
  }
  if (!config_.impersonate_user.empty()) {
    headers.emplace_back("Impersonate-User", config_.impersonate_user);
    for (const std::string& group : config_.impersonate_groups) {
      headers.emplace_back("Impersonate-Group", group);
    }
  }
  return credential;
}

// A token file that cannot be read for a moment (while it is replaced) does not lose the last
// token.
Expected<std::string> Credentials::Token() {
  if (config_.token_file.empty()) return config_.token;
  auto now = clock_.Monotonic();
  if (file_known_ && now < file_read_at_ + kFileKept) return file_token_;
  Expected<std::string> text = ReadSmallFile(config_.token_file, 1U << 20);
  std::string token = text.ok() ? std::string(Trim(*text)) : std::string();
  if (token.empty() && !file_known_) {
    std::string why = text.ok() ? StrCat(config_.token_file, " is empty") : text.error().message;
    return Error(ErrorCode::kUnauthenticated, StrCat(config_.origin, ": token: ", why));
  }
  if (!token.empty()) file_token_ = std::move(token);
  file_read_at_ = now;
  file_known_ = true;
  return file_token_;
}

void Credentials::Get(Done done) {
  std::unique_lock lock(mutex_);
  if (stopped_) return;
  if (config_.exec.command.empty()) {
    Expected<std::string> token = Token();
    lock.unlock();
    if (token.ok()) {
      done(Build(*token, tls_));
    } else {
      done(token.error());
    }
    return;
  }
  if (exec_known_ &&
      (exec_.expires == Time::max() || clock_.Now() + kExpiryMargin < exec_.expires)) {
    Credential credential = Build(exec_.token, exec_tls_);
    lock.unlock();
    done(std::move(credential));
    return;
  }
  waiting_.push_back(std::move(done));
  if (!plugin_runs_) StartPlugin();
}

bool Credentials::Refresh() {
  std::lock_guard lock(mutex_);
  if (!config_.exec.command.empty()) {
    exec_known_ = false;
    return true;
  }
  if (config_.token_file.empty()) return false;
  // An hour ago: the file is read again, and the token it held stays as the fallback.
  file_read_at_ -= std::chrono::hours(1);
  return true;
}

void Credentials::StartPlugin() {
  plugin_runs_ = true;
  if (plugin_.joinable()) plugin_.join();  // it has ended: it cleared plugin_runs_ last of all
  plugin_ = std::thread([this] { PluginEnded(RunPlugin()); });
}

Expected<ExecCredential> Credentials::RunPlugin() {
  const ExecPlugin& exec = config_.exec;
  std::string origin = StrCat(config_.origin, ": exec plugin ", exec.command);
  ChildCommand command;
  command.program = exec.command;
  command.args = exec.args;
  command.env = exec.env;
  command.env.emplace_back("KUBERNETES_EXEC_INFO", ExecInfo(config_));
  command.timeout = exec.timeout;
  Expected<ChildResult> result = RunChild(command, clock_, &stop_plugin_);
  if (!result.ok()) {
    bool missing = result.error().code == ErrorCode::kNotFound && !exec.install_hint.empty();
    return Error(ErrorCode::kUnauthenticated,
                 StrCat(origin, ": ", result.error().message,
                        missing ? StrCat("; ", Trim(exec.install_hint)) : std::string()));
  }
  if (result->exit_code != 0) {
    return Error(
        ErrorCode::kUnauthenticated,
        StrCat(origin, ": it ended with code ", result->exit_code, ": ", LastLine(result->err)));
  }
  return ParseExecCredential(origin, result->out);
}

void Credentials::PluginEnded(Expected<ExecCredential> result) {
  std::vector<Done> waiting;
  Expected<Credential> answer = Error(ErrorCode::kCancelled, "");
  {
    std::lock_guard lock(mutex_);
    if (result.ok()) {
      exec_ = std::move(*result);
      exec_known_ = true;
      exec_tls_ = std::make_shared<TlsOptions>(WithClientCertificate(config_.tls, exec_));
      answer = Build(exec_.token, exec_tls_);
    } else {
      answer = result.error();
    }
    waiting.swap(waiting_);
    plugin_runs_ = false;
  }
  for (Done& done : waiting) done(answer);
}

}  // namespace rollguard::kube
