// SPDX-License-Identifier: Apache-2.0
// One request on its way through libcurl: the easy handle, what has come in, and why it failed.
// Lives on the client's loop thread once it is started.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <string>

#include "agent/net/curl_client.h"
#include "agent/net/tls_report.h"

namespace rollguard::net {

using Nanos = std::chrono::nanoseconds;

// Why we ourselves ended a transfer; libcurl then reports only "aborted".
enum class Abort { kNone, kBodyTooLarge, kHeadTooLarge, kTimeout, kIdle, kCancelled };

// What an exchange tells its loop while bytes come in.
class ExchangeSink {
 public:
  virtual ~ExchangeSink() = default;
  // Hands on bytes of a stream; false when it was cancelled meanwhile.
  virtual bool Deliver(HttpId id, const std::function<void(std::string_view)>& data,
                       std::string_view bytes) = 0;
  virtual Nanos Monotonic() const = 0;
};

struct Exchange {
  HttpId id = 0;
  HttpRequest request;
  HttpDone done;
  std::function<void(std::string_view)> data;  // streams only
  bool is_stream = false;
  bool in_group = false;  // holds one of its group's places
  Nanos idle_timeout{0};
  Nanos submitted{0};
  Nanos last_activity{0};

  HttpResponse response;
  size_t head_bytes = 0;
  Abort abort = Abort::kNone;
  char curl_error[CURL_ERROR_SIZE] = {};
  std::shared_ptr<TlsReport> tls_report;

  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  curl_slist* connect_to = nullptr;
  ExchangeSink* sink = nullptr;

  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange();
};

// The request's mistakes that libcurl would carry to the wire: no URL, another scheme, line breaks
// in header or method.
Status CheckRequest(const HttpRequest& request);

// Makes the easy handle. Fails only when libcurl has no memory.
Status Configure(Exchange& exchange, const CurlOptions& options);

// The error for a transfer that ended with `code`, naming method, URL and cause.
Error Explain(const Exchange& exchange, CURLcode code);

// "GET https://host/path" as errors show it.
std::string Label(const HttpRequest& request);

}  // namespace rollguard::net
