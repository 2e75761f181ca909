// SPDX-License-Identifier: Apache-2.0
// What answers within a window say, what is asked of which pods, what a pod's object tells.
#include "agent/app/health_window.h"

#include "agent/app/health_requests.h"
#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::app {
namespace {

const Time kStart = FromUnixMillis(1'767'225'600'000);

// One letter for each answer of a round, rounds parted by blanks: g good, b bad, e error (no valid
// answer), u unknown, s good and slow (900 ms; the others take 20 ms).
HealthWindow Answers(std::string_view text) {
  HealthWindow window;
  uint64_t round = 1;
  for (char c : text) {
    if (c == ' ') {
      ++round;
      continue;
    }
    HealthSample sample;
    sample.at = kStart + std::chrono::seconds(10) * static_cast<int>(round);
    sample.round = round;
    sample.share = c == 'g' || c == 's' ? 1 : 0;
    if (c == 'g') sample.answer = ProbeAnswer::Pass(Duration(20), "well");
    if (c == 's') sample.answer = ProbeAnswer::Pass(Duration(900), "slow");
    if (c == 'b')
      sample.answer = ProbeAnswer::Fail(ProbeFault::kStatus, Duration(20), "answered 404");
    if (c == 'e') sample.answer = ProbeAnswer::Fail(ProbeFault::kRefused, Duration(20), "refused");
    if (c == 'u') sample.answer = ProbeAnswer::Unknown("nobody to ask");
    window.Add(sample);
  }
  return window;
}

std::string Shown(const WindowVerdict& v) {
  if (v.known == 0) return StrCat("unknown; ", v.why);
  return StrCat(FormatNumber(*v.score), v.failing ? " failing; " : " passing; ", v.why);
}

TEST_CASE("a window of answers becomes a score and a verdict") {
  struct Row {
    const char* name;
    const char* answers;
    std::optional<double> min_success, max_error;
    std::optional<Duration> max_latency;
    const char* want;
  };
  const std::optional<double> none;
  const std::optional<Duration> any;
  const Row rows[] = {
      {"nothing", "", none, none, any, "unknown; "},
      {"nobody to ask is neither well nor ill", "u u u", none, none, any, "unknown; nobody to ask"},
      {"unknown ones are left out", "g u g", none, none, any, "1 passing; well"},
      {"well", "g g g", none, none, any, "1 passing; well"},
      {"one bad answer", "g g b g", none, none, any, "0.75 passing; well"},
      {"one round alone never fails", "ee", none, none, any, "0 passing; refused"},
      {"two rounds do", "ee ee", none, none, any, "0 failing; 100% of 4 answers are bad; refused"},
      {"most are bad, the newest are not", "b b b gg", none, none, any, "0.4 passing; well"},
      {"one pod of four", "gggb gggb gggb", none, none, any, "0.75 passing; answered 404"},
      {"below the success rate", "g g g b", 0.9, none, any,
       "0.5 failing; 75% of 4 answers are good, required are 90%; answered 404"},
      {"at the success rate", "g g g b", 0.75, none, any, "0.75 passing; answered 404"},
      {"bad is no error", "g g b b", none, 0.1, any, "0.5 passing; answered 404"},
      {"over the error rate", "g g g e", none, 0.1, any,
       "0.5 failing; 25% of 4 checks got no valid answer, allowed are 10%; refused"},
      {"slow", "g s g", none, none, Duration(300),
       "0.3333333333333333 failing; p99 is 900ms, allowed are 300ms"},
      {"not too slow", "g s g", none, none, Duration(900), "1 passing; well"},
      {"the first reason is told", "e s e", 0.9, none, Duration(300),
       "0.3333333333333333 failing; 33.3% of 3 answers are good, required are 90%; refused"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    spec::HealthCheck check;
    check.kind = spec::HttpCheck{};
    check.window = std::chrono::minutes(5);
    check.min_success_rate = row.min_success;
    check.max_error_rate = row.max_error;
    check.max_latency = row.max_latency;
    CHECK(Shown(Answers(row.answers).Judge(check, kStart + std::chrono::minutes(1))) == row.want);
  }
}

TEST_CASE("answers leave the window, and what is left unknown is unknown") {
  spec::HealthCheck check;
  check.kind = spec::HttpCheck{};
  check.window = std::chrono::seconds(30);
  HealthWindow window = Answers("b b g g");  // at 10, 20, 30 and 40 s
  auto at = [&](int seconds) {
    return Shown(window.Judge(check, kStart + std::chrono::seconds(seconds)));
  };
  CHECK(at(40) == "0.5 passing; well");
  CHECK(at(55) == "1 passing; well");
  CHECK(at(71) == "unknown; ");
  // A window shorter than the interval would always be empty.
  check.interval = std::chrono::minutes(5);
  CHECK(EffectiveWindow(check) == std::chrono::minutes(10) + check.timeout);
}

TEST_CASE("of a state the newest answer counts, unless a rate is asked for") {
  spec::HealthCheck check;
  check.kind = spec::PodsCheck{};
  HealthWindow window = Answers("g g g b");
  Time now = kStart + std::chrono::seconds(41);
  CHECK(Shown(window.Judge(check, now)) == "0 failing; answered 404");
  check.min_success_rate = 0.7;
  CHECK(Shown(window.Judge(check, now)) == "0.75 passing; answered 404");
}

TEST_CASE("the window is bounded") {
  HealthWindow window;
  for (int i = 0; i < 5000; ++i) {
    HealthSample sample;
    sample.at = kStart;
    sample.round = static_cast<uint64_t>(i);
    sample.share = 1;
    sample.answer = ProbeAnswer::Pass(Duration(1), "well");
    window.Add(sample);
  }
  spec::HealthCheck check;
  check.kind = spec::HttpCheck{};
  CHECK(window.Judge(check, kStart).known == HealthWindow::kMaxSamples);
}

std::vector<PodFacts> Pods(std::string_view text) {
  // r ready, n ready before and not now, s never ready yet, p cannot pull, x restarted twice
  std::vector<PodFacts> pods;
  for (char c : text) {
    PodFacts pod;
    pod.name = StrCat("p", pods.size());
    pod.ip = StrCat("10.0.0.", pods.size() + 1);
    pod.ready = c == 'r' || c == 'x';
    pod.was_ready = pod.ready || c == 'n';
    pod.restarts = c == 'x' ? 2 : 0;
    if (c == 'p') pod.pull_problem = "shop/checkout:v2: ErrImagePull";
    pod.ports = {{"http", 8080}};
    pods.push_back(std::move(pod));
  }
  return pods;
}

TEST_CASE("the pods check") {
  struct Row {
    const char* pods;
    double min_ready;
    int64_t max_restarts;
    const char* want;
  };
  const Row rows[] = {
      {"", 1, 0, "unknown 0: this track has no pods"},
      {"rrrr", 1, 0, "pass 1: 4 of 4 pods are ready"},
      {"ss", 1, 0, "unknown 0: 0 of 0 pods are ready, 2 are starting"},
      {"rrs", 1, 0, "pass 1: 2 of 2 pods are ready, 1 is starting"},
      {"rrrn", 1, 0, "fail 0.75: 3 of 4 pods are ready, required are 100%"},
      {"rrrn", 0.75, 0, "pass 0.75: 3 of 4 pods are ready"},
      {"rrp", 1, 0, "fail 0: pod p2 cannot pull shop/checkout:v2: ErrImagePull"},
      {"rx", 1, 0, "fail 0.5: pod p1 restarted 2 times since the release began, allowed are 0"},
      {"rx", 1, 2, "pass 1: 2 of 2 pods are ready"},
      {"rx", 1, -1, "pass 1: 2 of 2 pods are ready"},
  };
  constexpr const char* kVerdicts[] = {"pass", "fail", "unknown"};
  for (const Row& row : rows) {
    INFO(row.pods << " " << row.min_ready << " " << row.max_restarts);
    spec::PodsCheck check;
    check.min_ready = row.min_ready;
    check.max_restarts = row.max_restarts;
    HealthSample sample = JudgePods(check, Pods(row.pods));
    CHECK(StrCat(kVerdicts[static_cast<size_t>(sample.answer.verdict)], " ",
                 FormatNumber(sample.share), ": ", sample.answer.why) == row.want);
  }
}

std::string Planned(const spec::CheckKind& kind, const std::vector<PodFacts>& pods,
                    uint64_t turn = 0) {
  spec::HealthCheck check;
  check.kind = kind;
  auto planned =
      PlanProbes(check, {{"service", "checkout"}, {"namespace", "shop"}, {"workload", "checkout"}},
                 pods, turn);
  if (!planned) return StrCat(ToString(planned.error().code), ": ", planned.error().message);
  std::string text;
  for (const PlannedProbe& probe : *planned) {
    if (!text.empty()) text += ", ";
    text += probe.subject;
    const ProbeWhat& what = probe.request.what;
    if (const auto* http = std::get_if<HttpProbe>(&what)) text += StrCat(" ", http->url);
    if (const auto* tcp = std::get_if<TcpProbe>(&what))
      text += StrCat(" ", tcp->host, ":", tcp->port);
    if (const auto* grpc = std::get_if<GrpcProbe>(&what))
      text += StrCat(" ", grpc->host, ":", grpc->port, "/", grpc->service);
    if (const auto* journey = std::get_if<JourneyProbe>(&what))
      text += StrCat(" journey ", journey->variables.size());
  }
  return text;
}

TEST_CASE("who is asked") {
  spec::HttpCheck by_port;
  by_port.port = "http";
  by_port.path = "ready";
  spec::HttpCheck by_url;
  by_url.url = "http://${service}.${namespace}:8080/";
  spec::HttpCheck by_ip;
  by_ip.url = "https://${pod_ip}:9000/x";
  spec::HttpCheck wrong;
  wrong.url = "http://${servce}/";
  spec::HttpCheck no_port;
  no_port.port = "admin";
  spec::JourneyCheck walk, census;
  walk.steps.emplace_back().url = "http://${service}/";
  census.steps.emplace_back().url = "http://${pod_ip}:8080/";
  const char* nobody = "not found: no pod of this track has been ready yet";

  CHECK(Planned(by_port, Pods("rsn")) ==
        "p0 http://10.0.0.1:8080/ready, p2 http://10.0.0.3:8080/ready");
  CHECK(Planned(by_port, Pods("ss")) == nobody);
  CHECK(Planned(no_port, Pods("r")) == "invalid: pod p0 has no port named \"admin\"");
  CHECK(Planned(by_url, Pods("")) == " http://checkout.shop:8080/");
  CHECK(Planned(by_ip, Pods("rr")) == "p0 https://10.0.0.1:9000/x, p1 https://10.0.0.2:9000/x");
  CHECK(Planned(wrong, Pods("r")) ==
        "invalid: ${servce} is not known; there are ${pod_ip}, ${service}, ${namespace}, "
        "${workload} and the guard's own variables");
  CHECK(Planned(spec::TcpCheck{"", "5432"}, Pods("r")) == "p0 10.0.0.1:5432");
  CHECK(Planned(spec::TcpCheck{"db.${namespace}", "5432"}, {}) == " db.shop:5432");
  CHECK(Planned(spec::TcpCheck{"db", "sql"}, {}) ==
        "invalid: a port name such as \"sql\" needs pods; give a number");
  CHECK(Planned(spec::GrpcCheck{"", "http", "orders", false, false}, Pods("r")) ==
        "p0 10.0.0.1:8080/orders");
  CHECK(Planned(walk, {}) == " journey 3");
  CHECK(Planned(census, Pods("rrr"), 4) == "p1 journey 5");
}

TEST_CASE("large tracks are asked in turns") {
  auto pods = Pods(std::string(50, 'r'));
  spec::TcpCheck check{"", "80"};
  std::string first = Planned(check, pods, 0), second = Planned(check, pods, 1),
              third = Planned(check, pods, 2);
  CHECK(Split(first, ',').size() == kPodsPerTurn);
  CHECK(first.starts_with("p0 "));
  CHECK(second.starts_with("p20 "));
  CHECK(third.starts_with("p40 "));
  CHECK(third.find("p9 ") != std::string::npos);  // and round again
}

TEST_CASE("a pod's object is read") {
  auto pod = ParseJson(R"({
    "metadata": {"name": "checkout-1", "uid": "u1"},
    "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 8080}]}]},
    "status": {"phase": "Running", "podIP": "10.1.2.3",
      "conditions": [{"type": "Ready", "status": "False"}],
      "initContainerStatuses": [{"restartCount": 1}],
      "containerStatuses": [{"restartCount": 2, "image": "shop/checkout:v2",
        "state": {"waiting": {"reason": "ImagePullBackOff"}}}]}})");
  REQUIRE(pod.ok());
  auto facts = ReadPod(*pod);
  REQUIRE(facts.has_value());
  CHECK(facts->ip == "10.1.2.3");
  CHECK_FALSE(facts->ready);
  CHECK(facts->restarts == 3);
  CHECK(facts->pull_problem == "shop/checkout:v2: ImagePullBackOff");
  CHECK(facts->ports[0].second == 8080);
  for (Json& container : (*pod)["status"]["containerStatuses"].items())
    container.Set("restartCount", INT64_MAX);
  CHECK(ReadPod(*pod)->restarts == int64_t{INT32_MAX} + 1);  // as many as can be counted
  (*pod)["metadata"].Set("deletionTimestamp", "2026-01-01T00:00:00Z");
  CHECK_FALSE(ReadPod(*pod).has_value());
}

}  // namespace
}  // namespace rollguard::app
