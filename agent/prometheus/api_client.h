// SPDX-License-Identifier: Apache-2.0
// The HTTP API of a Prometheus-compatible server (Prometheus, Thanos, Mimir, VictoriaMetrics).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/random.h"
#include "agent/ports/http_client.h"
#include "agent/ports/timers.h"
#include "agent/prometheus/answer.h"

namespace rollguard::prometheus {

struct ApiOptions {
  std::string url;  // of the server, with a path prefix if there is one: https://host/prometheus
  // At most one of bearer and basic. Files are read anew for every request.
  std::string bearer_token_file;
  std::string username;
  std::string password_file;
  HttpHeaders headers;
  std::string tenant;
  std::string tenant_header = "X-Scope-OrgID";
  std::shared_ptr<const TlsOptions> tls;
  int concurrency = 16;  // requests under way; a Prometheus runs 20 queries at once
  size_t max_body = 64U << 20;
  // A request that the server could not take (503, 429, no connection) is sent again, up to so
  // many times in all, within its deadline.
  int attempts = 3;
  Duration backoff = std::chrono::milliseconds(250);  // doubled each time, half of it random
  Duration max_backoff = std::chrono::seconds(10);
};

using QueryDone = std::function<void(QueryOutcome)>;
using DataDone = std::function<void(Expected<Json>)>;
using FormFields = std::vector<std::pair<std::string, std::string>>;

// Belongs to one loop: call it from the loop of `timers`, which is also that of `http`. Callbacks
// run there, never inside the call. Client and timers must outlive this; after its destructor no
// callback runs.
class ApiClient {
 public:
  ApiClient(HttpClient& http, Timers& timers, const Clock& clock, uint64_t seed,
            ApiOptions options);
  ~ApiClient();
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;

  // `timeout` is our deadline, retries included; the server is given a little less.
  void Instant(const std::string& query, Time at, Duration timeout, QueryDone done);
  void Range(const std::string& query, Time start, Time end, Duration step, Duration timeout,
             QueryDone done);

  // /api/v1/PATH with these fields: `data` of the answer.
  void Get(std::string_view path, const FormFields& fields, Duration timeout, DataDone done);
  void Series(const std::vector<std::string>& matches, Time start, Time end, Duration timeout,
              DataDone done);
  void LabelValues(std::string_view label, Duration timeout, DataDone done);
  void Rules(Duration timeout, DataDone done) { Get("rules", {}, timeout, std::move(done)); }
  void Alerts(Duration timeout, DataDone done) { Get("alerts", {}, timeout, std::move(done)); }
  void Metadata(Duration timeout, DataDone done) { Get("metadata", {}, timeout, std::move(done)); }

  const ApiOptions& options() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace rollguard::prometheus
