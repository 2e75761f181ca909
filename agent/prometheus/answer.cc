// SPDX-License-Identifier: Apache-2.0
// Answers are read with simdjson's DOM, which looks at the whole document: half a body is no
// answer. What is not the API's JSON comes from something in between and is judged by its status.
#include "agent/prometheus/answer.h"

#include <simdjson.h>

#include <charconv>
#include <cmath>

#include "agent/base/text.h"

namespace rollguard::prometheus {
namespace {

using simdjson::dom::element;

std::string Text(const element& parent, std::string_view key) {
  std::string_view text;
  return parent[key].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

Error Unreadable(const HttpResponse& response, std::string_view what) {
  return Error(ErrorCode::kUnavailable,
               StrCat("the answer (status ", response.status, ") is not the Prometheus API's: ",
                      what, "; it begins ", Quote(Abbreviate(response.body, 80))));
}

// --- errors ---------------------------------------------------------------------------------

struct Known {
  const char* text;
  ErrorCode code;
};

// What an execution error (422) means, by its text.
constexpr Known kExecution[] = {
    {"too many samples", ErrorCode::kTooLarge}, {"maximum resolution", ErrorCode::kTooLarge},
    {"deadline exceeded", ErrorCode::kTimeout}, {"timed out", ErrorCode::kTimeout},
    {"duplicate series", ErrorCode::kInvalid},  {"many-to-many", ErrorCode::kInvalid},
    {"same labelset", ErrorCode::kInvalid},
};

ErrorCode ExecutionCode(std::string_view text) {
  for (const Known& known : kExecution) {
    if (text.find(known.text) != std::string_view::npos) return known.code;
  }
  return ErrorCode::kInvalid;
}

ErrorCode StatusCode(int status) {
  switch (status) {
    case 400:
    case 405:
    case 422: return ErrorCode::kInvalid;
    case 401: return ErrorCode::kUnauthenticated;
    case 403: return ErrorCode::kDenied;
    case 404: return ErrorCode::kNotFound;
    case 408:
    case 504: return ErrorCode::kTimeout;
    case 413:
    case 414: return ErrorCode::kTooLarge;
    case 429: return ErrorCode::kThrottled;
    default: return ErrorCode::kUnavailable;
  }
}

std::chrono::milliseconds RetryAfter(const HttpResponse& response) {
  auto seconds = ParseInt(response.Header("retry-after"));
  bool sane = seconds && *seconds > 0 && *seconds <= 3600;
  return std::chrono::seconds(sane ? *seconds : 0);
}

struct Failure {
  Error error;
  bool blames_question = false;
};

// A status that is not 200. `body` is the API's JSON or nothing.
Failure Refusal(const HttpResponse& response, const element* body) {
  std::string type = body != nullptr ? Text(*body, "errorType") : "";
  std::string text = body != nullptr ? Text(*body, "error") : "";
  bool from_api = !type.empty();
  ErrorCode code = StatusCode(response.status);
  Failure failure;
  // Only the API's own word is taken for a verdict on the question.
  failure.blames_question =
      from_api && (code == ErrorCode::kInvalid || code == ErrorCode::kTooLarge);
  if (!from_api && code == ErrorCode::kInvalid) code = ErrorCode::kUnavailable;
  if (from_api && response.status == 422) code = ExecutionCode(text);
  std::string shown =
      from_api ? StrCat(type, ": ", Abbreviate(text, 500))
               : StrCat("no API answer; it begins ", Quote(Abbreviate(response.body, 80)));
  failure.error = Error(code, StrCat("status ", response.status, ": ", shown));
  failure.error.retry_after = RetryAfter(response);
  return failure;
}

// --- values ---------------------------------------------------------------------------------

bool ReadLabels(const element& metric, promql::Labels* labels) {
  simdjson::dom::object object;
  if (metric.get(object) != simdjson::SUCCESS) return false;
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  pairs.reserve(object.size());
  for (auto field : object) {
    std::string_view value;
    if (field.value.get(value) != simdjson::SUCCESS) return false;
    pairs.emplace_back(field.key, value);
  }
  *labels = promql::Labels::FromPairs(std::move(pairs));
  return true;
}

bool ReadNumber(std::string_view text, double* value) {
  if (text == "NaN") {
    *value = std::nan("");
  } else if (text == "+Inf" || text == "Inf") {
    *value = HUGE_VAL;
  } else if (text == "-Inf") {
    *value = -HUGE_VAL;
  } else {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
    return error == std::errc() && end == text.data() + text.size();
  }
  return true;
}

// [1700000000.123, "1.5"]
bool ReadPoint(const element& pair, promql::Point* point) {
  simdjson::dom::array array;
  if (pair.get(array) != simdjson::SUCCESS || array.size() != 2) return false;
  double seconds = 0;
  std::string_view text;
  if (array.at(0).get(seconds) != simdjson::SUCCESS || std::abs(seconds) > 1e15) return false;
  if (array.at(1).get(text) != simdjson::SUCCESS) return false;
  point->t = std::llround(seconds * 1000);
  return ReadNumber(text, &point->v);
}

// False with `why` when an element is not what it must be.
bool ReadVector(const simdjson::dom::array& rows, promql::Vector* vector, std::string* why) {
  vector->reserve(rows.size());
  for (element row : rows) {
    promql::Sample sample;
    element metric, value;
    promql::Point point;
    if (row["histogram"].error() == simdjson::SUCCESS) {
      *why = "native histogram samples are not supported";
      return false;
    }
    if (row["metric"].get(metric) != simdjson::SUCCESS || !ReadLabels(metric, &sample.labels) ||
        row["value"].get(value) != simdjson::SUCCESS || !ReadPoint(value, &point)) {
      *why = "a sample cannot be read";
      return false;
    }
    sample.t = point.t;
    sample.v = point.v;
    vector->push_back(std::move(sample));
  }
  return true;
}

bool ReadMatrix(const simdjson::dom::array& rows, promql::Matrix* matrix, std::string* why) {
  matrix->reserve(rows.size());
  for (element row : rows) {
    promql::Series series;
    element metric;
    simdjson::dom::array values;
    if (row["histograms"].error() == simdjson::SUCCESS) {
      *why = "native histogram samples are not supported";
      return false;
    }
    bool read = row["metric"].get(metric) == simdjson::SUCCESS &&
                ReadLabels(metric, &series.labels) &&
                row["values"].get(values) == simdjson::SUCCESS;
    if (read) series.points.reserve(values.size());
    for (auto it = values.begin(); read && it != values.end(); ++it) {
      promql::Point point;
      read = ReadPoint(*it, &point);
      series.points.push_back(point);
    }
    if (!read) {
      *why = "a series cannot be read";
      return false;
    }
    matrix->push_back(std::move(series));
  }
  return true;
}

bool ReadValue(const element& data, promql::Value* value, std::string* why) {
  std::string type = Text(data, "resultType");
  element result;
  *why = StrCat("a result of type ", Quote(type), " cannot be read");
  if (data["result"].get(result) != simdjson::SUCCESS) return false;
  simdjson::dom::array rows;
  bool list = result.get(rows) == simdjson::SUCCESS;
  if (type == "vector" && list) return ReadVector(rows, &value->emplace<promql::Vector>(), why);
  if (type == "matrix" && list) return ReadMatrix(rows, &value->emplace<promql::Matrix>(), why);
  if (type == "scalar") {
    promql::Point point;
    if (!ReadPoint(result, &point)) return false;
    *value = promql::Scalar{point.t, point.v};
    return true;
  }
  std::string_view text;
  if (type != "string" || !list || rows.size() != 2 || rows.at(1).get(text) != simdjson::SUCCESS) {
    return false;
  }
  *value = promql::StringValue{0, std::string(text)};
  return true;
}

std::vector<std::string> ReadWarnings(const element& root) {
  std::vector<std::string> out;
  simdjson::dom::array list;
  if (root["warnings"].get(list) == simdjson::SUCCESS) {
    for (element item : list) {
      std::string_view text;
      out.emplace_back(item.get(text) == simdjson::SUCCESS ? text : "unreadable warning");
    }
  }
  bool partial = false;  // VictoriaMetrics' clusters
  if (root["isPartial"].get(partial) == simdjson::SUCCESS && partial) {
    out.emplace_back("the answer is partial");
  }
  return out;
}

QueryOutcome ReadSuccess(const HttpResponse& response, const element& root) {
  element data;
  QueryAnswer answer;
  std::string why;
  if (Text(root, "status") != "success" || root["data"].get(data) != simdjson::SUCCESS) {
    return {Unreadable(response, "no status \"success\" with data")};
  }
  if (!ReadValue(data, &answer.value, &why)) {
    bool histograms = why.find("histogram") != std::string::npos;
    if (histograms) return {Error(ErrorCode::kInvalid, why), true};
    return {Unreadable(response, why)};
  }
  answer.warnings = ReadWarnings(root);
  if (data["stats"]["samples"]["peakSamples"].get(answer.peak_samples) != simdjson::SUCCESS) {
    answer.peak_samples = 0;
  }
  return {std::move(answer)};
}

// Parses the body when it is JSON; `read(root)` or `read(nullptr)`.
template <class Read>
auto WithBody(const HttpResponse& response, Read read) {
  simdjson::dom::parser parser;
  element root;
  bool json = parser.parse(response.body).get(root) == simdjson::SUCCESS && root.is_object();
  return read(json ? &root : nullptr);
}

}  // namespace

QueryOutcome ReadQueryAnswer(const Expected<HttpResponse>& response) {
  if (!response) {
    // More than we take is a matter of the question.
    return {response.error(), response.error().code == ErrorCode::kTooLarge};
  }
  return WithBody(*response, [&](const element* root) -> QueryOutcome {
    if (response->status != 200) {
      Failure failure = Refusal(*response, root);
      return {std::move(failure.error), failure.blames_question};
    }
    if (root == nullptr) return {Unreadable(*response, "no JSON")};
    return ReadSuccess(*response, *root);
  });
}

Expected<Json> ReadData(const Expected<HttpResponse>& response) {
  if (!response) return response.error();
  if (response->status != 200) {
    return WithBody(*response, [&](const element* root) -> Expected<Json> {
      return Refusal(*response, root).error;
    });
  }
  auto json = ParseJson(response->body);
  if (!json) return Unreadable(*response, json.error().message);
  if (json->At("status").Str() != "success") return Unreadable(*response, "no status \"success\"");
  return json->At("data");
}

}  // namespace rollguard::prometheus
