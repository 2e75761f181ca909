// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/sim_prober.h"

#include <cmath>

#include "agent/base/text.h"

namespace rollguard::sim {
namespace {

std::string HostOf(std::string_view url) {
  size_t start = url.find("://");
  std::string_view rest = start == std::string_view::npos ? url : url.substr(start + 3);
  rest = rest.substr(0, rest.find_first_of("/?#"));
  if (rest.starts_with('[')) return std::string(rest.substr(1, rest.find(']') - 1));
  return std::string(rest.substr(0, rest.rfind(':')));
}

// ${name} in the URLs of a journey; what an answer would bring is not known here and stays.
std::string Filled(std::string text, const spec::StringMap& variables) {
  for (int depth = 0; depth < 3; ++depth) {
    for (const auto& [name, value] : variables)
      text = ReplaceAll(text, StrCat("${", name, "}"), value);
  }
  return text;
}

bool Runs(const Json& pod) {
  for (const Json& container : pod.At("status", "containerStatuses").items()) {
    if (!container.At("state").Find("running")) return false;
  }
  return pod.At("status", "phase").Str() == "Running";
}

// The hosts that are talked to, one after another.
struct Hosts {
  std::vector<std::string> operator()(const HttpProbe& p) const { return {HostOf(p.url)}; }
  std::vector<std::string> operator()(const TcpProbe& p) const { return {p.host}; }
  std::vector<std::string> operator()(const GrpcProbe& p) const { return {p.host}; }
  std::vector<std::string> operator()(const PostgresProbe& p) const { return {HostOf(p.url)}; }
  std::vector<std::string> operator()(const JourneyProbe& p) const {
    spec::StringMap known = p.journey->variables;
    known.insert(known.end(), p.variables.begin(), p.variables.end());
    std::vector<std::string> hosts;
    for (const auto& step : p.journey->steps) hosts.push_back(HostOf(Filled(step.url, known)));
    return hosts;
  }
};

}  // namespace

SimProber::~SimProber() {
  for (const auto& [id, timer] : pending_) api_.scheduler().CancelTimer(timer);
}

ProbeId SimProber::Probe(ProbeRequest request, ProbeDone done) {
  ProbeId id = ++last_id_;
  ProbeAnswer answer = Conclude(request);
  pending_[id] = api_.scheduler().After(std::max(answer.latency, Duration(1)),
                                        [this, id, answer, done = std::move(done)] {
                                          pending_.erase(id);
                                          done(answer);
                                        });
  return id;
}

void SimProber::Cancel(ProbeId id) {
  auto found = pending_.find(id);
  if (found == pending_.end()) return;
  api_.scheduler().CancelTimer(found->second);
  pending_.erase(found);
}

// Decided when it is asked: the pod that answers is the one that is there now.
ProbeAnswer SimProber::Conclude(const ProbeRequest& request) {
  Duration elapsed{0};
  const bool connects_only = std::holds_alternative<TcpProbe>(request.what);
  for (const std::string& host : std::visit(Hosts{}, request.what)) {
    Heard heard = Exchange(host);
    if (connects_only && heard.fault == ProbeFault::kServer) heard = {};
    elapsed += connects_only ? Duration(1) : heard.latency;
    if (elapsed > request.timeout) {
      return ProbeAnswer::Fail(ProbeFault::kTimeout, request.timeout,
                               StrCat("no answer within ", FormatGoDuration(request.timeout)));
    }
    if (heard.fault != ProbeFault::kNone) return ProbeAnswer::Fail(heard.fault, elapsed, heard.why);
  }
  return ProbeAnswer::Pass(elapsed, StrCat("answered in ", FormatGoDuration(elapsed)));
}

SimProber::Heard SimProber::Exchange(const std::string& host) {
  if (ObjectPtr pod = PodAt(host)) return AskPod(*pod);
  ObjectPtr service = ServiceAt(host);
  if (service == nullptr) return {};
  ObjectPtr pod = ReadyPodOf(*service);
  if (pod != nullptr) return AskPod(*pod);
  return {Duration(1), ProbeFault::kRefused, StrCat("Service ", host, " has no ready pod")};
}

SimProber::Heard SimProber::AskPod(const Json& pod) {
  if (!Runs(pod)) {
    return {Duration(1), ProbeFault::kRefused,
            "cannot connect: nobody listens there (connection refused)"};
  }
  RevisionBehaviour behaviour = behaviours_.For(pod);
  double factor = std::exp(behaviour.latency_spread * random_.Normal());
  Duration latency = FromSeconds(ToSeconds(behaviour.latency) * factor);
  if (random_.Chance(behaviour.error_ratio))
    return {latency, ProbeFault::kServer, "answered 500, expected 2xx"};
  return {latency, ProbeFault::kNone, {}};
}

ObjectPtr SimProber::PodAt(const std::string& ip) const {
  for (const ObjectPtr& pod : api_.List("", "pods")) {
    if (pod->At("status", "podIP").Str() == ip) return pod;
  }
  return nullptr;
}

ObjectPtr SimProber::ServiceAt(const std::string& host) const {
  std::vector<std::string_view> labels = Split(host, '.');
  std::string_view ns = labels.size() > 1 ? labels[1] : std::string_view();
  for (const ObjectPtr& service : api_.List("", "services", ns)) {
    if (NameOf(*service) == labels[0]) return service;
  }
  return nullptr;
}

ObjectPtr SimProber::ReadyPodOf(const Json& service) {
  ObjectPtr endpoints = api_.Get("", "endpoints", NamespaceOf(service), NameOf(service));
  std::vector<std::string> ready;
  for (const Json& block : endpoints ? endpoints->At("subsets").items() : Json::Array()) {
    for (const Json& address : block.At("addresses").items())
      ready.push_back(address.At("targetRef", "name").Str());
  }
  if (ready.empty()) return nullptr;
  return api_.Get("", "pods", NamespaceOf(service), ready[random_.Below(ready.size())]);
}

}  // namespace rollguard::sim
