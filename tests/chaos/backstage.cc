// SPDX-License-Identifier: Apache-2.0
#include "tests/chaos/backstage.h"

#include <signal.h>

#include <stdexcept>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "tests/support/agent_process.h"
#include "tests/support/free_port.h"

namespace rollguard::chaos {
namespace {

constexpr const char* kPrometheus = R"(
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [DIR/alerts.yml]
alerting: {alertmanagers: [{static_configs: [{targets: ["ALERTMANAGER"]}]}]}
scrape_configs: [{job_name: shop, static_configs: [{targets: ["127.0.0.1:EXPORTER"]}]}]
)";

constexpr const char* kAlerts = R"(
groups:
  - name: shop
    rules:
      - alert: ALERT
        expr: sum by (namespace) (rate(http_errors_total[5s])) > 1
        labels: {severity: critical, rollguard_guard: "{{ $labels.namespace }}/checkout"}
)";

constexpr const char* kAlertmanager = R"(
route: {receiver: agents, group_by: [rollguard_guard], group_wait: 0s, group_interval: 1s, repeat_interval: 5s}
receivers:
  - name: agents
    webhook_configs:
      - url: http://DOOR/api/v1/alerts
        send_resolved: true
        http_config: {authorization: {credentials_file: DIR/token}}
)";

void Kill(std::unique_ptr<testing::Process>& process) {
  if (!process) return;
  process->Signal(SIGKILL);
  process->Wait();
  process.reset();
}

}  // namespace

Backstage::Backstage()
    : prometheus_port_(testing::FreePort()), alertmanager_port_(testing::FreePort()) {}

Backstage::~Backstage() = default;

Status Backstage::Start(const std::vector<std::string>& namespaces, const testing::Address& door,
                        const std::string& token, testing::CutProxy::Site wires) {
  for (const std::string& ns : namespaces) services_[ns];
  exporter_ = std::make_unique<testing::TinyServer>(
      [this](const testing::TinyRequest&, testing::TinyConnection& connection) {
        connection.Respond(200, Metrics(), {{"Content-Type", "text/plain; version=0.0.4"}});
      });
  notices_ = std::make_unique<testing::CutProxy>(alertmanager_port_, wires);
  dir_.Write("token", token);
  dir_.Write("alerts.yml", ReplaceAll(kAlerts, "ALERT", kCountedAlert));
  auto fill = [&](std::string text) {
    text = ReplaceAll(text, "DIR", dir_.path());
    text = ReplaceAll(text, "ALERTMANAGER", notices_->address().Text());
    text = ReplaceAll(text, "EXPORTER", StrCat(exporter_->port()));
    return ReplaceAll(text, "DOOR", door.Text());
  };
  dir_.Write("prometheus.yml", fill(kPrometheus));
  dir_.Write("alertmanager.yml", fill(kAlertmanager));
  try {
    postgres_ = std::make_unique<testing::RealPostgres>("400m");
    database_ = postgres_->NewDatabase("chaos");
  } catch (const std::runtime_error& why) {
    return Error(ErrorCode::kUnavailable, why.what());
  }
  if (Status up = StartAlertmanager(); !up) return up;
  return StartPrometheus();
}

Status Backstage::Launch(std::unique_ptr<testing::Process>& process,
                         const std::vector<std::string>& command, const std::string& log,
                         int port) {
  auto started = testing::Process::Start(command, {.log = log, .directory = "", .env = {}});
  if (!started) return started.error();
  process = std::move(*started);
  const bool ready = testing::PollUntil(
      [&] { return testing::Ask(port, "GET", "/-/ready").status == 200 || !process->Running(); },
      std::chrono::seconds(60));
  if (ready && process->Running()) return {};
  return Error(ErrorCode::kUnavailable,
               StrCat(command[0], " did not start\n", testing::ReadFile(log)));
}

Status Backstage::StartPrometheus() {
  return Launch(prometheus_,
                {"prometheus", StrCat("--config.file=", dir_.path(), "/prometheus.yml"),
                 StrCat("--storage.tsdb.path=", dir_.path(), "/prometheus"),
                 StrCat("--web.listen-address=127.0.0.1:", prometheus_port_), "--log.level=warn",
                 "--rules.alert.resend-delay=2s"},
                dir_.path() + "/prometheus.log", prometheus_port_);
}

void Backstage::KillPrometheus() { Kill(prometheus_); }

Status Backstage::StartAlertmanager() {
  const bool debian = !testing::FindProgram("prometheus-alertmanager").empty();
  return Launch(alertmanager_,
                {debian ? "prometheus-alertmanager" : "alertmanager",
                 StrCat("--config.file=", dir_.path(), "/alertmanager.yml"),
                 StrCat("--storage.path=", dir_.path(), "/alertmanager"),
                 StrCat("--web.listen-address=127.0.0.1:", alertmanager_port_),
                 "--cluster.listen-address=", "--log.level=warn"},
                dir_.path() + "/alertmanager.log", alertmanager_port_);
}

void Backstage::KillAlertmanager() { Kill(alertmanager_); }

void Backstage::SetFailing(const std::string& ns, bool failing) {
  services_.at(ns).failing = failing;
}

bool Backstage::Fires(const std::string& ns) const {
  auto list = ParseJson(testing::Ask(alertmanager_port_, "GET", "/api/v2/alerts").body);
  if (!list) return false;
  for (const Json& alert : list->items()) {
    if (alert.At("labels", "namespace").Str() == ns) return true;
  }
  return false;
}

std::string Backstage::Metrics() {
  std::string text = "# TYPE http_errors_total counter\n";
  for (auto& [ns, service] : services_) {
    if (service.failing) service.errors += 100;
    text += StrCat("http_errors_total{namespace=\"", ns, "\"} ", service.errors.load(), "\n");
  }
  return text;
}

}  // namespace rollguard::chaos
