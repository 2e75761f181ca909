// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/data_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "agent/base/text.h"
#include "agent/kube/files.h"

namespace rollguard::serve {
namespace {

struct LockFile {
  explicit LockFile(int descriptor) : fd(descriptor) {}
  ~LockFile() { ::close(fd); }
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;
  int fd;
};

using NamedFile = std::pair<std::string, std::string>;  // key of the configuration, path

void AddEndpoint(const std::string& where, const spec::HttpEndpoint& endpoint,
                 std::vector<NamedFile>& out) {
  out.emplace_back(where + ".auth.bearerTokenFile", endpoint.auth.bearer_token_file);
  out.emplace_back(where + ".auth.passwordFile", endpoint.auth.password_file);
  out.emplace_back(where + ".tls.caFile", endpoint.tls.ca_file);
  out.emplace_back(where + ".tls.certFile", endpoint.tls.cert_file);
  out.emplace_back(where + ".tls.keyFile", endpoint.tls.key_file);
}

void AddChannel(const spec::ChannelConfig& channel, std::vector<NamedFile>& out) {
  std::string where = StrCat("notifications.channels[", channel.name, "]");
  if (const auto* slack = std::get_if<spec::SlackChannel>(&channel.kind))
    out.emplace_back(where + ".slack.webhookUrlFile", slack->webhook_url_file);
  if (const auto* teams = std::get_if<spec::TeamsChannel>(&channel.kind))
    out.emplace_back(where + ".teams.webhookUrlFile", teams->webhook_url_file);
  if (const auto* webhook = std::get_if<spec::WebhookChannel>(&channel.kind))
    AddEndpoint(where + ".webhook", webhook->endpoint, out);
}

std::vector<NamedFile> FilesOf(const spec::AgentConfig& config) {
  std::vector<NamedFile> files = {
      {"listen.certFile", config.listen.cert_file},
      {"listen.keyFile", config.listen.key_file},
      {"listen.clientCaFile", config.listen.client_ca_file},
      {"history.postgres.urlFile", config.history.postgres_url_file},
  };
  for (const spec::MetricsSourceConfig& source : config.metrics) {
    if (const auto* server = std::get_if<spec::PrometheusSource>(&source.source))
      AddEndpoint(StrCat("metrics[", source.name, "].prometheus"), server->endpoint, files);
  }
  for (const spec::AlertmanagerConfig& server : config.alertmanagers)
    AddEndpoint(StrCat("alertmanagers[", server.name, "]"), server.endpoint, files);
  for (const spec::StaticToken& token : config.auth.tokens)
    files.emplace_back(StrCat("auth.tokens[", token.name, "].tokenFile"), token.token_file);
  if (config.auth.webhooks) {
    files.emplace_back("auth.webhooks.bearerTokenFile", config.auth.webhooks->bearer_token_file);
    files.emplace_back("auth.webhooks.passwordFile", config.auth.webhooks->password_file);
  }
  for (const spec::ChannelConfig& channel : config.notifications.channels)
    AddChannel(channel, files);
  return files;
}

}  // namespace

Expected<std::shared_ptr<void>> UseDataFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error)
    return Error(ErrorCode::kDenied,
                 StrCat("the data folder ", path, " cannot be made: ", error.message(),
                        "; name another with dataDir (or --data-dir)"));
  std::string file = path + "/lock";
  int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return Error(ErrorCode::kDenied,
                 StrCat("the data folder ", path, " cannot be written: ", std::strerror(errno),
                        "; name another with dataDir (or --data-dir)"));
  auto lock = std::make_shared<LockFile>(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0)
    return Error(ErrorCode::kUnavailable,
                 StrCat("the data folder ", path,
                        " is in use by another rollguard; stop it or name another folder"));
  return std::shared_ptr<void>(lock);
}

Expected<std::string> PostgresUrl(const spec::HistoryConfig& history) {
  if (history.postgres_url_file.empty()) return history.postgres_url;
  auto text = kube::ReadSmallFile(history.postgres_url_file, 64U << 10);
  if (!text) return text.error();
  return std::string(Trim(*text));
}

Status CheckSecretFiles(const spec::AgentConfig& config) {
  std::string problems;
  for (const auto& [key, path] : FilesOf(config)) {
    if (path.empty()) continue;
    auto text = kube::ReadSmallFile(path);
    std::string why = !text                 ? text.error().message
                      : Trim(*text).empty() ? StrCat(path, ": the file is empty")
                                            : std::string();
    if (why.empty()) continue;
    problems += StrCat(problems.empty() ? "" : "; ", key, ": ", why);
  }
  if (problems.empty()) return {};
  return Error(ErrorCode::kInvalid, problems);
}

}  // namespace rollguard::serve
