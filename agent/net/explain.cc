// SPDX-License-Identifier: Apache-2.0
// From libcurl's codes to sentences: what failed, why, and what to do about it.
#include "agent/base/text.h"
#include "agent/net/exchange.h"
#include "agent/net/redact.h"
#include "agent/net/url_parts.h"

namespace rollguard::net {
namespace {

std::string Endpoint(const HttpRequest& r) {
  if (!r.unix_socket.empty()) return r.unix_socket;
  UrlParts url = SplitUrl(r.url);
  return StrCat(url.host, ":", url.port);
}

// libcurl's own words with their first letter small; they can hold bytes of the peer.
std::string CurlWords(const Exchange& x, CURLcode code) {
  std::string words(Trim(x.curl_error[0] != 0 ? x.curl_error : curl_easy_strerror(code)));
  if (words.size() > 1 && words[0] >= 'A' && words[0] <= 'Z' && words[1] >= 'a') {
    words[0] = static_cast<char>(words[0] + ('a' - 'A'));
  }
  for (char& c : words) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return Abbreviate(words, 300);
}

std::string ProxyText(const HttpRequest& r) {
  return r.proxy.empty() ? std::string() : StrCat(" (through the proxy ", SafeUrl(r.proxy), ")");
}

bool Connected(const Exchange& x) {
  curl_off_t connected = 0;
  auto info =
      x.request.url.starts_with("https:") ? CURLINFO_APPCONNECT_TIME_T : CURLINFO_CONNECT_TIME_T;
  curl_easy_getinfo(x.easy, info, &connected);
  return connected > 0;
}

Error Timeout(const Exchange& x, CURLcode code) {
  const HttpRequest& r = x.request;
  if (x.abort == Abort::kIdle) {
    return {ErrorCode::kTimeout,
            StrCat("nothing came for ",
                   FormatGoDuration(std::chrono::duration_cast<Duration>(x.idle_timeout)))};
  }
  if (x.easy == nullptr) {
    return {ErrorCode::kTimeout,
            StrCat("waited ", FormatGoDuration(r.timeout / 2), " for one of the ", r.max_parallel,
                   " connections of ", Quote(r.group))};
  }
  bool by_us = x.abort == Abort::kTimeout;
  if (!Connected(x)) {
    Duration limit = by_us && code != CURLE_OPERATION_TIMEDOUT ? r.timeout : r.connect_timeout;
    return {ErrorCode::kTimeout, StrCat("no connection to ", Endpoint(r), " within ",
                                        FormatGoDuration(limit), ProxyText(r))};
  }
  return {ErrorCode::kTimeout,
          StrCat(x.response.status == 0 ? "no answer" : "the answer was not complete", " within ",
                 FormatGoDuration(r.timeout))};
}

std::string FileOrInline(const std::string& file, const std::string& pem) {
  return pem.empty() ? file : std::string("given inline");
}

Error TlsFailure(const Exchange& x, CURLcode code) {
  const TlsOptions none;
  const TlsOptions& tls = x.request.tls != nullptr ? *x.request.tls : none;
  std::string words = CurlWords(x, code);
  if (code == CURLE_SSL_CACERT_BADFILE) {
    return {ErrorCode::kUnavailable,
            StrCat("cannot use the CA ", FileOrInline(tls.ca_file, tls.ca_pem),
                   ": it is missing, unreadable or not PEM (", words, ")")};
  }
  if (code == CURLE_SSL_CERTPROBLEM) {
    return {ErrorCode::kUnavailable,
            StrCat("cannot use the client certificate ", FileOrInline(tls.cert_file, tls.cert_pem),
                   " with the key ", FileOrInline(tls.key_file, tls.key_pem), ": ", words)};
  }
  if (code == CURLE_PEER_FAILED_VERIFICATION && x.tls_report != nullptr) {
    std::string host = tls.server_name.empty() ? SplitUrl(x.request.url).host : tls.server_name;
    return {ErrorCode::kUnavailable, ExplainTls(*x.tls_report, &tls, host)};
  }
  if (words.find("wrong version number") != std::string::npos) {
    return {ErrorCode::kUnavailable,
            StrCat("the server at ", Endpoint(x.request),
                   " does not speak TLS; is the URL meant to be http://?")};
  }
  return {ErrorCode::kUnavailable, StrCat("TLS failed: ", words)};
}

Error Cut(const Exchange& x, CURLcode code) {
  std::string words = CurlWords(x, code);
  if (x.response.status == 0) {
    return {ErrorCode::kUnavailable,
            StrCat("the server closed the connection without an answer (", words, ")")};
  }
  return {ErrorCode::kUnavailable, StrCat("the answer was cut short after ", x.response.body.size(),
                                          " bytes (", words, ")")};
}

Error Reason(const Exchange& x, CURLcode code) {
  switch (x.abort) {
    case Abort::kBodyTooLarge:
      return {ErrorCode::kTooLarge,
              StrCat("the answer is longer than the limit of ", x.request.max_body, " bytes")};
    case Abort::kHeadTooLarge:
      return {ErrorCode::kTooLarge, "the answer's headers are longer than 256 KiB"};
    case Abort::kTimeout:
    case Abort::kIdle: return Timeout(x, code);
    case Abort::kCancelled: return {ErrorCode::kCancelled, "cancelled"};
    case Abort::kNone: break;
  }
  if (code == CURLE_UNSUPPORTED_PROTOCOL) {
    return {ErrorCode::kUnavailable, StrCat("the answer is not HTTP (", CurlWords(x, code), ")")};
  }
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return Timeout(x, code);
    case CURLE_URL_MALFORMAT:
      return {ErrorCode::kInvalid, StrCat("the URL is wrong: ", CurlWords(x, code))};
    case CURLE_COULDNT_RESOLVE_HOST:
      return {ErrorCode::kUnavailable, StrCat("the name ", Quote(SplitUrl(x.request.url).host),
                                              " cannot be resolved", ProxyText(x.request))};
    case CURLE_COULDNT_RESOLVE_PROXY:
      return {ErrorCode::kUnavailable,
              StrCat("the name of the proxy ", SafeUrl(x.request.proxy), " cannot be resolved")};
    case CURLE_COULDNT_CONNECT:
      return {ErrorCode::kUnavailable, StrCat("cannot connect to ", Endpoint(x.request),
                                              ProxyText(x.request), ": ", CurlWords(x, code))};
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION: return TlsFailure(x, code);
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR: return Cut(x, code);
    default: return {ErrorCode::kUnavailable, CurlWords(x, code)};
  }
}

HttpFailure KindOf(const Exchange& x, CURLcode code) {
  switch (x.abort) {
    case Abort::kBodyTooLarge:
    case Abort::kHeadTooLarge: return HttpFailure::kTooLarge;
    case Abort::kTimeout:
    case Abort::kIdle: return HttpFailure::kTimeout;
    case Abort::kCancelled: return HttpFailure::kBroken;
    case Abort::kNone: break;
  }
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return HttpFailure::kTimeout;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return HttpFailure::kName;
    case CURLE_COULDNT_CONNECT: return HttpFailure::kConnect;
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION: return HttpFailure::kTls;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return HttpFailure::kNotHttp;
    default: return HttpFailure::kBroken;
  }
}

}  // namespace

std::string Label(const HttpRequest& request) {
  if (!request.secret_url) return StrCat(request.method, " ", SafeUrl(request.url));
  UrlParts url = SplitUrl(request.url);
  return StrCat(request.method, " ", url.scheme, "://", url.host, "/***");
}

Error Explain(const Exchange& exchange, CURLcode code) {
  Error error = Reason(exchange, code);
  if (exchange.request.failure != nullptr) *exchange.request.failure = KindOf(exchange, code);
  error.message =
      StrCat(Label(exchange.request), ": ", Redact(error.message, SecretsOf(exchange.request)));
  return error;
}

}  // namespace rollguard::net
