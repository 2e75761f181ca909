// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "agent/base/text.h"
#include "tests/support/real_prometheus.h"

namespace rollguard::testing {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

}  // namespace

int FreePort() {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  int port = 0;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    port = ntohs(address.sin_port);
  }
  close(fd);
  return port;
}

std::string UrlEncode(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '-' || c == '_' || c == '.';
    if (plain) {
      out += c;
    } else {
      out += Format("%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

LoopbackHttp::~LoopbackHttp() { Close(); }

void LoopbackHttp::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  buffer_.clear();
}

bool LoopbackHttp::Connect() {
  if (fd_ >= 0) return true;
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(port_);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    Close();
    return false;
  }
  int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return true;
}

bool LoopbackHttp::Fill() {
  char chunk[65536];
  ssize_t n = recv(fd_, chunk, sizeof(chunk), 0);
  if (n <= 0) return false;
  buffer_.append(chunk, static_cast<size_t>(n));
  return true;
}

bool LoopbackHttp::ReadHead(HttpAnswer* answer, long* length, bool* chunked, bool* last) {
  size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return false;
  }
  std::string head = ToLower(buffer_.substr(0, end + 2));
  buffer_.erase(0, end + 4);
  if (head.size() < 12) return false;
  answer->status = std::atoi(head.c_str() + 9);
  size_t at = head.find("\r\ncontent-length: ");
  *length = at == std::string::npos ? -1 : std::atol(head.c_str() + at + 18);
  *chunked = head.find("transfer-encoding: chunked") != std::string::npos;
  *last = head.find("connection: close") != std::string::npos;
  return true;
}

bool LoopbackHttp::ReadBody(HttpAnswer* answer, long length, bool chunked) {
  if (!chunked) {
    while (length < 0 || buffer_.size() < static_cast<size_t>(length)) {
      if (!Fill()) break;
    }
    size_t size = length < 0 ? buffer_.size() : static_cast<size_t>(length);
    if (buffer_.size() < size) return false;
    answer->body = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return true;
  }
  while (true) {
    size_t line;
    while ((line = buffer_.find("\r\n")) == std::string::npos) {
      if (!Fill()) return false;
    }
    size_t size = std::strtoul(buffer_.c_str(), nullptr, 16);
    while (buffer_.size() < line + 2 + size + 2) {
      if (!Fill()) return false;
    }
    answer->body.append(buffer_, line + 2, size);
    buffer_.erase(0, line + 2 + size + 2);
    if (size == 0) return true;
  }
}

HttpAnswer LoopbackHttp::Exchange(const std::string& request) {
  // A kept connection may have been closed by the server meanwhile: one more try on a new one.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (!Connect()) return {};
    HttpAnswer answer;
    long length = 0;
    bool chunked = false, last = false;
    size_t sent = 0;
    while (sent < request.size()) {
      ssize_t n = send(fd_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) break;
      sent += static_cast<size_t>(n);
    }
    bool whole = sent == request.size() && ReadHead(&answer, &length, &chunked, &last) &&
                 ReadBody(&answer, length, chunked);
    if (!whole || last) Close();
    if (whole) return answer;
  }
  return {};
}

HttpAnswer LoopbackHttp::Get(std::string_view path) {
  return Exchange(StrCat("GET ", path, " HTTP/1.1\r\nHost: 127.0.0.1:", port_, "\r\n\r\n"));
}

HttpAnswer LoopbackHttp::Post(std::string_view path, const Form& form) {
  std::string body;
  for (const auto& [key, value] : form) {
    if (!body.empty()) body += '&';
    body += StrCat(key, "=", UrlEncode(value));
  }
  return Exchange(StrCat("POST ", path, " HTTP/1.1\r\nHost: 127.0.0.1:", port_,
                         "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ",
                         body.size(), "\r\n\r\n", body));
}

}  // namespace rollguard::testing
