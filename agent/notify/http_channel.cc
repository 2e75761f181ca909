// SPDX-License-Identifier: Apache-2.0
// What is secret (the URL of a chat's webhook, a token) is read for each attempt, travels in the
// request alone, and is cut out of whatever the other side says about it.
#include <fstream>
#include <iterator>

#include "agent/base/text.h"
#include "agent/notify/channel.h"
#include "agent/notify/message.h"

namespace rollguard::notify {
namespace {

constexpr size_t kMaxAnswer = 64U << 10;
constexpr Duration kChatTimeout = std::chrono::seconds(10);

Error Later(std::string message) {
  Error error(ErrorCode::kUnavailable, std::move(message));
  error.retryable = true;
  return error;
}

Expected<std::string> ReadFile(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return Later(StrCat("cannot read ", path));
  std::string text((std::istreambuf_iterator<char>(stream)), {});
  std::string_view trimmed = Trim(text);
  if (trimmed.empty()) return Later(StrCat(path, " is empty"));
  return std::string(trimmed);
}

// 429, 408 and 5xx may pass; every other refusal stays one.
bool MayPass(int status) { return status == 429 || status == 408 || status >= 500; }

Duration RetryAfter(const HttpResponse& response) {
  auto seconds = ParseInt(Trim(response.Header("retry-after")));
  return seconds && *seconds > 0 && *seconds < 86'400 ? Duration(*seconds * 1000) : Duration(0);
}

std::string Without(std::string text, const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) {
    if (secret.size() > 3) text = ReplaceAll(text, secret, "***");
  }
  return text;
}

struct Prepared {
  HttpRequest request;
  std::vector<std::string> secrets;
};

class HttpChannel final : public Channel {
 public:
  HttpChannel(spec::ChannelConfig config, std::optional<spec::HttpEndpoint> alertmanager,
              HttpPorts ports)
      : config_(std::move(config)),
        alertmanager_(std::move(alertmanager)),
        ports_(std::move(ports)) {
    if (!ports_.read_secret) ports_.read_secret = ReadFile;
  }

  ~HttpChannel() override {
    if (exchange_ != 0) ports_.http->Cancel(exchange_);
  }

  void Deliver(const Notice& notice, Delivered done) override {
    auto message = Render(config_, notice);
    if (!message) {
      done(message.error());
      return;
    }
    auto prepared =
        std::visit([&](const auto& kind) { return Prepare(kind, notice, *message); }, config_.kind);
    if (!prepared) {
      done(prepared.error());
      return;
    }
    prepared->request.max_body = kMaxAnswer;
    // A client that answers inside Send has ended the exchange before its id is known.
    auto heard = std::make_shared<bool>(false);
    HttpId id = ports_.http->Send(
        std::move(prepared->request),
        [this, heard, alive = std::weak_ptr(alive_), secrets = std::move(prepared->secrets),
         done = std::move(done)](Expected<HttpResponse> response) {
          if (alive.expired()) return;
          *heard = true;
          exchange_ = 0;
          done(Judge(response, secrets));
        });
    if (!*heard) exchange_ = id;
  }

 private:
  Expected<Prepared> Prepare(const spec::SlackChannel& slack, const Notice& notice,
                             const Message& message) {
    return ToChat(slack.webhook_url_file, SlackBody(slack, notice, message));
  }

  Expected<Prepared> Prepare(const spec::TeamsChannel& teams, const Notice& notice,
                             const Message& message) {
    return ToChat(teams.webhook_url_file, TeamsBody(notice, message));
  }

  Expected<Prepared> Prepare(const spec::WebhookChannel& webhook, const Notice& notice,
                             const Message& message) {
    auto body = WebhookBody(webhook, notice, message);
    if (!body) return body.error();
    auto prepared =
        ToEndpoint(webhook.endpoint, webhook.endpoint.url, webhook.method, std::move(*body));
    // Many services hold whoever knows the path for their own.
    if (prepared) prepared->request.secret_url = true;
    return prepared;
  }

  Expected<Prepared> Prepare(const spec::AlertmanagerChannel& channel, const Notice& notice,
                             const Message& message) {
    if (!alertmanager_) {
      return Error(ErrorCode::kInvalid,
                   StrCat("there is no Alertmanager ", Quote(channel.alertmanager)));
    }
    std::string base = alertmanager_->url;
    while (base.ends_with('/')) base.pop_back();
    return ToEndpoint(*alertmanager_, base + "/api/v2/alerts", "POST",
                      AlertBody(channel, notice, message));
  }

