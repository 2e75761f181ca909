// SPDX-License-Identifier: Apache-2.0
#include "agent/spec/readers.h"

namespace rollguard::spec {
namespace {

// A port: a number or a container port's name.
void ReadPort(Object& o, std::string& out, bool required) {
  if (o.describing()) {
    int64_t unused = 0;
    o.LooseInt("port", unused, "Port number or name.");
    return;
  }
  yaml::Node node;
  bool found = o.Raw("port", node, "");
  if (required) o.Require("port");
  if (!found) return;
  auto number = node.AsInt();
  bool good = node.is_string() ? !node.text.empty() : number && *number > 0 && *number < 65536;
  if (!good)
    o.Error("port", StrCat("\"port\" must be a port number or name, not ", Describe(node)));
  out = node.text;
}

void ReadHttp(Object& o, HttpCheck& out) {
  static constexpr std::pair<std::string_view, int> kSchemes[] = {{"http", 0}, {"https", 1}};
  o.Str("url", out.url, "Asked as it is; ${pod_ip}, ${service}, ${namespace} are filled in.");
  int scheme = 0;
  if (o.Enum<int>("scheme", scheme, kSchemes, "http or https (http)."))
    out.scheme = std::string(kSchemes[scheme].first);
  ReadPort(o, out.port, false);
  o.Str("path", out.path, "Asked on every pod of the track (/).");
  o.Str("method", out.method, "The request's method (GET).");
  o.Map("headers", out.headers, "Sent along.");
  o.Str("body", out.body, "Sent along.");
  o.Texts("expectStatus", out.expect_status, "Good answers: 200, 2xx, 200-299 (2xx).");
  o.Regex("expectBody", out.expect_body, "The answer's body must match.");
  o.Bool("insecureSkipVerify", out.insecure_skip_verify, "Do not check the certificate (false).");
  o.AtMostOne({"url", "port"});
  if (!o.describing() && !o.Has("url") && !o.Has("port"))
    o.context().Error(o.span(), "an http check needs url, or port (and path)");
}

void ReadGrpc(Object& o, GrpcCheck& out) {
  o.Str("host", out.host, "Absent: every pod of the track.");
  ReadPort(o, out.port, true);
  o.Str("service", out.service, "The service that is asked for; absent: the server as a whole.");
  o.Bool("tls", out.tls, "Use TLS (false).");
  o.Bool("insecureSkipVerify", out.insecure_skip_verify, "Do not check the certificate (false).");
}

void ReadPods(Object& o, PodsCheck& out) {
  o.Share("minReady", out.min_ready, "Share of the pods that must be ready (100%).");
  o.Int("maxRestarts", out.max_restarts, "Per pod since the release began; -1: off (0).", -1, 1000);
  o.Bool("imagePull", out.image_pull, "An image that cannot be pulled fails at once (true).");
}

void ReadPromqlCheck(Object& o, PromqlCheck& out) {
  o.Promql("query", out.query, "Must give one value.");
  o.Require("query");
  o.Str("source", out.source, "Metrics source; absent: the default.");
  o.OptNum("min", out.min, "Healthy at or above.");
  o.OptNum("max", out.max, "Healthy at or below.");
  o.Enum("noData", out.no_data, kNoDataWords, "When there is no value (hold).");
  if (!o.describing() && !o.Has("min") && !o.Has("max"))
    o.context().Error(o.span(), "a promql check needs min, max or both");
  if (out.min && out.max && *out.min > *out.max)
    o.Error("min", "\"min\" is above \"max\": nothing can be healthy");
}

void ReadPostgres(Object& o, PostgresCheck& out) {
  o.Str("url", out.url, "postgres://host/db without a password.");
  o.Obj("urlFrom", "A Secret's key that holds the URL.", [&](Object& s) {
    auto& secret = out.url_from.emplace();
    s.Name("name", secret.name, "The Secret's name.");
    s.Str("key", secret.key, "The key in it.");
    s.Require("name");
    s.Require("key");
  });
  o.RequireOne("a postgres check", {"url", "urlFrom"});
  o.Str("query", out.query, "Must succeed (SELECT 1).");
  o.Share("maxPoolUse", out.max_pool_use, "Connections in use / max_connections (100%).");
  if (!o.describing() && o.Has("url"))
    CheckNoPassword(o.context(), o.ValueSpan("url"), out.url, "urlFrom");
}

void ReadExtract(Object& o, JourneyCheck::Extract& out) {
  using From = JourneyCheck::Extract::From;
  o.Str("name", out.name, "Later steps use it as ${name}.");
  o.Require("name");
  if (o.Str("jsonPath", out.expression, "From the JSON body: $.a.b[0]."))
    out.from = From::kJsonPath;
  if (o.Regex("regex", out.expression, "From the body: the first group.")) out.from = From::kRegex;
  if (o.Str("header", out.expression, "From this header.")) out.from = From::kHeader;
  if (o.Str("cookie", out.expression, "From this cookie.")) out.from = From::kCookie;
  o.RequireOne("an extraction", {"jsonPath", "regex", "header", "cookie"});
}

void ReadAssertion(Object& o, JourneyCheck::Assertion& out) {
  using Kind = JourneyCheck::Assertion::Kind;
  if (o.Text("status", out.equals, "Status: 200, 2xx, 200-299.")) out.kind = Kind::kStatus;
  if (o.Str("jsonPath", out.subject, "A value of the JSON body; with equals or matches."))
    out.kind = Kind::kJsonPath;
  if (o.Str("header", out.subject, "A header; with equals or matches.")) out.kind = Kind::kHeader;
  if (o.Regex("body", out.matches, "The body must match this regular expression."))
    out.kind = Kind::kBody;
  if (o.Dur("latencyBelow", out.below, "The answer must come faster.", Duration(1)))
    out.kind = Kind::kLatency;
  o.RequireOne("an assertion", {"status", "jsonPath", "header", "body", "latencyBelow"});
  o.Str("equals", out.equals, "The value must be exactly this.");
  o.Regex("matches", out.matches, "The value must match this regular expression.");
  o.AtMostOne({"equals", "matches"});
}

void ReadJourney(Object& o, JourneyCheck& out) {
  o.Map("variables", out.variables, "Known to every step as ${name}.");
  o.List("steps", "Requests in order; values of one answer may be used in the next.",
         [&](Object& s) {
           JourneyCheck::Step step;
           step.span = s.span();
           s.Str("name", step.name, "Shown to people.");
           s.Str("method", step.method, "The request's method (GET).");
           s.Str("url", step.url, "The URL.");
           s.Require("url");
           s.Map("headers", step.headers, "Sent along.");
           s.Str("body", step.body, "Sent along.");
           s.List("extract", "Values to take from the answer.",
                  [&](Object& e) { ReadExtract(e, step.extract.emplace_back()); });
           s.List("assert", "What must hold; absent: status 2xx.",
                  [&](Object& a) { ReadAssertion(a, step.assertions.emplace_back()); });
           out.steps.push_back(std::move(step));
         });
  o.Require("steps");
}

template <class T>
void Take(Object& o, std::string_view key, std::string_view description, CheckKind& out,
          void (*read)(Object&, T&)) {
  T check;
  if (o.Obj(key, description, [&](Object& inner) { read(inner, check); })) out = std::move(check);
}

void ReadKind(Object& o, CheckKind& out) {
  Take<HttpCheck>(o, "http", "An HTTP request.", out, ReadHttp);
  Take<TcpCheck>(o, "tcp", "A TCP connection.", out, [](Object& t, TcpCheck& c) {
    t.Str("host", c.host, "Absent: every pod of the track.");
    ReadPort(t, c.port, true);
  });
  Take<GrpcCheck>(o, "grpc", "The gRPC health protocol.", out, ReadGrpc);
  Take<PodsCheck>(o, "pods", "Readiness, restarts and image pulls of the pods.", out, ReadPods);
  Take<PromqlCheck>(o, "promql", "A query's value within bounds.", out, ReadPromqlCheck);
  Take<PostgresCheck>(o, "postgres", "A PostgreSQL server answers.", out, ReadPostgres);
  Take<JourneyCheck>(o, "journey", "A synthetic transaction of several requests.", out,
                     ReadJourney);
  Take<AlertmanagerCheck>(o, "alertmanager", "No firing alert matches.", out,
                          [](Object& a, AlertmanagerCheck& c) {
                            a.Matchers("matchers", c.matchers, "Which alerts count.");
                            a.Require("matchers");
                          });
  o.RequireOne("a health check",
               {"http", "tcp", "grpc", "pods", "promql", "postgres", "journey", "alertmanager"});
}

void ReadCheck(Object& o, HealthCheck& out) {
  using Type = HealthCheck::Type;
  using Track = HealthCheck::Track;
  static constexpr std::pair<std::string_view, Type> kTypes[] = {
      {"liveness", Type::kLiveness},     {"readiness", Type::kReadiness},
      {"startup", Type::kStartup},       {"synthetic", Type::kSynthetic},
      {"dependency", Type::kDependency}, {"business", Type::kBusiness}};
  static constexpr std::pair<std::string_view, Track> kTracks[] = {
      {"candidate", Track::kCandidate}, {"stable", Track::kStable}, {"both", Track::kBoth}};
  out.span = o.ValueSpan("name");
  o.Name("name", out.name, "Unique within the guard.");
  o.Require("name");
  ReadKind(o, out.kind);
  o.Enum("type", out.type, kTypes, "What it speaks for (readiness).");
  o.Enum("track", out.track, kTracks, "Which pods are asked (both).");
  o.Num("weight", out.weight, "How much it counts in the score (1).", 0, 1000);
  o.Bool("critical", out.critical, "Failing makes the whole unhealthy (false).");
  o.Dur("interval", out.interval, "Time between checks (10s).", std::chrono::milliseconds(100));
  o.Dur("timeout", out.timeout, "Of one check (2s).", std::chrono::milliseconds(1));
  o.Dur("window", out.window, "Over which rates are taken (1m).", std::chrono::seconds(1));
  o.OptShare("minSuccessRate", out.min_success_rate, "Healthy at or above this share.");
  o.OptShare("maxErrorRate", out.max_error_rate, "Healthy at or below this share.");
  o.OptDur("maxLatency", out.max_latency, "Healthy at or below this p99.");
  if (!o.describing() && out.timeout > out.interval)
    o.Error(o.Has("timeout") ? "timeout" : "interval",
            "a check's timeout must not be longer than its interval");
}

}  // namespace

void ReadHealth(Object& o, HealthSpec& out) {
  o.Obj("health", "Health checks and how their score is read.", [&](Object& h) {
    std::vector<HealthCheck> checks;
    if (h.List("checks", "What is asked.", [&](Object& c) {
          HealthCheck check;
          ReadCheck(c, check);
          for (const HealthCheck& other : checks) {
            if (!check.name.empty() && other.name == check.name)
              c.Error("name", StrCat("the check ", Quote(check.name), " is there twice"));
          }
          checks.push_back(std::move(check));
        }))
      out.checks = std::move(checks);
    h.Share("healthy", out.healthy, "Score at or above: healthy (0.9).");
    h.Share("degraded", out.degraded, "Score at or above: degraded, below: unhealthy (0.7).");
    h.Dur("restInterval", out.rest_interval,
          "How often stable is asked while nothing is released; absent: not at all.",
          std::chrono::seconds(1));
    if (!h.describing() && out.degraded > out.healthy)
      h.Error(h.Has("degraded") ? "degraded" : "healthy",
              "\"degraded\" must not be above \"healthy\"");
  });
}

const char* NameOf(const CheckKind& kind) {
  constexpr const char* kNames[] = {"http",   "tcp",      "grpc",    "pods",
                                    "promql", "postgres", "journey", "alertmanager"};
  return kNames[kind.index()];
}

const char* ToString(HealthCheck::Type type) {
  constexpr const char* kNames[] = {"liveness",  "readiness",  "startup",
                                    "synthetic", "dependency", "business"};
  return kNames[static_cast<size_t>(type)];
}

const char* ToString(HealthCheck::Track track) {
  constexpr const char* kNames[] = {"candidate", "stable", "both"};
  return kNames[static_cast<size_t>(track)];
}

}  // namespace rollguard::spec
