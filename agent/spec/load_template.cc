// SPDX-License-Identifier: Apache-2.0
// Argo's analysis templates: the document, and a metric once its arguments are filled in.
#include <algorithm>

#include "agent/spec/readers.h"

namespace rollguard::spec {
namespace {

void ReadHeaders(Object& o, std::vector<Header>& out) {
  o.List("headers", "Sent along.", [&](Object& h) {
    Header header;
    h.Str("key", header.key, "The header's name.");
    h.Require("key");
    h.Str("value", header.value, "Its value.");
    out.push_back(std::move(header));
  });
}

void ReadAuthentication(Object& o, Authentication& out) {
  o.Obj("authentication", "How to prove who asks.", [&](Object& a) {
    a.Obj("oauth2", "OAuth 2 client credentials.", [&](Object& x) {
      auto& oauth = out.oauth2.emplace();
      x.Str("tokenUrl", oauth.token_url, "Where tokens are fetched.");
      x.Str("clientId", oauth.client_id, "The client.");
      x.Str("clientSecret", oauth.client_secret, "Its secret: an argument from a Secret.");
      x.Strings("scopes", oauth.scopes, "Scopes to ask for.");
      x.Require("tokenUrl");
      x.Require("clientId");
      x.Require("clientSecret");
    });
    a.Obj("basic", "User name and password.", [&](Object& b) {
      auto& basic = out.basic.emplace();
      b.Str("username", basic.username, "The user.");
      b.Str("password", basic.password, "The password: an argument from a Secret.");
    });
    if (a.Has("sigv4")) {
      a.Ignore("sigv4");
      // An empty one is what Argo's defaulting leaves behind.
      const yaml::Node* node = a.node().Find("sigv4");
      if (!node->entries.empty())
        a.Error("sigv4", "SigV4 is not supported; put a signing proxy in front of the server");
    }
    a.AtMostOne({"oauth2", "basic"});
  });
}

void ReadPrometheus(Object& o, PrometheusProvider& out) {
  o.Str("address", out.address, "The server; absent: the agent's own source.");
  o.Str("source", out.source, "A metrics source of the agent's configuration.");
  o.AtMostOne({"address", "source"});
  o.Promql("query", out.query, "PromQL.");
  o.Require("query");
  if (o.describing()) {
    o.Dur("timeout", out.timeout, "Of one query, in seconds or as a duration (30s).");
  } else {
    yaml::Node node;
    if (o.Raw("timeout", node, "")) {
      auto seconds = node.AsInt();
      auto duration = ParseGoDuration(node.text);
      bool open = o.context().placeholders && node.text.find("{{") != std::string::npos;
      if (seconds && *seconds >= 0) {
        out.timeout = std::chrono::seconds(std::min<int64_t>(*seconds, 86'400));
      } else if (duration && duration->count() > 0) {
        out.timeout = *duration;
      } else if (!open) {
        o.Error("timeout",
                StrCat("\"timeout\" must be seconds or a duration, not ", Describe(node)));
      }
    }
  }
  ReadHeaders(o, out.headers);
  ReadAuthentication(o, out.authentication);
  o.Bool("insecure", out.insecure, "Do not check the certificate (false).");
  o.Obj("rangeQuery", "Ask over a range instead of now.", [&](Object& r) {
    auto& range = out.range.emplace();
    Condition start;
    Condition end;
    r.Expression("start", start, "When it begins: now() - duration(\"1h\")");
    r.Expression("end", end, "When it ends: now()");
    r.Dur("step", range.step, "Resolution.", std::chrono::seconds(1));
    for (auto key : {"start", "end", "step"}) r.Require(key);
    range.start = start.text;
    range.end = end.text;
  });
}

void ReadWeb(Object& o, WebProvider& out) {
  o.Str("url", out.url, "What is asked.");
  o.Require("url");
  o.Str("method", out.method, "GET, POST or PUT (GET).");
  if (!o.describing() && out.method != "GET" && out.method != "POST" && out.method != "PUT" &&
      out.method.find("{{") == std::string::npos)
    o.Error("method", StrCat("\"method\" must be GET, POST or PUT, not ", Quote(out.method)));
  ReadHeaders(o, out.headers);
  o.Str("body", out.body, "Sent along.");
  Json json;
  if (o.Any("jsonBody", json, "Sent along as JSON.")) out.json_body = std::move(json);
  o.AtMostOne({"body", "jsonBody"});
  if (!o.describing() && out.method == "GET" && (o.Has("body") || o.Has("jsonBody")))
    o.Error(o.Has("body") ? "body" : "jsonBody", "a GET request has no body");
  int64_t seconds = 10;
  if (o.LooseInt("timeoutSeconds", seconds, "Of one request (10).", 1))
    out.timeout = std::chrono::seconds(std::min<int64_t>(seconds, 86'400));
  o.Str("jsonPath", out.json_path, "Which part of the answer is the result: {$.data.ok}.");
  o.Bool("insecure", out.insecure, "Do not check the certificate (false).");
  ReadAuthentication(o, out.authentication);
}

void ReadJob(Object& o, JobProvider& out) {
  o.Any("metadata", out.metadata, "Labels and annotations of the Job.");
  if (o.Any("spec", out.spec, "The Job's spec, a JobSpec of batch/v1.") &&
      !out.spec.At("template").is_object())
    o.Error("spec", "a Job's spec needs a \"template\"");
  o.Require("spec");
}

// The providers Argo knows and we do not: an error that names the metric, once.
bool RefuseForeign(Object& o, const Metric& metric) {
  bool refused = false;
  for (std::string_view key : {"kayenta", "datadog", "wavefront", "newRelic", "cloudWatch",
                               "graphite", "influxdb", "skywalking", "plugin"}) {
    if (!o.Has(key)) continue;
    o.Ignore(key);
    o.context().Error(o.KeySpan(key), StrCat("metric ", Quote(metric.name), ": the provider ", key,
                                             " is not supported; use prometheus, web or job"));
    refused = true;
  }
  return refused;
}

template <class T>
void Take(Object& o, std::string_view key, std::string_view description, MetricProvider& out,
          void (*read)(Object&, T&)) {
  T provider;
  if (o.Obj(key, description, [&](Object& inner) { read(inner, provider); }))
    out = std::move(provider);
}

void ReadProvider(Object& o, Metric& out) {
  Take<PrometheusProvider>(o, "prometheus", "A Prometheus-compatible server.", out.provider,
                           ReadPrometheus);
  Take<WebProvider>(o, "web", "A web service that answers JSON.", out.provider, ReadWeb);
  Take<JobProvider>(o, "job", "A Kubernetes Job.", out.provider, ReadJob);
  if (!RefuseForeign(o, out)) o.RequireOne("a provider", {"prometheus", "web", "job"});
}

// The limits as they go together; numbers that are still arguments are not judged.
void CheckLimits(Object& o, const Metric& m) {
  auto open = [&](std::string_view key) {
    const yaml::Node* node = o.node().Find(key);
    return o.context().placeholders && node && node->text.find("{{") != std::string::npos;
  };
  for (auto key :
       {"count", "failureLimit", "consecutiveSuccessLimit", "inconclusiveLimit", "interval"})
    if (open(key)) return;
  if (m.failure_limit == -1 && m.consecutive_success_limit == 0)
    o.Error("failureLimit",
            "failureLimit and consecutiveSuccessLimit are both off: the metric "
            "could never be judged");
  if (m.count <= 0) return;
  int64_t needed = std::max<int64_t>(m.failure_limit, 0) + m.consecutive_success_limit;
  if (m.count < needed)
    o.Error("count", StrCat("\"count\" (", m.count,
                            ") must be at least failureLimit + "
                            "consecutiveSuccessLimit (",
                            needed, ")"));
  if (m.count < m.inconclusive_limit)
    o.Error("count", StrCat("\"count\" (", m.count, ") must be at least inconclusiveLimit (",
                            m.inconclusive_limit, ")"));
  if (m.count > 1 && !m.interval)
    o.Error("count", StrCat("\"count\" is ", m.count,
                            ": \"interval\" must say how long to wait "
                            "between measurements"));
}

}  // namespace

void ReadMetric(Object& o, Metric& out) {
  out.span = o.describing() ? SourceSpan{} : o.ValueSpan("name");
  o.Str("name", out.name, "Unique within the run.");
  o.Require("name");
  o.OptDur("interval", out.interval, "Time between measurements; absent: measured once.",
           Duration(1));
  o.Dur("initialDelay", out.initial_delay, "Before the first measurement (0s).");
  o.LooseInt("count", out.count, "How many measurements; 0: no limit with an interval, else one.",
             0);
  o.LooseInt("failureLimit", out.failure_limit, "Failures that are allowed; -1: off (0).", -1);
  o.LooseInt("inconclusiveLimit", out.inconclusive_limit, "Inconclusive ones allowed (0).", 0);
  o.LooseInt("consecutiveErrorLimit", out.consecutive_error_limit, "Errors in a row allowed (4).",
             0);
  o.LooseInt("consecutiveSuccessLimit", out.consecutive_success_limit,
             "Successes in a row that end it; 0: off (0).", 0);
  o.Expression("successCondition", out.success_condition, "Good when true: result[0] >= 0.95.");
  o.Expression("failureCondition", out.failure_condition, "Bad when true.");
  o.Obj("provider", "Where the value comes from.", [&](Object& p) { ReadProvider(p, out); });
  o.Require("provider");
  NoData no_data = NoData::kHold;
  if (o.Enum("noData", no_data, kNoDataWords,
             "Decides an empty or NaN result before the conditions are asked."))
    out.no_data = no_data;
  if (!o.describing()) CheckLimits(o, out);
}

Metric LoadMetric(const yaml::Node& node, std::string_view file, Diagnostics& diagnostics,
                  bool allow_unresolved) {
  Context context{file, diagnostics, allow_unresolved};
  Metric metric;
  if (!node.is_mapping()) {
    context.Error(node.span, StrCat("a metric must be a mapping, not ", Describe(node)));
    return metric;
  }
  Object o(context, node, node.span);
  ReadMetric(o, metric);
  return metric;
}

void ReadAnalysisTemplate(Object& o, AnalysisTemplate& out) {
  ReadArguments(o, out.args, true);
  ReadTemplateRefs(o, out.templates);
  ReadDryRun(o, out.dry_run, out.retention);
  if (o.describing()) {
    o.List("metrics", "What is measured.", [&](Object& m) {
      Metric unused;
      ReadMetric(m, unused);
    });
    return;
  }
  yaml::Node metrics;
  if (o.Raw("metrics", metrics, "")) {
    if (!metrics.is_sequence())
      o.Error("metrics", StrCat("\"metrics\" must be a list, not ", Describe(metrics)));
    out.metrics = std::move(metrics.items);
  }
  if (out.metrics.empty() && out.templates.empty())
    o.context().Error(o.KeySpan("metrics"), "a template needs metrics, or templates to include");
}

}  // namespace rollguard::spec
