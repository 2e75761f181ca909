// SPDX-License-Identifier: Apache-2.0
#include "agent/net/exchange.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

#include "agent/base/text.h"
#include "agent/net/url_parts.h"

namespace rollguard::net {
namespace {

constexpr size_t kMaxHead = 256U << 10;
constexpr size_t kMaxErrorBody = 64U << 10;  // kept of a stream's refusal
constexpr size_t kPadding = 64;              // spare room behind a body, for SIMD parsers

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    auto u = static_cast<unsigned char>(c);
    return u < 0x20 || u == 0x7f;
  });
}

bool Succeeded(const Exchange& x) { return x.response.status / 100 == 2; }

// Takes a reported length as a hint for the buffer, never beyond the cap, and fails early.
bool AcceptLength(Exchange& x, std::string_view text) {
  std::optional<int64_t> length = ParseInt(text);
  if (!length || *length < 0 || x.is_stream) return true;
  if (static_cast<uint64_t>(*length) > x.request.max_body) {
    x.abort = Abort::kBodyTooLarge;
    return false;
  }
  x.response.body.reserve(static_cast<size_t>(*length) + kPadding);
  return true;
}

void StartHead(Exchange& x, std::string_view line) {
  x.response.headers.clear();
  size_t space = line.find(' ');
  std::string_view code = space == std::string_view::npos ? "" : line.substr(space + 1, 3);
  x.response.status = static_cast<int>(ParseInt(code).value_or(0));
}

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  auto& x = *static_cast<Exchange*>(user);
  size_t bytes = size * count;
  x.head_bytes += bytes;
  x.last_activity = x.sink->Monotonic();
  if (x.head_bytes > kMaxHead) {
    x.abort = Abort::kHeadTooLarge;
    return 0;
  }
  std::string_view line = Trim(std::string_view(data, bytes));
  if (line.starts_with("HTTP/")) {
    StartHead(x, line);
    return bytes;
  }
  size_t colon = line.find(':');
  if (colon == std::string_view::npos) return bytes;
  std::string name = ToLower(line.substr(0, colon));
  std::string_view value = Trim(line.substr(colon + 1));
  bool accepted = name != "content-length" || x.request.method == "HEAD" || AcceptLength(x, value);
  x.response.headers.emplace_back(std::move(name), value);
  return accepted ? bytes : 0;
}

// Returning another number than `bytes` makes libcurl end the transfer.
size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto& x = *static_cast<Exchange*>(user);
  size_t bytes = size * count;
  x.last_activity = x.sink->Monotonic();
  if (x.is_stream && Succeeded(x)) {
    if (x.sink->Deliver(x.id, x.data, {data, bytes})) return bytes;
    x.abort = Abort::kCancelled;
    return 0;
  }
  size_t cap = x.is_stream ? std::min(kMaxErrorBody, x.request.max_body) : x.request.max_body;
  if (x.response.body.size() + bytes > cap) {
    x.abort = Abort::kBodyTooLarge;
    if (x.is_stream) x.response.body.append(data, cap - x.response.body.size());
    return 0;
  }
  x.response.body.append(data, bytes);
  return bytes;
}

CURLcode OnSslContext(CURL*, void* ssl_ctx, void* user) {
  AttachReport(ssl_ctx, static_cast<Exchange*>(user)->tls_report);
  return CURLE_OK;
}

bool CurlUsesOpenSsl() {
  static const bool yes = [] {
    const char* version = curl_version_info(CURLVERSION_NOW)->ssl_version;
    return version != nullptr && std::string_view(version).starts_with("OpenSSL");
  }();
  return yes;
}

void SetBlob(CURL* easy, CURLoption option, const std::string& text) {
  // COPY, not NOCOPY: libcurl compares blobs of idle connections after the options are gone.
  curl_blob blob{const_cast<char*>(text.data()), text.size(), CURL_BLOB_COPY};
  curl_easy_setopt(easy, option, &blob);
}

void SetPem(CURL* easy, CURLoption blob, CURLoption path, const std::string& pem,
            const std::string& file) {
  if (!pem.empty()) {
    SetBlob(easy, blob, pem);
  } else if (!file.empty()) {
    curl_easy_setopt(easy, path, file.c_str());
  }
}

// A server name other than the URL's host is verified by putting that name into the URL, connecting
// to the real host all the same, and sending the real authority as Host.
void SetServerName(Exchange& x, const std::string& server_name) {
  UrlParts url = SplitUrl(x.request.url);
  std::string real = StrCat(url.host, ":", url.port);
  x.connect_to =
      curl_slist_append(x.connect_to, StrCat(server_name, ":", url.port, ":", real).c_str());
  curl_easy_setopt(x.easy, CURLOPT_CONNECT_TO, x.connect_to);
  std::string renamed = StrCat(url.scheme, "://", server_name, ":", url.port, url.path);
  curl_easy_setopt(x.easy, CURLOPT_URL, renamed.c_str());
  x.headers = curl_slist_append(x.headers, StrCat("Host: ", real).c_str());
}

