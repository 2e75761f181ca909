// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/fleet.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "agent/base/text.h"
#include "agent/yaml/yaml.h"
#include "tests/support/real_clock.h"

namespace rollguard::bench {
namespace {

constexpr int kInNamespace = 50;
constexpr double kFeedEvery = 15;
constexpr int64_t kBackfill = 5 * 60'000;

// Five rules in the shape that teams write them: a ratio, a quantile, three plain ones.
constexpr const char* kRules = R"(groups:
  - name: golden
    interval: @Is
    rules:
      - rollback: Errors
        expr: |
          sum(rate(http_requests_total{namespace="$namespace", pod=~"$candidate_pods", code=~"5.."}[2m]))
            / sum(rate(http_requests_total{namespace="$namespace", pod=~"$candidate_pods"}[2m])) > 0.05
        for: 1m
        severity: critical
        noData: pass
      - rollback: Latency
        expr: |
          histogram_quantile(0.99, sum by (le) (rate(
            http_request_duration_seconds_bucket{namespace="$namespace", pod=~"$candidate_pods"}[2m]))) > 2
        for: 1m
        severity: high
        noData: pass
      - pause: Memory
        expr: max(memory_bytes{namespace="$namespace", pod=~"$candidate_pods"}) > 1e12
        severity: medium
        noData: pass
      - observe: Traffic
        expr: sum(rate(http_requests_total{namespace="$namespace", pod=~"$candidate_pods"}[2m])) < 0.1
        severity: low
        noData: pass
      - observe: Gone
        expr: sum(up{namespace="$namespace", pod=~"$candidate_pods"}) < 1
        for: 2m
        severity: low
        noData: pass
)";

constexpr const char* kDeployment = R"({"apiVersion":"apps/v1","kind":"Deployment",
  "metadata":{"name":"@N","namespace":"@S","labels":{"app":"@N","team":"payments"}},
  "spec":{"replicas":@R,"selector":{"matchLabels":{"app":"@N"}},
   "template":{"metadata":{"labels":{"app":"@N","team":"payments"}},"spec":{"containers":[
    {"name":"app","image":"registry.example.com/shop/app:1","ports":[{"name":"http","containerPort":8080}],
     "env":[{"name":"LOG_LEVEL","value":"info"},{"name":"REGION","value":"eu-central-1"},
            {"name":"DB_HOST","value":"postgres.shop.svc.cluster.local"}],
     "resources":{"limits":{"cpu":"1","memory":"512Mi"},"requests":{"cpu":"100m","memory":"256Mi"}},
     "readinessProbe":{"httpGet":{"path":"/ready","port":"http"},"periodSeconds":5}}]}}}})";
constexpr const char* kService = R"({"apiVersion":"v1","kind":"Service",
  "metadata":{"name":"@N","namespace":"@S"},
  "spec":{"selector":{"app":"@N"},"ports":[{"port":80,"targetPort":8080}]}})";
constexpr const char* kRoute = R"({"apiVersion":"networking.istio.io/v1beta1",
  "kind":"VirtualService","metadata":{"name":"@N","namespace":"@S"},
  "spec":{"hosts":["@N"],"http":[{"name":"primary",
    "route":[{"destination":{"host":"@N","subset":"stable"},"weight":100}]}]}})";
constexpr const char* kSubsets = R"({"apiVersion":"networking.istio.io/v1beta1",
  "kind":"DestinationRule","metadata":{"name":"@N","namespace":"@S"},
  "spec":{"host":"@N","subsets":[{"name":"stable","labels":{"app":"@N"}},
                                 {"name":"candidate","labels":{"app":"@N"}}]}})";
constexpr const char* kGuard = R"({"apiVersion":"rollguard.dev/v1alpha1","kind":"Guard",
  "metadata":{"name":"@N","namespace":"@S"},
  "spec":{"target":{"apiVersion":"apps/v1","kind":"Deployment","name":"@N"},
   "strategy":{"canary":{
     "routing":[{"istio":{"virtualService":"@N","routes":["primary"],"destinationRule":{"name":"@N"}}}],
     "steps":[{"setWeight":20},{"pause":{}},{"setWeight":50},{"pause":{"duration":"5m"}}]}},
   "bake":"10m",
   "rollback":{"rules":["golden"],"maxPerHour":1000,"cooldown":"0s",
     "alerts":[{"matchers":["severity=\"critical\""],"action":"rollback"}]}}})";

Json Filled(const char* text, int i, int replicas) {
  std::string filled = ReplaceAll(text, "@N", StrCat("svc-", i));
  filled = ReplaceAll(filled, "@S", StrCat("team-", i / kInNamespace));
  return *ParseJson(ReplaceAll(filled, "@R", StrCat(replicas)));
}

double StatusField(const std::string& status, const char* name) {
  size_t at = status.find(name);
  return at == std::string::npos ? 0 : std::atof(status.c_str() + at + std::string(name).size());
}

}  // namespace

