// SPDX-License-Identifier: Apache-2.0
// Health checks of a guard: what is asked, how often, and how much it counts.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/spec/values.h"

namespace rollguard::spec {

// `url` may hold ${pod_ip}, ${service}, ${namespace}, ${workload}; with `port` and `path` alone
// every pod of the track is asked.
struct HttpCheck {
  std::string url;
  std::string scheme = "http";
  std::string port;  // number or name
  std::string path = "/";
  std::string method = "GET";
  StringMap headers;
  std::string body;
  std::vector<std::string> expect_status = {"2xx"};  // "200", "2xx", "200-299"
  std::string expect_body;                           // regular expression, or empty
  bool insecure_skip_verify = false;
};

struct TcpCheck {
  std::string host;  // empty: every pod of the track
  std::string port;
};

struct GrpcCheck {
  std::string host;
  std::string port;
  std::string service;
  bool tls = false;
  bool insecure_skip_verify = false;
};

struct PodsCheck {
  double min_ready = 1.0;    // share of pods
  int64_t max_restarts = 0;  // per pod, since the release began; -1: off
  bool image_pull = true;    // an image that cannot be pulled fails at once
};

// The answer must be a single value; `min` and `max` bound what is healthy.
struct PromqlCheck {
  Query query;
  std::string source;
  std::optional<double> min;
  std::optional<double> max;
  NoData no_data = NoData::kHold;
};

struct PostgresCheck {
  std::string url;
  std::optional<SecretKeyRef> url_from;
  std::string query = "SELECT 1";
  double max_pool_use = 1.0;  // connections in use / max_connections
};

// Several HTTP steps in order, as one user would walk them. Values taken from one answer stand as
// ${name} in the next step.
struct JourneyCheck {
  struct Extract {
    enum class From { kJsonPath, kRegex, kHeader, kCookie };
    std::string name;
    From from = From::kJsonPath;
    std::string expression;
  };
  struct Assertion {
    enum class Kind { kStatus, kJsonPath, kBody, kHeader, kLatency };
    Kind kind = Kind::kStatus;
    std::string subject;  // JSON path or header name
    std::string equals;   // status pattern, or exact value
    std::string matches;  // regular expression
    Duration below{0};    // latency
  };
  struct Step {
    std::string name;
    std::string method = "GET";
    std::string url;
    StringMap headers;
    std::string body;
    std::vector<Extract> extract;
    std::vector<Assertion> assertions;
    SourceSpan span;
  };
  StringMap variables;
  std::vector<Step> steps;
};

// Healthy while no firing alert matches.
struct AlertmanagerCheck {
  std::vector<Matcher> matchers;
};

using CheckKind = std::variant<HttpCheck, TcpCheck, GrpcCheck, PodsCheck, PromqlCheck,
                               PostgresCheck, JourneyCheck, AlertmanagerCheck>;

// "http", "tcp", "grpc", "pods", "promql", "postgres", "journey", "alertmanager".
const char* NameOf(const CheckKind& kind);

struct HealthCheck {
  enum class Type { kLiveness, kReadiness, kStartup, kSynthetic, kDependency, kBusiness };
  enum class Track { kCandidate, kStable, kBoth };
  std::string name;
  CheckKind kind;
  Type type = Type::kReadiness;
  Track track = Track::kBoth;
  double weight = 1.0;
  bool critical = false;  // failing makes the whole unhealthy
  Duration interval = std::chrono::seconds(10);
  Duration timeout = std::chrono::seconds(2);
  Duration window = std::chrono::minutes(1);  // over which the rates below are taken
  std::optional<double> min_success_rate;     // 0..1
  std::optional<double> max_error_rate;       // 0..1
  std::optional<Duration> max_latency;
  SourceSpan span;
};

const char* ToString(HealthCheck::Type type);
const char* ToString(HealthCheck::Track track);

struct HealthSpec {
  std::vector<HealthCheck> checks;
  double healthy = 0.9;   // score at or above
  double degraded = 0.7;  // score at or above; below: unhealthy
  // While nothing is released stable is asked this often; zero: not at all.
  Duration rest_interval{0};
};

}  // namespace rollguard::spec
