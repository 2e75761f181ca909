// SPDX-License-Identifier: Apache-2.0
#include "agent/app/template_sources.h"

#include "agent/base/text.h"
#include "agent/prometheus/server_source.h"

namespace rollguard::app {
namespace {

constexpr size_t kMaxServers = 64;

// Two requests with one key may share a client.
std::string KeyOf(const spec::Authentication& who, bool insecure) {
  std::string key = insecure ? "insecure" : "secure";
  if (who.basic) key += StrCat("\nbasic ", who.basic->username, "\n", who.basic->password);
  if (who.oauth2) {
    key += StrCat("\noauth2 ", who.oauth2->token_url, "\n", who.oauth2->client_id, "\n",
                  who.oauth2->client_secret, "\n", Join(who.oauth2->scopes, " "));
  }
  return key;
}

std::shared_ptr<const TlsOptions> Insecure() {
  auto tls = std::make_shared<TlsOptions>();
  tls->insecure = true;
  return tls;
}

}  // namespace

struct TemplateSources::Server {
  Server(HttpClient& http, TokenDesk& desk, Timers& timers, const Clock& clock,
         const analysis::PrometheusQuery& query)
      : client(http, desk, query.authentication, query.insecure),
        source(client, timers, clock, 1, Options(query)) {}

  static prometheus::ApiOptions Options(const analysis::PrometheusQuery& query) {
    prometheus::ApiOptions options;
    options.url = query.address;
    options.headers = query.headers;
    if (query.insecure) options.tls = Insecure();
    return options;
  }

  AuthorizedHttp client;  // outlives the source
  prometheus::ServerSource source;
};

TemplateSources::TemplateSources(HttpClient& http, Timers& timers, const Clock& clock)
    : http_(http), timers_(timers), clock_(clock), desk_(http, clock) {}

TemplateSources::~TemplateSources() = default;

Expected<MetricsSource*> TemplateSources::Find(const analysis::PrometheusQuery& query) {
  std::string key = StrCat(query.address, "\n", KeyOf(query.authentication, query.insecure));
  for (const auto& [name, value] : query.headers) key += StrCat("\n", name, ": ", value);
  auto found = servers_.find(key);
  if (found == servers_.end()) {
    if (servers_.size() >= kMaxServers) {
      return Error(ErrorCode::kTooLarge,
                   StrCat("templates name more than ", kMaxServers,
                          " different servers: name them in the agent's configuration"));
    }
    auto made = std::make_unique<Server>(http_, desk_, timers_, clock_, query);
    found = servers_.emplace(std::move(key), std::move(made)).first;
  }
  return static_cast<MetricsSource*>(&found->second->source);
}

void TemplateSources::Send(HttpRequest request, const spec::Authentication& who, bool insecure,
                           HttpDone done) {
  if (insecure) request.tls = Insecure();
  if (!who.basic && !who.oauth2) {
    http_.Send(std::move(request), std::move(done));
    return;
  }
  std::string key = KeyOf(who, insecure);
  auto found = clients_.find(key);
  if (found == clients_.end()) {
    if (clients_.size() >= kMaxServers) {
      done(Error(ErrorCode::kTooLarge, "templates prove themselves in too many different ways"));
      return;
    }
    auto made = std::make_unique<AuthorizedHttp>(http_, desk_, who, insecure);
    found = clients_.emplace(std::move(key), std::move(made)).first;
  }
  found->second->Send(std::move(request), std::move(done));
}

}  // namespace rollguard::app
