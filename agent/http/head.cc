// SPDX-License-Identifier: Apache-2.0
// The grammar of RFC 9112, without its lenient corners: no bare LF, no folded lines, no space
// before the colon, one Content-Length of digits only, no Transfer-Encoding (411 asks for a
// length), no encoded bodies. `Range` is dropped (answers are small), Accept-Encoding is reduced to
// gzip.
#include "agent/http/head.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::http {
namespace {

bool IsToken(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

bool IsValue(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    auto u = static_cast<unsigned char>(c);
    return u == '\t' || (u >= 0x20 && u != 0x7F);
  });
}

bool IsTarget(std::string_view text) {
  return !text.empty() && text[0] == '/' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

Head Refuse(Head head, int status, std::string why) {
  head.refuse = status;
  head.why = std::move(why);
  head.keep_alive = false;
  return head;
}

// METHOD SP target SP HTTP/1.x; false when it is anything else.
bool ParseRequestLine(std::string_view line, Head& head) {
  auto parts = Split(line, ' ');
  if (parts.size() != 3 || !IsToken(parts[0]) || !IsTarget(parts[1])) return false;
  if (parts[2] != "HTTP/1.1" && parts[2] != "HTTP/1.0") return false;
  head.request.method = std::string(parts[0]);
  head.request.target = std::string(parts[1]);
  head.is_http10 = parts[2] == "HTTP/1.0";
  head.keep_alive = !head.is_http10;
  return true;
}

bool ParseHeaderLine(std::string_view line, Head& head) {
  size_t colon = line.find(':');
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) return false;
  std::string_view value = Trim(line.substr(colon + 1));
  if (!IsValue(value)) return false;
  head.request.headers.emplace_back(ToLower(line.substr(0, colon)), std::string(value));
  return true;
}

size_t CountOf(const Headers& headers, std::string_view name) {
  return static_cast<size_t>(std::count_if(headers.begin(), headers.end(),
                                           [&](const auto& h) { return h.first == name; }));
}

// The length, or false when the header is not plain digits.
bool ParseContentLength(std::string_view text, size_t& length) {
  if (text.empty() || text.size() > 15 ||
      text.find_first_not_of("0123456789") != std::string_view::npos)
    return false;
  length = static_cast<size_t>(*ParseInt(text));
  return true;
}

Head CheckBody(Head head, const HeadLimits& limits) {
  const Request& r = head.request;
  if (CountOf(r.headers, "transfer-encoding") > 0) {
    return Refuse(std::move(head), 411, "send a Content-Length; chunked bodies are not accepted");
  }
  if (CountOf(r.headers, "content-encoding") > 0 && r.Header("content-encoding") != "identity") {
    return Refuse(std::move(head), 415, "encoded bodies are not accepted; send the body as it is");
  }
  size_t lengths = CountOf(r.headers, "content-length");
  if (lengths > 1) return Refuse(std::move(head), 400, "more than one Content-Length");
  if (lengths == 0) {
    bool wants_body = r.method == "POST" || r.method == "PUT" || r.method == "PATCH";
    return wants_body ? Refuse(std::move(head), 411, "send a Content-Length") : head;
  }
  if (!ParseContentLength(r.Header("content-length"), head.content_length)) {
    return Refuse(std::move(head), 400, "Content-Length is not a number");
  }
  if (head.content_length > limits.max_body) {
    return Refuse(std::move(head), 413,
                  StrCat("the body is larger than ", limits.max_body, " bytes"));
  }
  return head;
}

Head CheckConnection(Head head) {
  const Request& r = head.request;
  const size_t hosts = CountOf(r.headers, "host");
  if (hosts > 1 || (hosts == 0 && !head.is_http10))
    return Refuse(std::move(head), 400, "exactly one Host header is needed");
  std::string connection = ToLower(r.Header("connection"));
  if (connection.find("close") != std::string::npos) head.keep_alive = false;
  if (connection.find("keep-alive") != std::string::npos) head.keep_alive = true;
  if (CountOf(r.headers, "upgrade") > 0) head.keep_alive = false;
  if (auto expect = r.Header("expect"); !expect.empty()) {
    if (!EqualsIgnoreCase(expect, "100-continue"))
      return Refuse(std::move(head), 417, "unknown Expect");
    head.expects_continue = true;
  }
  return head;
}

// What later code must never interpret.
void Normalise(Headers& headers) {
  std::erase_if(headers, [](const auto& h) {
    return h.first == "range" || h.first == "if-range" || h.first == "expect" ||
           h.first == "connection" || h.first == "upgrade" || h.first == "remote_addr" ||
           h.first == "remote_port" || h.first == "te";
  });
  for (auto& [name, value] : headers) {
    if (name == "accept-encoding")
      value = value.find("gzip") != std::string::npos ? "gzip" : "identity";
  }
}

}  // namespace

size_t FindHeadEnd(std::string_view buffer) {
  size_t end = buffer.find("\r\n\r\n");
  return end == std::string_view::npos ? 0 : end + 4;
}

Head ParseHead(std::string_view text, const HeadLimits& limits) {
  Head head;
  if (text.size() > limits.max_bytes)
    return Refuse(std::move(head), 431, "the request head is too large");
  size_t line_end = text.find("\r\n");
  std::string_view line = text.substr(0, line_end);
  if (line.size() > limits.max_target + 32)
    return Refuse(std::move(head), 414, "the request target is too long");
  if (!ParseRequestLine(line, head)) return Refuse(std::move(head), 400, "malformed request line");
  if (head.request.target.size() > limits.max_target)
    return Refuse(std::move(head), 414, "the request target is too long");
  text.remove_prefix(line_end + 2);
  while (text != "\r\n" && !text.empty()) {
    size_t end = text.find("\r\n");
    if (!ParseHeaderLine(text.substr(0, end), head))
      return Refuse(std::move(head), 400, "malformed header");
    if (head.request.headers.size() > limits.max_headers)
      return Refuse(std::move(head), 431, "too many headers");
    text.remove_prefix(end + 2);
  }
  head = CheckConnection(std::move(head));
  if (head.refuse == 0) head = CheckBody(std::move(head), limits);
  Normalise(head.request.headers);
  return head;
}

}  // namespace rollguard::http
