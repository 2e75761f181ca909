// SPDX-License-Identifier: Apache-2.0
// One request on its way through a handler, and the answers handlers give.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/api/identity.h"
#include "agent/api/route.h"
#include "agent/base/json.h"
#include "agent/base/time.h"

namespace rollguard::api {

struct Call {
  const Route& route;
  const http::Request& request;
  Caller caller{};
  Json body = Json::Obj();  // checked against the route's schema

  // For the audit; handlers that find the guard themselves fill them in.
  std::string guard{};
  std::string release{};
  std::string note{};

  // The n-th {name} of the path.
  const std::string& Path(size_t n) const { return request.matches[n]; }
  std::optional<std::string> Query(std::string_view name) const;
  std::optional<Time> QueryTime(std::string_view name) const;
  size_t Limit() const;  // 1..500, default 100
};

// The namespaces a caller may look at.
struct Sight {
  bool all = false;
  std::set<std::string> namespaces;
  std::string only_guard;  // nothing but this one

  bool operator==(const Sight&) const = default;
  bool Sees(std::string_view guard) const;  // "namespace/name"; "" only when all are seen
};

std::string NamespaceOf(std::string_view guard);

http::Response Ok(const Json& body, int status = 200);
// The status of the error's code; the message is what the caller reads.
http::Response Fail(const Error& error);
http::Response Busy();
http::Response NotFound(std::string_view what);
http::Response Invalid(std::string_view detail, const std::vector<std::string>& problems = {});

}  // namespace rollguard::api
