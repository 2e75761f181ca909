// SPDX-License-Identifier: Apache-2.0
// Outbound HTTP: what the edges (Kubernetes, Prometheus, probes, notifications) send through.
// Implemented by agent/net with libcurl's multi interface on one thread, and by fakes in tests.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/base/expected.h"
#include "agent/base/time.h"

namespace rollguard {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// How to prove who is who. Shared by all requests to one server; immutable once in use.
// Exactly one of the inline text and the file is used for each item, text first.
struct TlsOptions {
  std::string ca_file;  // when a CA is given, the system's CAs are not trusted
  std::string ca_pem;
  std::string cert_file;  // client certificate
  std::string cert_pem;
  std::string key_file;
  std::string key_pem;
  std::string server_name;  // verify against this name instead of the URL's host
  bool insecure = false;
};

// What kind of failure an Error of the client stands for.
enum class HttpFailure { kNone, kName, kConnect, kBroken, kTimeout, kTls, kNotHttp, kTooLarge };

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  HttpHeaders headers;
  std::string body;
  Duration timeout = std::chrono::seconds(10);  // the whole exchange
  Duration connect_timeout = std::chrono::seconds(5);
  size_t max_body = 16U << 20;  // longer answers fail with kTooLarge
  bool accept_gzip = false;
  std::shared_ptr<const TlsOptions> tls;
  std::string proxy;
  std::string unix_socket;
  // Requests of one group share a limit of parallel connections; 0: no limit.
  std::string group;
  int max_parallel = 0;
  bool urgent = false;  // waits for no place in its group
  // The path itself is a secret (chat webhooks): errors show scheme and host only.
  bool secret_url = false;
  bool http2 = false;  // with prior knowledge over plain TCP, agreed on by ALPN over TLS
  // A connection of its own, closed afterwards: what is asked includes that one can connect.
  bool fresh_connection = false;
  // Set before `done` runs, when given.
  std::shared_ptr<HttpFailure> failure;
};

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;  // names in lower case; trailers follow at the end
  std::string body;
  Duration elapsed{0};

  // The first header of that (lower case) name, or "".
  std::string_view Header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return {};
  }
};

using HttpDone = std::function<void(Expected<HttpResponse>)>;

// A streamed answer (watches). `data` is called as bytes come in; `done` once and last. When the
// status is not 2xx the body (capped) arrives in the response of `done` instead of through `data`.
// `idle_timeout`: fail when nothing arrives for so long; `request.timeout` zero means no limit.
struct HttpStream {
  std::function<void(std::string_view)> data;
  HttpDone done;
  Duration idle_timeout{0};
};

using HttpId = uint64_t;

// Thread-safe. Callbacks run on the client's own thread, exactly once, and must be short. No
// redirects are followed. Every failure is an Error that names method and URL (without secrets).
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  virtual HttpId Send(HttpRequest request, HttpDone done) = 0;
  virtual HttpId Stream(HttpRequest request, HttpStream stream) = 0;
  // After this returns no callback of that exchange runs any more. Callable from any thread,
  // including from inside another exchange's callback.
  virtual void Cancel(HttpId id) = 0;
};

}  // namespace rollguard