std::vector<Json> FleetObjects(const FleetOptions& options) {
  std::vector<Json> out;
  const std::string root = ROLLGUARD_SOURCE_DIR;
  for (const char* folder : {"/k8s/crds", "/tests/e2e/crds"}) {
    for (const auto& entry : std::filesystem::directory_iterator(root + folder)) {
      Diagnostics problems;
      const std::string text = testing::ReadFile(entry.path().string());
      for (const yaml::Node& node : yaml::Parse(entry.path().string(), text, problems)) {
        Json object = yaml::ToJson(node);
        if (object.At("kind").Str() == "CustomResourceDefinition") out.push_back(std::move(object));
      }
    }
  }
  out.push_back(*ParseJson(R"({"apiVersion":"sim.rollguard.dev/v1","kind":"Behaviour",
    "metadata":{"name":"quick"},"spec":{"readyAfter":"100ms","drain":"50ms","terminateAfter":"100ms"}})"));
  for (int n = 0; n * kInNamespace < options.guards; ++n) {
    out.push_back(Json::Obj({{"apiVersion", "v1"},
                             {"kind", "Namespace"},
                             {"metadata", Json::Obj({{"name", StrCat("team-", n)}})}}));
  }
  for (int i = 0; i < options.guards; ++i) {
    for (const char* text : {kDeployment, kService, kRoute, kSubsets, kGuard})
      out.push_back(Filled(text, i, options.replicas));
  }
  return out;
}

std::string FleetRules(const FleetOptions& options) {
  std::string rules = ReplaceAll(kRules, "@I", StrCat(options.interval));
  if (!options.breakable) return rules;
  rules = ReplaceAll(rules, "pause: Memory", "rollback: Memory");
  return ReplaceAll(rules, "severity: medium", "severity: critical");
}

