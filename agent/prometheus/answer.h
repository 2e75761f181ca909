// SPDX-License-Identifier: Apache-2.0
// What a Prometheus-compatible server says, made into values and errors.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/expected.h"
#include "agent/base/json.h"
#include "agent/ports/http_client.h"
#include "agent/promql/value.h"

namespace rollguard::prometheus {

struct QueryAnswer {
  promql::Value value;
  std::vector<std::string> warnings{};  // not empty: suspect, to be taken as unknown
  uint64_t peak_samples = 0;            // what the server held at once; 0 when it does not say
};

// An answer or why there is none. `blames_question`: the server is well but cannot answer this
// (duplicate series, too many samples, its own deadline): asking for less may help. Otherwise the
// server or the way to it is the trouble, and asking more often makes it worse.
struct QueryOutcome {
  Expected<QueryAnswer> answer;
  bool blames_question = false;
};

// Of a query or query_range.
QueryOutcome ReadQueryAnswer(const Expected<HttpResponse>& response);

// `data` of any other endpoint.
Expected<Json> ReadData(const Expected<HttpResponse>& response);

}  // namespace rollguard::prometheus
