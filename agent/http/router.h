// SPDX-License-Identifier: Apache-2.0
// Routes by method and pattern, rendered by cpp-httplib over memory: it never sees a socket, and it
// only sees requests that the connection guard has already checked.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "agent/http/message.h"

namespace rollguard::http {

// The bytes to send, and what becomes of the connection.
struct Rendered {
  std::string bytes;
  std::optional<EventSubscription> subscription;
};

// Register all routes, then Render from any number of threads.
class Router {
 public:
  Router();
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // `pattern` is a path in which {name} stands for one segment: "/api/v1/releases/{id}". Handlers
  // must be thread-safe. An exception in a handler becomes a plain 500.
  void Add(std::string_view method, std::string_view pattern, Handler handler);

  // Runs before every handler; an answer with a status other than 0 ends the request there.
  void SetGate(std::function<Response(const Request&)> gate);
  // Adds headers to every answer (security headers).
  void SetDefaultHeaders(Headers headers);

  // The paths added, as "GET /api/v1/releases/{id}", in order.
  const std::vector<std::string>& routes() const { return routes_; }

  Rendered Render(Request request, bool keep_alive) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::vector<std::string> routes_;
};

// application/problem+json (RFC 9457): title from the status, detail says what to do.
Response Problem(int status, std::string_view detail);
std::string_view StatusText(int status);

}  // namespace rollguard::http
