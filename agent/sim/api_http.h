// SPDX-License-Identifier: Apache-2.0
// The simulated API server's HTTP face without the sockets: a method, a path, a query and a body
// in, an answer or a stream of watch lines out. Speaks enough of discovery, OpenAPI and Table for
// kubectl 1.20 and 1.32. Single-threaded like the rest.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "agent/sim/api_server.h"

namespace rollguard::sim {

struct ApiHttpRequest {
  std::string method;                        // "GET"
  std::string path;                          // "/apis/apps/v1/namespaces/shop/deployments/checkout"
  std::map<std::string, std::string> query;  // decoded
  std::string accept;
  std::string content_type;
  std::string user_agent;
  std::string body;
};

struct ApiHttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  bool watch = false;  // true: call OpenStream with the same request instead of sending `body`
};

class ApiHttp {
 public:
  explicit ApiHttp(ApiServer& api) : api_(api) {}

  ApiHttpResponse Handle(const ApiHttpRequest& request);

  // Starts the watch that Handle announced. `line` is called with whole lines, from inside this
  // call for what is present and later from commits; `closed` once when the server ends it. Returns
  // 0 when it could not be opened (then one ERROR line was written and the stream is over).
  WatchId OpenStream(const ApiHttpRequest& request, std::function<void(std::string)> line);
  void CloseStream(WatchId id) { api_.CloseWatch(id); }

 private:
  ApiServer& api_;
};

}  // namespace rollguard::sim
