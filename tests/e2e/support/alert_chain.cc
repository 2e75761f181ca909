// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/support/alert_chain.h"

#include <signal.h>

#include <cstdio>

#include "agent/base/text.h"
#include "tests/support/agent_process.h"
#include "tests/support/free_port.h"
#include "tests/support/real_clock.h"

namespace rollguard::testing {
namespace {

using std::chrono::seconds;

constexpr const char* kAlertName = "HighErrorRate";

}  // namespace

AlertChain::AlertChain(const std::string& guard, int agent_port, const std::string& token)
    : guard_(guard), agent_port_(agent_port), alertmanager_port_(FreePort()) {
  dir_.Write("token", token);
  service_ = std::make_unique<TinyServer>([this](const TinyRequest&, TinyConnection& connection) {
    if (failing_) errors_ += 100;
    connection.Respond(
        200, StrCat("# TYPE http_errors_total counter\nhttp_errors_total ", errors_.load(), "\n"),
        {{"Content-Type", "text/plain; version=0.0.4"}});
  });
}

AlertChain::~AlertChain() = default;

bool AlertChain::Start() {
  const std::string rules = dir_.Write("rules.yml", StrCat(R"(groups:
- name: shop
  interval: 1s
  rules:
  - alert: )",
                                                           kAlertName, R"(
    expr: rate(http_errors_total[5s]) > 1
    labels: {severity: critical, rollguard_guard: )",
                                                           guard_, "}\n"));
  PrometheusOptions options;
  options.config = StrCat(R"(global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [)",
                          rules, R"(]
alerting:
  alertmanagers:
  - static_configs: [{targets: ["127.0.0.1:)",
                          alertmanager_port_, R"("]}]
scrape_configs:
- job_name: shop
  static_configs: [{targets: ["127.0.0.1:)",
                          service_->port(), R"("]}]
)");
  options.flags = {"--rules.alert.resend-delay=2s"};
  prometheus_ = RealPrometheus::Start(options);
  return prometheus_ != nullptr && StartAlertmanager();
}

bool AlertChain::StartAlertmanager() {
  const std::string config = dir_.Write("alertmanager.yml", StrCat(R"(route:
  receiver: rollguard
  group_by: [alertname, rollguard_guard]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 5s
receivers:
- name: rollguard
  webhook_configs:
  - url: http://127.0.0.1:)",
                                                                   agent_port_, R"(/api/v1/alerts
    send_resolved: true
    http_config: {authorization: {credentials_file: )",
                                                                   dir_.path(), "/token}}\n"));
  auto started = Process::Start(
      {FindProgram("prometheus-alertmanager").empty() ? "alertmanager" : "prometheus-alertmanager",
       StrCat("--config.file=", config), StrCat("--storage.path=", dir_.path(), "/am"),
       StrCat("--web.listen-address=127.0.0.1:", alertmanager_port_), "--cluster.listen-address="},
      {.log = dir_.path() + "/alertmanager.log", .directory = "", .env = {}});
  if (!started.ok()) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
    return false;
  }
  alertmanager_ = std::move(*started);
  const bool ready = PollUntil(
      [&] { return Ask(alertmanager_port_, "GET", "/-/ready").status == 200; }, seconds(30));
  if (!ready) std::fprintf(stderr, "%s\n", ReadFile(dir_.path() + "/alertmanager.log").c_str());
  return ready;
}

void AlertChain::KillAlertmanager() {
  alertmanager_->Signal(SIGKILL);
  alertmanager_->Wait();
  alertmanager_.reset();
}

Json AlertChain::Alert() {
  auto list = ParseJson(Ask(alertmanager_port_, "GET", "/api/v2/alerts").body);
  if (!list) return {};
  for (const Json& alert : list->items()) {
    if (alert.At("labels", "alertname").Str() == kAlertName) return alert;
  }
  return {};
}

bool AlertChain::AwaitAlert(bool firing) {
  return PollUntil([&] { return Alert().is_null() != firing; }, seconds(60),
                   std::chrono::milliseconds(100));
}

bool AlertChain::Silence() {
  RealClock clock;
  const std::string body = StrCat(
      R"({"matchers":[{"name":"alertname","value":")", kAlertName,
      R"(","isRegex":false,"isEqual":true}],"createdBy":"test","comment":"test","startsAt":")",
      FormatRfc3339(clock.Now()), R"(","endsAt":")",
      FormatRfc3339(clock.Now() + std::chrono::hours(1)), R"("})");
  return Ask(alertmanager_port_, "POST", "/api/v2/silences", body).status == 200;
}

bool AlertChain::EndSilences() {
  auto list = ParseJson(Ask(alertmanager_port_, "GET", "/api/v2/silences").body);
  if (!list) return false;
  for (const Json& silence : list->items())
    (void)Ask(alertmanager_port_, "DELETE", StrCat("/api/v2/silence/", silence.At("id").Str()));
  return true;
}

}  // namespace rollguard::testing