Usage UsageOf(pid_t pid) {
  Usage usage;
  const std::string status = testing::ReadFile(StrCat("/proc/", pid, "/status"));
  usage.rss = StatusField(status, "VmRSS:") / 1024;
  usage.anonymous = StatusField(status, "RssAnon:") / 1024;
  usage.peak = StatusField(status, "VmHWM:") / 1024;
  const std::string stat = testing::ReadFile(StrCat("/proc/", pid, "/stat"));
  if (size_t end = stat.rfind(')'); end != std::string::npos) {
    auto fields = Split(std::string_view(stat).substr(end + 2), ' ');
    usage.cpu = (ParseDouble(fields[11]).value_or(0) + ParseDouble(fields[12]).value_or(0)) /
                static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
  usage.at = Monotonic();
  return usage;
}

Fleet::Fleet(FleetOptions options) : options_(options) {
  cluster_ = std::make_unique<ClusterServer>([options] { return FleetObjects(options); });
  if (options_.metrics) StartPrometheus();
}

Fleet::~Fleet() { StopAgent(); }

void Fleet::StartPrometheus() {
  testing::PrometheusOptions options;
  options.flags = {"--web.enable-remote-write-receiver"};
  prometheus_ = testing::RealPrometheus::Start(options);
  if (prometheus_ == nullptr) std::exit(1);
  const auto pods = cluster_->Pods();
  const int64_t now = ToUnixMillis(testing::RealClock().Now());
  for (int64_t t = now - kBackfill; t < now; t += static_cast<int64_t>(kFeedEvery * 1000))
    FeedAt(t, pods);
  Feed();
}

void Fleet::Feed() {
  fed_ = Monotonic();
  if (prometheus_ != nullptr) FeedAt(ToUnixMillis(testing::RealClock().Now()), cluster_->Pods());
}

double Fleet::Break(int guard) {
  const std::string service = StrCat("svc-", guard, "-");
  broken_.insert(service);
  auto pods = cluster_->Pods();
  std::erase_if(pods, [&](const auto& pod) { return !pod.second.starts_with(service); });
  FeedAt(ToUnixMillis(testing::RealClock().Now()), pods);
  return Monotonic();
}

// Counters grow with time alone, so that a pod that turns up later is like any other.
void Fleet::FeedAt(int64_t t_ms, const std::vector<std::pair<std::string, std::string>>& pods) {
  const double seconds = static_cast<double>(t_ms % 100'000'000) / 1000;
  std::vector<testing::WrittenSeries> series;
  auto add = [&](const char* name, const std::string& ns, const std::string& pod, const char* label,
                 const char* value, double sample) {
    std::vector<std::pair<std::string, std::string>> labels = {{"__name__", name}};
    if (label != nullptr) labels.emplace_back(label, value);
    labels.emplace_back("namespace", ns);
    labels.emplace_back("pod", pod);
    series.push_back({std::move(labels), {{t_ms, sample}}});
  };
  for (const auto& [ns, pod] : pods) {
    add("http_requests_total", ns, pod, "code", "200", seconds * 50);
    add("http_requests_total", ns, pod, "code", "500", seconds * 0.05);
    add("http_request_duration_seconds_bucket", ns, pod, "le", "0.1", seconds * 45);
    add("http_request_duration_seconds_bucket", ns, pod, "le", "0.5", seconds * 49);
    add("http_request_duration_seconds_bucket", ns, pod, "le", "1", seconds * 50);
    add("http_request_duration_seconds_bucket", ns, pod, "le", "+Inf", seconds * 50);
    const std::string service = pod.substr(0, pod.find('-', pod.find('-') + 1) + 1);
    add("memory_bytes", ns, pod, nullptr, nullptr, broken_.contains(service) ? 2e12 : 2e8);
    add("up", ns, pod, nullptr, nullptr, 1);
  }
  if (!testing::RemoteWrite(prometheus_->port(), series)) std::exit(1);
}

std::string Fleet::Config(bool limited) {
  std::string config = StrCat(
      "kind: AgentConfig\ndataDir: ", data_dir(), "\nrules: [",
      dir_.Write("rules.yaml", FleetRules(options_)),
      "]\nlimits: {maxTriggers: 100000, maxShare: 1, maxRollbacksPerHour: 100000, "
      "maxGroupRollbacksPerHour: 100000}\n",
      "auth: {kubernetes: false, webhooks: {bearerTokenFile: ", dir_.Write("token", "sesame\n"),
      "}}\nmetrics: [{name: prometheus, prometheus: {url: \"",
      prometheus_ != nullptr ? prometheus_->url() : "http://127.0.0.1:9", "\"}}]\n");
  // More than the server can answer in a call's time would only be asked for in vain.
  if (!limited) {
    config += options_.guards > 10'000 ? "cluster: {qps: 1500, burst: 1000}\n"
                                       : "cluster: {qps: 10000, burst: 100000}\n";
  }
  return dir_.Write("agent.yaml", config);
}

double Fleet::StartAgent(bool limited) {
  const std::string kubeconfig = dir_.Write("kubeconfig", cluster_->Kubeconfig());
  const double begun = Monotonic();
  agent_ = testing::AgentProcess::Start({"--config", Config(limited), "--kubeconfig", kubeconfig},
                                        dir_.path() + "/agent.log");
  const auto limit = std::chrono::minutes(options_.guards > 10'000 ? 15 : 5);
  if (agent_ == nullptr || !agent_->AwaitReady(limit)) {
    std::fprintf(stderr, "the agent was not ready\n%s\n",
                 agent_ != nullptr ? agent_->Log().substr(0, 3000).c_str() : "");
    std::exit(1);
  }
  return Monotonic() - begun;
}

void Fleet::StopAgent() {
  if (agent_ != nullptr) agent_->process().Stop();
  agent_.reset();
}

double Fleet::Metric(const std::string& name, const std::string& label) {
  const std::string page = testing::Ask(agent_->port(), "GET", "/metrics").body;
  double sum = 0;
  for (std::string_view line : Split(page, '\n')) {
    if (!line.starts_with(name) || line.find(label) == std::string_view::npos) continue;
    if (line.size() > name.size() && line[name.size()] != '{' && line[name.size()] != ' ') continue;
    sum += ParseDouble(line.substr(line.rfind(' ') + 1)).value_or(0);
  }
  return sum;
}

void Fleet::Pass(double seconds) {
  for (const double end = Monotonic() + seconds; Monotonic() < end;) {
    if (Monotonic() - fed_ >= kFeedEvery) Feed();
    ::usleep(20'000);
  }
}

void Fleet::Await(const std::string& phase, int count, double limit) {
  double end = Monotonic() + limit;
  for (int there = 0; there < count;) {
    Pass(options_.guards > 10'000 ? 5 : options_.guards > 2000 ? 1 : 0.2);
    const int before = std::exchange(there, cluster_->Phases()[phase]);
    if (there > before) end = Monotonic() + limit;
    if (Monotonic() < end) continue;
    std::fprintf(stderr, "only %d of %d guards came to %s:\n", there, count, phase.c_str());
    for (const auto& [name, n] : cluster_->Phases())
      std::fprintf(stderr, "  %s: %d\n", name.c_str(), n);
    const std::string log = agent_->Log();
    std::fprintf(stderr, "%s\n",
                 log.substr(log.size() - std::min<size_t>(log.size(), 3000)).c_str());
    std::exit(1);
  }
}

int PostAlert(testing::KeptConnection& agent, int guard) {
  static int number = 0;
  const std::string body =
      StrCat(R"({"version":"4","status":"firing","receiver":"rollguard","groupKey":"g","alerts":[)",
             R"({"status":"firing","labels":{"alertname":"HighErrorRate","severity":"critical",)",
             R"("namespace":"team-)", guard / kInNamespace, R"(","deployment":"svc-)", guard,
             R"("},"annotations":{"summary":"5.3 % of requests fail"},"startsAt":")",
             FormatRfc3339(testing::RealClock().Now()),
             R"(","endsAt":"0001-01-01T00:00:00Z","fingerprint":"f)", ++number, R"("}]})");
  return agent.Ask("POST", "/api/v1/alerts", body, {{"Authorization", "Bearer sesame"}}).status;
}

}  // namespace rollguard::bench
