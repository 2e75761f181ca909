// SPDX-License-Identifier: Apache-2.0
// A Flagger Canary as a Guard, its metrics as a group of rules.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/base/time.h"
#include "agent/proof/import_source.h"

namespace rollguard::proof {
namespace {

constexpr std::string_view kService =
    "rollguard makes no Services or routes: keep those of Flagger (primary and canary), or your "
    "own";

// The router of a provider; null when there is none.
Json RouterOf(const std::string& provider, const std::string& name, const Json& ingress,
              const Json& route) {
  auto one = [](const char* router, const char* key, const std::string& value) {
    return Json::Obj({{router, Json::Obj({{key, value}})}});
  };
  if (provider.empty() || provider == "istio") return one("istio", "virtualService", name);
  if (provider == "nginx") return one("nginx", "ingress", ingress.At("name").Str());
  if (provider.starts_with("gatewayapi")) return one("gatewayApi", "httpRoute", name);
  if (provider == "contour") return one("contour", "httpProxy", name);
  if (provider == "traefik") return one("traefik", "service", name);
  if (provider == "apisix") return one("apisix", "route", route.At("name").Str());
  if (provider.starts_with("smi") || provider == "linkerd" || provider == "osm")
    return one("smi", "trafficSplit", name);
  return {};
}

const char* ShippedGroup(const std::string& provider) {
  if (provider.empty() || provider == "istio") return "istio";
  if (provider == "nginx") return "nginx-ingress";
  if (provider.starts_with("gatewayapi")) return "gateway";
  return "http-golden-signals";
}

// Flagger's template variables as ours.
std::string Query(std::string text) {
  const std::pair<const char*, const char*> words[] = {{"namespace", "$namespace"},
                                                       {"target", "$workload-candidate"},
                                                       {"service", "$service"},
                                                       {"ingress", "$ingress"},
                                                       {"interval", "$interval"}};
  for (const auto& [word, ours] : words) {
    text = ReplaceAll(text, StrCat("{{ ", word, " }}"), ours);
    text = ReplaceAll(text, StrCat("{{", word, "}}"), ours);
  }
  return std::string(Trim(text));
}

struct Checks {
  std::string interval = "1m";
  int64_t threshold = 1;
  std::string group;  // the rules made here
  Json rules = Json::Arr();
  bool shipped = false;
};

// How long a metric must be bad: so many looks as Flagger allows failures.
std::string For(const Checks& checks) {
  auto interval = ParsePromDuration(checks.interval);
  if (!interval || checks.threshold < 2) return "0s";
  return FormatShortDuration(*interval * (checks.threshold - 1));
}

void AddBound(Checks& checks, const std::string& name, const std::string& query, const char* op,
              const Json& bound) {
  if (!bound.is_number()) return;
  checks.rules.Push(
      Json::Obj({{"rollback", StrCat(name, op[0] == '<' ? "-too-low" : "-too-high")},
                 {"expr", StrCat("(", query, ") ", op, " ", FormatNumber(bound.DoubleOr(0)))},
                 {"for", For(checks)}}));
}

void Metric(ImportSource& from, Checks& checks) {
  const std::string name = from.Text("name");
  const Json range = from.Take("thresholdRange");
  Json low = range.At("min"), high = range.At("max");
  if (from.Has("threshold")) (name == "request-success-rate" ? low : high) = from.Take("threshold");
  from.Ignore("interval");
  if (from.Has("query")) {
    const std::string query = Query(from.Text("query"));
    AddBound(checks, name, query, "<", low);
    AddBound(checks, name, query, ">", high);
    return;
  }
  if (from.Has("templateRef")) {
    from.Leave("templateRef", "a MetricTemplate stands elsewhere: write its query as a rule");
    from.Ignore("templateVariables");
    return;
  }
  checks.shipped = true;
  from.Note(StrCat("the built-in metric ", name,
                   " becomes the shipped rules with limits of their own",
                   low.is_number() ? StrCat("; at least ", FormatNumber(low.DoubleOr(0))) : "",
                   high.is_number() ? StrCat("; at most ", FormatNumber(high.DoubleOr(0))) : "",
                   " was asked for"));
}

Json Matches(ImportSource& from) {
  Json out = Json::Arr();
  from.Each("match", [&](ImportSource& m) {
    m.In("headers", [&](ImportSource& headers) {
      Json match = Json::Obj({{"headers", Json::Arr()}});
      for (const std::string& name : headers.Keys()) {
        headers.In(name, [&](ImportSource& h) {
          Json header = Json::Obj({{"name", name}});
          for (const char* kind : {"exact", "prefix", "regex"}) Carry(h, kind, header, kind);
          match["headers"].Push(std::move(header));
        });
      }
      out.Push(std::move(match));
    });
    m.Leave("sourceLabels", "match a header that these clients send");
  });
  return out;
}

Json Gate(ImportSource& hook) {
  Json gate = Json::Obj();
  Carry(hook, "url", gate, "webhook");
  CarrySeconds(hook, "timeout", gate, "requestTimeout");
  hook.Leave("metadata", "the gate is told guard, release and step");
  hook.Ignore("retries");
  hook.Ignore("muteAlert");
  return Json::Obj({{"gate", std::move(gate)}});
}

struct Gates {
  Json first = Json::Arr();  // before any traffic
  Json each = Json::Arr();   // before each weight
  Json last = Json::Arr();   // before promotion
};

void Webhook(ImportSource& hook, Gates& gates) {
  const std::string type = hook.Has("type") ? hook.Text("type") : "rollout";
  hook.Ignore("name");
  if (type == "confirm-rollout" || type == "pre-rollout") {
    gates.first.Push(Gate(hook));
  } else if (type == "confirm-traffic-increase") {
    gates.each.Push(Gate(hook));
  } else if (type == "confirm-promotion") {
    gates.last.Push(Gate(hook));
  } else {
    const char* why = type == "rollback"       ? "call `rollguard rollback`, or send an alert"
                      : type == "post-rollout" ? "make it a Job under hooks.postPromote"
                      : type == "event" ? "add a webhook channel to the agent's notifications"
                                        : "load tests run outside: make it a `hook` step's Job";
    hook.Note(StrCat("the webhook of type ", type, ": ", why));
    for (const char* key : {"url", "timeout", "metadata", "retries", "muteAlert"}) hook.Ignore(key);
  }
}

std::vector<int64_t> Weights(const Json& step, const Json& most, const Json& list) {
  std::vector<int64_t> weights;
  for (const Json& weight : list.items()) weights.push_back(weight.IntOr(0));
  if (!weights.empty() || step.IntOr(0) <= 0) return weights;
  const int64_t end = most.is_int() ? most.IntOr(100) : 100;
  const int64_t by = std::min<int64_t>(step.IntOr(1), 101);
  for (int64_t w = by; w <= end && w <= 100; w += by) weights.push_back(w);
  return weights;
}

Json Steps(const std::vector<int64_t>& weights, const Gates& gates, const std::string& interval) {
  Json steps = Json::Arr();
  auto add = [&steps](const Json& list) {
    for (const Json& step : list.items()) steps.Push(step);
  };
  add(gates.first);
  for (int64_t weight : weights) {
    add(gates.each);
    steps.Push(Json::Obj({{"setWeight", weight}}));
    steps.Push(Json::Obj({{"pause", Json::Obj({{"duration", interval}})}}));
  }
  add(gates.last);
  return steps;
}

void Analysis(ImportSource& from, Checks& checks, Json router, Json& guard) {
  if (from.Has("interval")) checks.interval = from.Text("interval");
  checks.threshold = from.Take("threshold").IntOr(1);
  const Json iterations = from.Take("iterations");
  const Json step = from.Take("stepWeight"), most = from.Take("maxWeight");
  const std::vector<int64_t> weights = Weights(step, most, from.Take("stepWeights"));
  Gates gates;
  from.Each("metrics", [&](ImportSource& m) { Metric(m, checks); });
  from.Each("webhooks", [&](ImportSource& w) { Webhook(w, gates); });
  from.Leave("alerts", "name channels under `notifications`");
  from.Leave("stepWeightPromotion", "promotion rolls the Deployment behind the candidate's back");
  from.Leave("primaryReadyThreshold", "every pod of stable counts");
  from.Leave("canaryReadyThreshold", "every pod of the candidate counts");
  from.Leave("mirror", "put a setMirrorRoute step before the first weight");
  from.Leave("mirrorWeight", "it is the percentage of setMirrorRoute");
  from.Leave("sessionAffinity", "send a cookie's requests with a header route");
  Json strategy = Json::Obj();
  if (!router.is_null()) {
    const std::string name = guard.At("spec", "target", "name").Str();
    strategy.Set("routing", Json::Arr({std::move(router)}))
        .Set("stableService", name + "-primary")
        .Set("candidateService", name + "-canary");
  }
  const char* kind = "canary";
  if (Json matches = Matches(from); matches.size() > 0) {
    kind = "abTest";
    strategy.Set("match", std::move(matches))
        .Set("iterations", iterations)
        .Set("interval", checks.interval);
  } else if (weights.empty()) {
    if (!iterations.is_null())
      from.Note(
          "iterations without weights and matches: a candidate at 0 % is looked at, then at 100 %");
    strategy.Set("steps", Steps({0}, gates, checks.interval));
  } else {
    strategy.Set("steps", Steps(weights, gates, checks.interval));
  }
  guard["spec"].Set("strategy", Json::Obj({{kind, std::move(strategy)}}));
}

void AddRules(const Checks& checks, const std::string& provider, Json& guard, Imported& out) {
  Json groups = Json::Arr();
  if (checks.rules.size() > 0) {
    groups.Push(checks.group);
    Json group = Json::Obj({{"name", checks.group},
                            {"interval", checks.interval},
                            {"vars", Json::Obj({{"interval", checks.interval}})},
                            {"rules", checks.rules}});
    Json about = Json::Obj({{"name", checks.group}});
    if (!guard.At("metadata", "namespace").is_null())
      about.Set("namespace", guard.At("metadata", "namespace"));
    out.documents.push_back(
        Json::Obj({{"apiVersion", "rollguard.dev/v1alpha1"},
                   {"kind", "RollbackRules"},
                   {"metadata", std::move(about)},
                   {"spec", Json::Obj({{"groups", Json::Arr({std::move(group)})}})}}));
  }
  if (checks.shipped) groups.Push(ShippedGroup(provider));
  if (groups.size() > 0) guard["spec"].Set("rollback", Json::Obj({{"rules", std::move(groups)}}));
}

}  // namespace

void ImportCanary(const yaml::Node& node, Imported& out) {
  ImportSource root(node, "", out.notes);
  for (const char* key : {"apiVersion", "kind", "status"}) root.Ignore(key);
  root.In("spec", [&](ImportSource& spec) {
    Json target = spec.Take("targetRef"), guard;
    root.In("metadata", [&](ImportSource& m) { guard = NewGuard(m, target); });
    if (guard.is_null()) return root.Note("a Canary without metadata has no name");
    const std::string provider = spec.Text("provider"), name = target.At("name").Str();
    CarrySeconds(spec, "progressDeadlineSeconds", guard["spec"], "progressDeadline");
    Carry(spec, "suspend", guard["spec"], "suspend");
    spec.Leave("autoscalerRef", "an autoscaler of the Deployment is carried along by itself");
    spec.Leave("service", kService);
    spec.Leave("skipAnalysis", "say `rollguard promote --full`");
    spec.Leave("revertOnDeletion", "deleting a guard always gives back what was changed");
    Json router = RouterOf(provider, name, spec.Take("ingressRef"), spec.Take("routeRef"));
    if (router.is_null())
      spec.Note(StrCat("provider ", provider,
                       " has no router here: use `generic` with the paths of "
                       "its two weights, or `replicas`"));
    Checks checks;
    checks.group = StrCat(name, "-imported");
    auto read = [&](ImportSource& a) { Analysis(a, checks, router, guard); };
    spec.In("analysis", read);
    spec.In("canaryAnalysis", read);
    AddRules(checks, provider, guard, out);
    out.documents.push_back(std::move(guard));
  });
}

}  // namespace rollguard::proof
