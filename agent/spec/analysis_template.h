// SPDX-License-Identifier: Apache-2.0
// Argo's AnalysisTemplate and ClusterAnalysisTemplate. Arguments are substituted over a metric's
// whole tree (numbers and limits included) and only then is it typed, so a template keeps its
// metrics as trees: Substitute() each, then LoadMetric().
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/base/json.h"
#include "agent/spec/guard.h"
#include "agent/spec/values.h"

namespace rollguard::spec {

struct Header {
  std::string key;
  std::string value;
};

struct Authentication {
  struct OAuth2 {
    std::string token_url;
    std::string client_id;
    std::string client_secret;
    std::vector<std::string> scopes;
  };
  struct Basic {
    std::string username;
    std::string password;
  };
  std::optional<OAuth2> oauth2;
  std::optional<Basic> basic;
};

struct PrometheusRange {
  std::string start;  // condition language over now(): "now() - duration(\"1h\")"
  std::string end;
  Duration step{0};
};

struct PrometheusProvider {
  using Range = PrometheusRange;
  std::string address;  // empty: the agent's source `source`, or its default
  std::string source;
  Query query;
  Duration timeout = std::chrono::seconds(30);
  std::vector<Header> headers;
  Authentication authentication;
  bool insecure = false;
  std::optional<PrometheusRange> range;
};

struct WebProvider {
  std::string url;
  std::string method = "GET";
  std::vector<Header> headers;
  std::string body;
  std::optional<Json> json_body;
  Duration timeout = std::chrono::seconds(10);
  std::string json_path;  // "{$.data.ok}"; empty: the whole answer
  bool insecure = false;
  Authentication authentication;
};

struct JobProvider {
  Json metadata;  // labels and annotations, may be null
  Json spec;      // batch/v1 JobSpec
};

using MetricProvider = std::variant<PrometheusProvider, WebProvider, JobProvider>;

// A metric after substitution. Defaults of the limits are filled in.
struct Metric {
  std::string name;
  std::optional<Duration> interval;
  Duration initial_delay{0};
  int64_t count = 0;          // as written; EffectiveCount() says what it means
  int64_t failure_limit = 0;  // -1: off
  int64_t inconclusive_limit = 0;
  int64_t consecutive_error_limit = 4;
  int64_t consecutive_success_limit = 0;  // 0: off
  Condition success_condition;
  Condition failure_condition;
  MetricProvider provider;
  std::optional<NoData> no_data;
  SourceSpan span;

  // 0 means unlimited: an interval and no count.
  int64_t EffectiveCount() const { return count > 0 ? count : (interval ? 0 : 1); }
};

struct AnalysisTemplate {
  Metadata metadata;
  bool cluster_scope = false;
  std::vector<ArgumentValue> args;     // declared; value: the default
  std::vector<yaml::Node> metrics;     // as written, one mapping each
  std::vector<TemplateRef> templates;  // nested
  std::vector<std::string> dry_run;
  std::vector<MeasurementRetention> retention;
  Origin origin;
};

// Replaces every {{args.NAME}} (spaces inside the braces are ignored) in every scalar of `node` but
// keys. `lookup` gives the value or nothing when the name is unknown. Problems are reported at
// their positions: `failed to resolve {{args.x}}`, an unclosed `{{`.
using ArgumentLookup = std::function<std::optional<std::string>(std::string_view name)>;
yaml::Node Substitute(const yaml::Node& node, const ArgumentLookup& lookup, std::string_view file,
                      Diagnostics& diagnostics);

// The typed metric of a substituted tree. Problems go to `diagnostics`; the value is usable only
// when none were added. `allow_unresolved`: a scalar that still holds {{...}} is not judged.
Metric LoadMetric(const yaml::Node& node, std::string_view file, Diagnostics& diagnostics,
                  bool allow_unresolved = false);

}  // namespace rollguard::spec