void SetTls(Exchange& x) {
  CURL* easy = x.easy;
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  const TlsOptions* tls = x.request.tls.get();
  if (CurlUsesOpenSsl() && x.request.url.starts_with("https:")) {
    x.tls_report = std::make_shared<TlsReport>();
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, OnSslContext);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, &x);
  }
  if (tls == nullptr) return;
  if (!tls->ca_pem.empty() || !tls->ca_file.empty()) {
    // Without these two the system's CAs would stay trusted beside the private one.
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    curl_easy_setopt(easy, CURLOPT_CAINFO, nullptr);
    SetPem(easy, CURLOPT_CAINFO_BLOB, CURLOPT_CAINFO, tls->ca_pem, tls->ca_file);
  }
  SetPem(easy, CURLOPT_SSLCERT_BLOB, CURLOPT_SSLCERT, tls->cert_pem, tls->cert_file);
  SetPem(easy, CURLOPT_SSLKEY_BLOB, CURLOPT_SSLKEY, tls->key_pem, tls->key_file);
  if (tls->insecure) {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (!tls->server_name.empty()) SetServerName(x, tls->server_name);
}

void SetMethodAndBody(Exchange& x) {
  const HttpRequest& r = x.request;
  if (r.method == "HEAD") {
    curl_easy_setopt(x.easy, CURLOPT_NOBODY, 1L);
    return;
  }
  if (r.method == "GET" && r.body.empty()) return;
  if (!r.body.empty() || r.method == "POST" || r.method == "PUT" || r.method == "PATCH") {
    curl_easy_setopt(x.easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(r.body.size()));
    curl_easy_setopt(x.easy, CURLOPT_POSTFIELDS, r.body.c_str());
  }
  curl_easy_setopt(x.easy, CURLOPT_CUSTOMREQUEST, r.method.c_str());
}

void SetHeaders(Exchange& x) {
  bool has_type = false;
  for (const auto& [name, value] : x.request.headers) {
    has_type |= EqualsIgnoreCase(name, "content-type");
    // "Name;" is how libcurl is told to send a header without a value.
    std::string line = value.empty() ? name + ";" : StrCat(name, ": ", value);
    x.headers = curl_slist_append(x.headers, line.c_str());
  }
  x.headers = curl_slist_append(x.headers, "Expect:");
  if (!has_type) x.headers = curl_slist_append(x.headers, "Content-Type:");
  curl_easy_setopt(x.easy, CURLOPT_HTTPHEADER, x.headers);
}

// Without it data that nobody acknowledges is sent again for a quarter of an hour.
int OnSocket(void* user, curl_socket_t fd, curlsocktype) {
  const auto limit = static_cast<const CurlOptions*>(user)->dead_after;
  const auto ms = static_cast<unsigned>(std::chrono::milliseconds(limit).count());
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);  // TCP alone knows it
  return CURL_SOCKOPT_OK;
}

void SetDeadAfter(Exchange& x, const CurlOptions& options) {
  const long idle = std::max<long>(1, options.dead_after.count());
  curl_easy_setopt(x.easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(x.easy, CURLOPT_TCP_KEEPIDLE, idle);
  curl_easy_setopt(x.easy, CURLOPT_TCP_KEEPINTVL, std::max<long>(1, idle / 3));
  curl_easy_setopt(x.easy, CURLOPT_SOCKOPTFUNCTION, OnSocket);
  curl_easy_setopt(x.easy, CURLOPT_SOCKOPTDATA, &options);
}

void SetTransport(Exchange& x, const CurlOptions& options) {
  CURL* easy = x.easy;
  const HttpRequest& r = x.request;
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  // An aborted look-up must not hold the loop until the resolver gives up.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  long version = !r.http2                      ? CURL_HTTP_VERSION_1_1
                 : r.url.starts_with("https:") ? CURL_HTTP_VERSION_2TLS
                                               : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
  if (r.fresh_connection) {
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  }
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(std::max<int64_t>(1, r.connect_timeout.count())));
  SetDeadAfter(x, options);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (!r.proxy.empty() || !options.environment_proxy) {
    curl_easy_setopt(easy, CURLOPT_PROXY, r.proxy.c_str());  // "" turns proxies off
  }
  if (!r.proxy.empty()) curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  if (!r.unix_socket.empty()) {
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, r.unix_socket.c_str());
  }
  if (r.accept_gzip) curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
}

}  // namespace

Exchange::~Exchange() {
  if (easy != nullptr) curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
  curl_slist_free_all(connect_to);
}

Status CheckRequest(const HttpRequest& request) {
  auto bad = [&](std::string what) {
    return Error(ErrorCode::kInvalid, StrCat(Label(request), ": ", what));
  };
  if (!request.url.starts_with("http://") && !request.url.starts_with("https://")) {
    return bad("the URL must begin with http:// or https://");
  }
  if (HasControl(request.url) || request.url.find(' ') != std::string::npos) {
    return bad("the URL holds a blank or control character");
  }
  if (SplitUrl(request.url).host.empty()) return bad("the URL names no host");
  if (request.method.empty() || HasControl(request.method) ||
      request.method.find(' ') != std::string::npos) {
    return bad("the method is not a word");
  }
  for (const auto& [name, value] : request.headers) {
    if (name.empty() || HasControl(name) || name.find_first_of(": ") != std::string::npos) {
      return bad(StrCat("bad header name ", Quote(name)));
    }
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      return bad(StrCat("the value of header ", name,
                        " holds a line break (does a secret file end in one?)"));
    }
  }
  return {};
}

Status Configure(Exchange& x, const CurlOptions& options) {
  x.easy = curl_easy_init();
  if (x.easy == nullptr) return Error(ErrorCode::kInternal, "out of memory for a request");
  CURL* easy = x.easy;
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &x);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x.curl_error);
  curl_easy_setopt(easy, CURLOPT_URL, x.request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &x);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &x);
  SetTransport(x, options);
  SetMethodAndBody(x);
  SetTls(x);
  SetHeaders(x);
  return {};
}

}  // namespace rollguard::net
