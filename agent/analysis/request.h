// SPDX-License-Identifier: Apache-2.0
// What a metric asks for, resolved: the edges carry it out and hand an Answer back.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "agent/base/json.h"
#include "agent/base/time.h"
#include "agent/spec/analysis_template.h"

namespace rollguard::analysis {

struct PrometheusQuery {
  struct Range {
    Time start{};
    Time end{};
    Duration step{0};
  };
  std::string address;  // empty: the agent's source `source`, or its default
  std::string source;
  std::string query;
  Time at{};                   // instant queries
  std::optional<Range> range;  // set: a range query
  Duration timeout{0};
  std::vector<std::pair<std::string, std::string>> headers;
  spec::Authentication authentication;
  bool insecure = false;
};

struct WebRequest {
  std::string method;
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  Duration timeout{0};
  std::string json_path;
  spec::Authentication authentication;
  bool insecure = false;
};

// A batch/v1 Job to create; the measurement is Successful when it completes, Failed when it fails.
struct JobRequest {
  Json metadata;
  Json spec;
};

using Request = std::variant<PrometheusQuery, WebRequest, JobRequest>;

}  // namespace rollguard::analysis
