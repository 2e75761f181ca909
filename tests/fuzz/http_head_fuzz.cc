// SPDX-License-Identifier: Apache-2.0
// Whatever opens a connection: a head is refused with a status, or it is one that every other
// parser would read alike, and a route that answers it was found by its own pattern.
#include <cstdlib>
#include <string_view>

#include "agent/http/head.h"
#include "agent/http/router.h"

namespace {

using namespace rollguard::http;

struct Routes {
  Routes() {
    auto answer = [](const Request& request) {
      if (request.matches.size() != 2) std::abort();
      for (const std::string& match : request.matches) {
        if (match.empty() || match.find('/') != std::string::npos) std::abort();
      }
      Response response;
      response.headers = {{"x-q", request.Param("q").empty() ? "0" : "1"}};
      response.body = request.matches[0] + request.Param("q") + request.body;
      return response;
    };
    for (const char* method : {"GET", "POST", "PUT", "DELETE"})
      router.Add(method, "/v1/{namespace}/items/{name}", answer);
  }
  Router router;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rollguard::http;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t end = FindHeadEnd(bytes);
  if (end > size) std::abort();
  if (end == 0) return 0;
  const HeadLimits limits;
  const Head head = ParseHead(bytes.substr(0, end), limits);
  if (head.refuse != 0) {
    if (head.refuse < 400 || head.refuse > 599 || head.why.empty()) std::abort();
    return 0;
  }
  if (head.content_length > limits.max_body || head.request.headers.size() > limits.max_headers ||
      head.request.target.empty() || head.request.target[0] != '/')
    std::abort();
  size_t hosts = 0;
  for (const auto& [name, value] : head.request.headers) {
    hosts += name == "host" ? 1 : 0;
    for (char c : name) {
      if (c <= ' ' || c == ':' || (c >= 'A' && c <= 'Z')) std::abort();
    }
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) std::abort();
    if (name == "transfer-encoding") std::abort();
  }
  if (hosts > 1) std::abort();
  static const Routes routes;
  Request request = head.request;
  request.body = bytes.substr(end, head.content_length);
  const Rendered rendered = routes.router.Render(std::move(request), head.keep_alive);
  if (!rendered.bytes.starts_with("HTTP/1.1 ")) std::abort();
  return 0;
}
