// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/front.h"

#include "agent/alerts/webhook.h"
#include "agent/app/agent_metrics.h"
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
  options.urgent = "/api/v1/alerts";
  options.max_connections = static_cast<size_t>(config.max_connections);
  options.head_deadline = config.head_timeout;
  options.body_deadline = config.body_timeout;
  return options;
}

// What the configuration says of another sender; the rest as the built-in mapping has it.
alerts::Mapping MappingOf(const spec::AlertSender& sender) {
  alerts::Mapping mapping;
  mapping.alerts = sender.alerts;
  if (!sender.status.empty()) mapping.status = sender.status;
  if (!sender.resolved_values.empty()) mapping.resolved_values = sender.resolved_values;
  if (!sender.starts_at.empty()) mapping.starts_at = sender.starts_at;
  if (!sender.labels.empty()) mapping.labels = sender.labels;
  for (const auto& [label, path] : sender.label_paths)
    mapping.label_paths.emplace_back(label, path);
  return mapping;
}

}  // namespace

Front::Front(Ground& ground, Brain& brain, Checkup& checkup, Reason not_ready,
             Reason refuses_alerts)
    : ground_(ground),
      brain_(brain),
      not_ready_(std::move(not_ready)),
      identity_(ground.config.auth,
                {.cluster = ground.cluster.get(), .loop = &ground.loop, .clock = &ground.clock}),
      intake_(ground.loop, brain.alerts(), *ground.history, ground.clock) {
  api::ApiParts parts;
  parts.loop = &ground.loop;
  parts.alerts = &brain.alerts();
  parts.rules = &brain.rules();
  parts.analysis = &brain.analysis();
  parts.sensors = brain.sensors();
  parts.intake = &intake_;
  parts.notifier = &brain.notifier();
  parts.history = ground.history.get();
  parts.cluster = ground.cluster.get();
  parts.clock = &ground.clock;
  parts.identity = &identity_;
  parts.cluster_name = ground.config.cluster.name;
  parts.version = ground.options.around.version;
  parts.not_ready = not_ready_;
  parts.refuses_alerts = std::move(refuses_alerts);
  parts.dependencies = [&checkup] { return checkup.Ask(); };
  parts.requests_per_second = static_cast<double>(ground.config.listen.requests_per_second);
  parts.id_seed = ground.NextSeed();
  for (const spec::AlertSender& sender : ground.config.senders)
    parts.senders.emplace(sender.name, MappingOf(sender));
  for (const spec::MetricsSourceConfig& source : ground.config.metrics) {
    const auto* server = std::get_if<spec::PrometheusSource>(&source.source);
    std::string link = server != nullptr ? server->external_url : "";
    parts.source_links.emplace("", link);  // the first is the default
    parts.source_links.emplace(source.name, link);
  }
  parts.verify_audit = [&ground]() -> Expected<api::AuditFindings> {
    auto verified = ground.history->Verify();
    if (!verified) return verified.error();
    api::AuditFindings found{.rows = verified->rows, .givens = verified->givens, .breaks = {}};
    for (const history::ChainBreak& b : verified->breaks) found.breaks.push_back(ToString(b));
    return found;
  };
  parts.metrics = [this] {
    ground_.metrics.GaugeOf(telemetry::Metric::kReady).Set(not_ready_().empty());
    return http::Response{.content_type = std::string(telemetry::kContentType),
                          .body = ground_.metrics.Expose()};
  };
  api_ = std::make_unique<api::Api>(std::move(parts));
  brain.AddListener(api_.get());
  brain.OnRule([this](const app::RuleReading& reading) { api_->Observed(reading); });
  brain.OnMetric([this](const app::AnalysisReading& reading) { api_->Observed(reading); });
  intake_.SetObserver(
      [this](const std::vector<app::AlertReceipt>& receipts, std::chrono::nanoseconds arrived) {
        brain_.Received(receipts, arrived);
        for (const app::AlertReceipt& receipt : receipts) api_->Received(receipt);
      });
}

Front::~Front() { Stop(Duration(0)); }

Status Front::Start() {
  api_->Attach(&brain_.controller());
  api_->Register(router_);
  server_ =
      std::make_unique<http::Server>(OptionsOf(ground_.config.listen), router_, ground_.clock);
  app::ExposeServer(ground_.metrics, *server_);
  api_->SetPublisher([this](std::string type, std::string topic, std::string data) {
    return server_->Publish(std::move(type), std::move(topic), std::move(data));
  });
  return server_->Start();
}

void Front::Stop(Duration grace) {
  if (server_) server_->Stop(grace);
}

uint16_t Front::port() const { return server_ ? server_->port() : 0; }

}  // namespace rollguard::serve
