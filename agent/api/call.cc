// SPDX-License-Identifier: Apache-2.0
#include "agent/api/call.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/http/router.h"

namespace rollguard::api {
namespace {

constexpr int64_t kDefaultLimit = 100;
constexpr int64_t kMaxLimit = 500;

int StatusOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid: return 400;
    case ErrorCode::kNotFound: return 404;
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kConflict: return 409;
    case ErrorCode::kGone: return 410;
    case ErrorCode::kUnauthenticated: return 401;
    case ErrorCode::kDenied: return 403;
    case ErrorCode::kTooLarge: return 413;
    case ErrorCode::kThrottled: return 429;
    case ErrorCode::kTimeout:
    case ErrorCode::kUnavailable:
    case ErrorCode::kCancelled: return 503;
    case ErrorCode::kInternal: return 500;
  }
  return 500;
}

}  // namespace

std::optional<std::string> Call::Query(std::string_view name) const {
  auto found = request.params.find(std::string(name));
  if (found == request.params.end()) return std::nullopt;
  return found->second;
}

std::optional<Time> Call::QueryTime(std::string_view name) const {
  auto text = Query(name);
  auto time = text ? ParseRfc3339(*text) : Expected<Time>(Error());
  return time.ok() ? std::optional(*time) : std::nullopt;
}

size_t Call::Limit() const {
  int64_t limit = ParseInt(Query("limit").value_or("")).value_or(kDefaultLimit);
  return static_cast<size_t>(std::clamp<int64_t>(limit, 1, kMaxLimit));
}

bool Sight::Sees(std::string_view guard) const {
  if (!only_guard.empty()) return guard == only_guard;
  return all || (!guard.empty() && namespaces.contains(NamespaceOf(guard)));
}

std::string NamespaceOf(std::string_view guard) {
  return std::string(guard.substr(0, guard.find('/')));
}

http::Response Ok(const Json& body, int status) {
  return http::Response{.status = status, .body = body.Dump()};
}

http::Response Fail(const Error& error) {
  int status = StatusOf(error.code);
  http::Response response = http::Problem(status, error.message);
  if (status == 401)
    response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"rollguard\"");
  if (status == 503 || status == 429) {
    auto seconds = std::max<int64_t>(1, (error.retry_after.count() + 999) / 1000);
    response.headers.emplace_back("Retry-After", std::to_string(seconds));
  }
  return response;
}

http::Response Busy() {
  return Fail({ErrorCode::kUnavailable, "the agent is busy deciding; ask again in a moment"});
}

http::Response NotFound(std::string_view what) {
  return Fail({ErrorCode::kNotFound, std::string(what)});
}

http::Response Invalid(std::string_view detail, const std::vector<std::string>& problems) {
  Json body = Json::Obj({{"type", "about:blank"},
                         {"title", http::StatusText(400)},
                         {"status", 400},
                         {"detail", detail}});
  for (const std::string& problem : problems) body["problems"].Push(problem);
  return http::Response{
      .status = 400, .content_type = "application/problem+json", .body = body.Dump()};
}

}  // namespace rollguard::api
