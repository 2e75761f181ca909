// SPDX-License-Identifier: Apache-2.0
#include "agent/app/health_requests.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::app {
namespace {

constexpr std::string_view kPodIp = "pod_ip";
constexpr std::string_view kPodName = "pod_name";

bool Mentions(std::string_view text, std::string_view name) {
  return text.find(StrCat("${", name, "}")) != std::string_view::npos;
}

Expected<int> PortOf(const PodFacts& pod, const std::string& port) {
  if (auto number = ParseInt(port)) return static_cast<int>(*number);
  for (const auto& [name, number] : pod.ports) {
    if (name == port) return number;
  }
  return Error(ErrorCode::kInvalid, StrCat("pod ", pod.name, " has no port named ", Quote(port)));
}

std::string HostOf(const std::string& ip) {
  return ip.find(':') == std::string::npos ? ip : StrCat("[", ip, "]");
}

// Those that can be asked, a window of them when they are many.
std::vector<const PodFacts*> AskedPods(const std::vector<PodFacts>& pods, uint64_t turn,
                                       size_t most) {
  std::vector<const PodFacts*> able;
  for (const PodFacts& pod : pods) {
    if (pod.was_ready && !pod.ip.empty()) able.push_back(&pod);
  }
  if (able.size() <= most) return able;
  size_t first = static_cast<size_t>(turn) * most % able.size();
  std::rotate(able.begin(), able.begin() + static_cast<ptrdiff_t>(first), able.end());
  able.resize(most);
  return able;
}

struct Planner {
  const spec::HealthCheck& check;
  const spec::StringMap& variables;
  const std::vector<PodFacts>& pods;
  uint64_t turn;

  using Planned = Expected<std::vector<PlannedProbe>>;

  spec::StringMap With(const PodFacts& pod) const {
    spec::StringMap all = variables;
    all.emplace_back(kPodIp, HostOf(pod.ip));
    all.emplace_back(kPodName, pod.name);
    return all;
  }

  PlannedProbe Probe(std::string subject, ProbeWhat what) const {
    return {std::move(subject), {.what = std::move(what), .timeout = check.timeout}};
  }

  // Once for each pod that can be asked.
  template <class Make>
  Planned EachPod(Make make, size_t most = kPodsPerTurn) const {
    std::vector<PlannedProbe> planned;
    for (const PodFacts* pod : AskedPods(pods, turn, most)) {
      Expected<ProbeWhat> what = make(*pod);
      if (!what) return what.error();
      planned.push_back(Probe(pod->name, std::move(*what)));
    }
    if (planned.empty())
      return Error(ErrorCode::kNotFound, "no pod of this track has been ready yet");
    return planned;
  }

  Planned operator()(const spec::HttpCheck& http) const {
    auto make = [&](const std::string& url, const spec::StringMap& known) -> Expected<ProbeWhat> {
      HttpProbe probe;
      probe.method = http.method;
      auto filled = FillIn(url, known);
      if (!filled) return filled.error();
      probe.url = std::move(*filled);
      for (const auto& [name, value] : http.headers) probe.headers.emplace_back(name, value);
      probe.body = http.body;
      probe.expect_status = http.expect_status;
      probe.expect_body = http.expect_body;
      probe.insecure = http.insecure_skip_verify;
      return ProbeWhat(std::move(probe));
    };
    if (!http.url.empty() && !Mentions(http.url, kPodIp)) {
      auto what = make(http.url, variables);
      if (!what) return what.error();
      return std::vector<PlannedProbe>{Probe({}, std::move(*what))};
    }
    return EachPod([&](const PodFacts& pod) -> Expected<ProbeWhat> {
      if (!http.url.empty()) return make(http.url, With(pod));
      auto port = PortOf(pod, http.port);
      if (!port) return port.error();
      std::string path = http.path.starts_with('/') ? http.path : "/" + http.path;
      return make(StrCat(http.scheme, "://", HostOf(pod.ip), ":", *port, path), With(pod));
    });
  }

  Planned operator()(const spec::TcpCheck& tcp) const {
    if (!tcp.host.empty()) {
      auto at = HostPort(tcp.host, tcp.port);
      if (!at) return at.error();
      return std::vector<PlannedProbe>{Probe({}, TcpProbe{at->first, at->second})};
    }
    return EachPod([&](const PodFacts& pod) -> Expected<ProbeWhat> {
      auto port = PortOf(pod, tcp.port);
      if (!port) return port.error();
      return ProbeWhat(TcpProbe{pod.ip, *port});
    });
  }

  Planned operator()(const spec::GrpcCheck& grpc) const {
    auto probe = [&](const std::string& host, int port) {
      return GrpcProbe{host, port, grpc.service, grpc.tls, grpc.insecure_skip_verify};
    };
    if (!grpc.host.empty()) {
      auto at = HostPort(grpc.host, grpc.port);
      if (!at) return at.error();
      return std::vector<PlannedProbe>{Probe({}, probe(at->first, at->second))};
    }
    return EachPod([&](const PodFacts& pod) -> Expected<ProbeWhat> {
      auto port = PortOf(pod, grpc.port);
      if (!port) return port.error();
      return ProbeWhat(probe(pod.ip, *port));
    });
  }

  // One pod at a time: a journey is a user's walk, not a census.
  Planned operator()(const spec::JourneyCheck& journey) const {
    auto shared = std::make_shared<const spec::JourneyCheck>(journey);
    bool each = std::any_of(journey.steps.begin(), journey.steps.end(),
                            [](const auto& step) { return Mentions(step.url, kPodIp); }) ||
                std::any_of(journey.variables.begin(), journey.variables.end(),
                            [](const auto& v) { return Mentions(v.second, kPodIp); });
    if (!each) return std::vector<PlannedProbe>{Probe({}, JourneyProbe{shared, variables})};
    return EachPod(
        [&](const PodFacts& pod) -> Expected<ProbeWhat> {
          return ProbeWhat(JourneyProbe{shared, With(pod)});
        },
        1);
  }