  Expected<Prepared> Prepare(const spec::EventsChannel&, const Notice&, const Message&) {
    return Error(ErrorCode::kInternal, "Events are not sent over HTTP");
  }

  Expected<Prepared> ToChat(const std::string& file, std::string body) {
    auto url = ports_.read_secret(file);
    if (!url) return url.error();
    Prepared prepared;
    prepared.request.method = "POST";
    prepared.request.url = *url;
    prepared.request.secret_url = true;
    prepared.request.headers = {{"Content-Type", "application/json"}};
    prepared.request.body = std::move(body);
    prepared.request.timeout = kChatTimeout;
    prepared.secrets = {*url};
    // Its parts alone would do.
    size_t path = url->find('/', url->find("://") == std::string::npos ? 0 : url->find("://") + 3);
    if (path != std::string::npos) prepared.secrets.push_back(url->substr(path + 1));
    return prepared;
  }

  Expected<Prepared> ToEndpoint(const spec::HttpEndpoint& endpoint, const std::string& url,
                                const std::string& method, std::string body) {
    Prepared prepared;
    HttpRequest& request = prepared.request;
    request.method = method;
    request.url = url;
    request.timeout = endpoint.timeout;
    request.headers.assign(endpoint.headers.begin(), endpoint.headers.end());
    bool typed = false;
    for (const auto& [name, value] : request.headers)
      typed = typed || EqualsIgnoreCase(name, "content-type");
    if (!typed) request.headers.emplace_back("Content-Type", "application/json");
    request.body = std::move(body);
    const spec::TlsClientConfig& tls = endpoint.tls;
    if (!tls.ca_file.empty() || !tls.cert_file.empty() || !tls.server_name.empty() ||
        tls.insecure_skip_verify) {
      TlsOptions options;
      options.ca_file = tls.ca_file;
      options.cert_file = tls.cert_file;
      options.key_file = tls.key_file;
      options.server_name = tls.server_name;
      options.insecure = tls.insecure_skip_verify;
      request.tls = std::make_shared<const TlsOptions>(std::move(options));
    }
    const std::string& file = endpoint.auth.bearer_token_file.empty()
                                  ? endpoint.auth.password_file
                                  : endpoint.auth.bearer_token_file;
    std::string secret;
    if (!file.empty()) {
      auto read = ports_.read_secret(file);
      if (!read) return read.error();
      secret = std::move(*read);
      prepared.secrets.push_back(secret);
    }
    if (!endpoint.auth.bearer_token_file.empty()) {
      request.headers.emplace_back("Authorization", StrCat("Bearer ", secret));
    } else if (!endpoint.auth.username.empty()) {
      std::string pair = Base64Encode(StrCat(endpoint.auth.username, ":", secret));
      request.headers.emplace_back("Authorization", StrCat("Basic ", pair));
      prepared.secrets.push_back(std::move(pair));
    }
    return prepared;
  }

  Status Judge(const Expected<HttpResponse>& response,
               const std::vector<std::string>& secrets) const {
    if (!response) {
      Error error = response.error();
      error.message = Without(std::move(error.message), secrets);
      error.retryable = error.retryable || Error::MayRetry(error.code);
      return error;
    }
    if (response->status / 100 == 2) return {};
    std::string_view said = Trim(response->body);
    Error error(
        ErrorCode::kInvalid,
        Without(StrCat("answered ", response->status,
                       said.empty() ? std::string() : StrCat(": ", Quote(Abbreviate(said, 200)))),
                secrets));
    error.retryable = MayPass(response->status);
    error.retry_after = RetryAfter(*response);
    return error;
  }

  spec::ChannelConfig config_;
  std::optional<spec::HttpEndpoint> alertmanager_;
  HttpPorts ports_;
  HttpId exchange_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<Channel> MakeHttpChannel(const spec::ChannelConfig& config,
                                         const std::vector<spec::AlertmanagerConfig>& alertmanagers,
                                         HttpPorts ports) {
  if (std::holds_alternative<spec::EventsChannel>(config.kind)) return nullptr;
  std::optional<spec::HttpEndpoint> endpoint;
  if (const auto* wanted = std::get_if<spec::AlertmanagerChannel>(&config.kind)) {
    for (const spec::AlertmanagerConfig& server : alertmanagers) {
      if (server.name == wanted->alertmanager) endpoint = server.endpoint;
    }
  }
  return std::make_unique<HttpChannel>(config, std::move(endpoint), std::move(ports));
}

const char* KindOf(const spec::ChannelConfig& config) {
  constexpr const char* kNames[] = {"slack", "teams", "webhook", "alertmanager", "events"};
  return kNames[config.kind.index()];
}

}  // namespace rollguard::notify
