// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/front.h"

#include "agent/base/text.h"

namespace rollguard::serve {
namespace {

constexpr int kWorkers = 8;

http::ServerOptions OptionsOf(const spec::ListenConfig& config) {
  http::ServerOptions options;
  options.host = config.address;
  options.port = static_cast<uint16_t>(config.port);
  if (!config.cert_file.empty())
    options.tls = http::ServerTls{.cert_file = config.cert_file,
                                  .key_file = config.key_file,
                                  .client_ca_file = config.client_ca_file,
                                  .require_client_cert = false};
  options.limits.max_body = static_cast<size_t>(config.max_body_bytes);
  options.workers = kWorkers;
  options.max_connections = static_cast<size_t>(config.max_connections);
  options.head_deadline = config.head_timeout;
  options.body_deadline = config.body_timeout;
  return options;
}

}  // namespace

Front::Front(Ground& ground, Brain& brain, Checkup& checkup, std::function<std::string()> not_ready)
    : ground_(ground),
      checkup_(checkup),
      not_ready_(std::move(not_ready)),
      identity_(ground.config.auth,
                {.cluster = ground.cluster.get(), .loop = &ground.loop, .clock = &ground.clock}),
      intake_(ground.loop, brain.alerts(), *ground.history, ground.clock) {
  AddHealth();
  AddAlerts();
  server_ = std::make_unique<http::Server>(OptionsOf(ground.config.listen), router_, ground.clock);
}

Front::~Front() { Stop(Duration(0)); }

Status Front::Start() { return server_->Start(); }
void Front::Stop(Duration grace) { server_->Stop(grace); }
uint16_t Front::port() const { return server_->port(); }

void Front::AddHealth() {
  router_.Add("GET", "/health",
              [](const http::Request&) { return http::Response{.body = R"({"status":"alive"})"}; });
  router_.Add("GET", "/health/ready", [this](const http::Request&) {
    std::string why = not_ready_();
    if (!why.empty()) return http::Problem(503, why);
    return http::Response{.body = R"({"status":"ready"})"};
  });
  router_.Add("GET", "/health/deep", [this](const http::Request&) {
    Json list = Json::Arr();
    bool ok = true;
    for (const api::DependencyHealth& one : checkup_.Ask()) {
      ok = ok && (one.ok || !one.required);
      list.Push(Json::Obj({{"name", one.name},
                           {"ok", one.ok},
                           {"required", one.required},
                           {"detail", one.detail},
                           {"latencyMs", one.latency.count()}}));
    }
    Json body = Json::Obj({{"ok", ok}, {"dependencies", std::move(list)}});
    return http::Response{.status = ok ? 200 : 503, .body = body.Dump()};
  });
}

void Front::AddAlerts() {
  router_.Add("POST", "/api/v1/alerts", [this](const http::Request& request) {
    auto sender = identity_.IdentifyWebhook(request);
    if (!sender) {
      bool later = sender.error().code == ErrorCode::kUnavailable;
      return http::Problem(later ? 503 : 401, sender.error().message);
    }
    // Before the guards are known every alert would look like nobody's.
    std::string why = not_ready_();
    if (!why.empty()) return http::Problem(503, why);
    return intake_.FromAlertmanager(request, *sender);
  });
}

}  // namespace rollguard::serve