  template <class Other>
  Planned operator()(const Other&) const {
    return Error(ErrorCode::kInternal, "this kind of check is not asked over the network");
  }

  Expected<std::pair<std::string, int>> HostPort(const std::string& host,
                                                 const std::string& port) const {
    auto filled = FillIn(host, variables);
    if (!filled) return filled.error();
    auto number = ParseInt(port);
    if (!number)
      return Error(ErrorCode::kInvalid,
                   StrCat("a port name such as ", Quote(port), " needs pods; give a number"));
    return std::pair(std::move(*filled), static_cast<int>(*number));
  }
};

bool IsPullProblem(std::string_view reason) {
  return reason == "ImagePullBackOff" || reason == "ErrImagePull" || reason == "InvalidImageName" ||
         reason == "ErrImageNeverPull";
}

HealthSample State(bool well, double share, std::string why) {
  HealthSample sample;
  sample.answer = well ? ProbeAnswer::Pass(Duration(0), std::move(why))
                       : ProbeAnswer::Fail(ProbeFault::kContent, Duration(0), std::move(why));
  sample.share = share;
  return sample;
}

}  // namespace

Expected<std::string> FillIn(std::string_view text, const spec::StringMap& variables) {
  std::string out;
  for (;;) {
    size_t open = text.find("${");
    size_t close = open == std::string_view::npos ? open : text.find('}', open);
    if (close == std::string_view::npos) return out.append(text);
    std::string_view name = text.substr(open + 2, close - open - 2);
    const std::string* value = spec::FindIn(variables, name);
    if (value == nullptr) {
      return Error(ErrorCode::kInvalid,
                   StrCat("${", name,
                          "} is not known; there are ${pod_ip}, ${service}, "
                          "${namespace}, ${workload} and the guard's own variables"));
    }
    out.append(text.substr(0, open)).append(*value);
    text.remove_prefix(close + 1);
  }
}

std::optional<PodFacts> ReadPod(const Json& pod) {
  const Json& metadata = pod.At("metadata");
  const Json& status = pod.At("status");
  const std::string phase = status.At("phase").Str();
  if (metadata.At("deletionTimestamp").is_string() || phase == "Succeeded" || phase == "Failed")
    return std::nullopt;
  PodFacts facts;
  facts.name = metadata.At("name").Str();
  facts.uid = metadata.At("uid").Str();
  facts.ip = status.At("podIP").Str();
  for (const Json& condition : status.At("conditions").items()) {
    if (condition.At("type").Str() == "Ready") facts.ready = condition.At("status").Str() == "True";
  }
  facts.was_ready = facts.ready;
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& container : status.At(list).items()) {
      facts.restarts += std::clamp<int64_t>(container.At("restartCount").IntOr(0), 0, INT32_MAX);
      const std::string reason = container.At("state", "waiting", "reason").Str();
      if (facts.pull_problem.empty() && IsPullProblem(reason))
        facts.pull_problem = StrCat(container.At("image").Str(), ": ", reason);
    }
  }
  for (const Json& container : pod.At("spec", "containers").items()) {
    for (const Json& port : container.At("ports").items()) {
      facts.ports.emplace_back(port.At("name").Str(),
                               static_cast<int>(port.At("containerPort").IntOr(0)));
    }
  }
  return facts;
}

Expected<std::vector<PlannedProbe>> PlanProbes(const spec::HealthCheck& check,
                                               const spec::StringMap& variables,
                                               const std::vector<PodFacts>& pods, uint64_t turn) {
  return std::visit(Planner{check, variables, pods, turn}, check.kind);
}

HealthSample JudgePods(const spec::PodsCheck& check, const std::vector<PodFacts>& pods) {
  if (pods.empty()) {
    HealthSample nobody;
    nobody.answer = ProbeAnswer::Unknown("this track has no pods");
    return nobody;
  }
  size_t ready = 0, started = 0;
  const PodFacts* restarted = nullptr;
  for (const PodFacts& pod : pods) {
    if (check.image_pull && !pod.pull_problem.empty())
      return State(false, 0, StrCat("pod ", pod.name, " cannot pull ", pod.pull_problem));
    if (pod.ready) ++ready;
    if (pod.was_ready) ++started;
    if (check.max_restarts >= 0 && pod.restarts > check.max_restarts &&
        (restarted == nullptr || pod.restarts > restarted->restarts)) {
      restarted = &pod;
    }
  }
  // A pod that was never ready is on its way up; whether it arrives is the progress deadline's
  // care.
  double share = started == 0 ? 0 : static_cast<double>(ready) / static_cast<double>(started);
  size_t starting = pods.size() - started;
  std::string text = StrCat(ready, " of ", started, " pods are ready");
  if (starting > 0)
    text += StrCat(", ", starting, starting == 1 ? " is starting" : " are starting");
  HealthSample sample;
  if (restarted != nullptr) {
    sample = State(false, std::min(share, 0.5),
                   StrCat("pod ", restarted->name, " restarted ", restarted->restarts,
                          restarted->restarts == 1 ? " time" : " times",
                          " since the release began, allowed are ", check.max_restarts));
  } else if (started == 0) {
    sample.answer = ProbeAnswer::Unknown(text);
  } else if (share + 1e-9 >= check.min_ready) {
    sample = State(true, share, text);
  } else {
    sample = State(false, share,
                   StrCat(text, ", required are ", Format("%.0f", check.min_ready * 100), "%"));
  }
  sample.value = share;
  return sample;
}

}  // namespace rollguard::app
