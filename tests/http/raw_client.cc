// SPDX-License-Identifier: Apache-2.0
#include "tests/http/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <utility>

namespace rollguard::http {

RawClient::RawClient(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  timeval patience{10, 0};
  int on = 1;
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd_);
    fd_ = -1;
  }
}

RawClient::~RawClient() {
  if (fd_ >= 0) ::close(fd_);
}

bool RawClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

std::string RawClient::ReadUntil(std::string_view until) {
  std::array<char, 65536> chunk;
  while (until.empty() || buffer_.find(until) == std::string::npos) {
    ssize_t n = ::recv(fd_, chunk.data(), chunk.size(), 0);
    if (n <= 0) return std::exchange(buffer_, {});
    buffer_.append(chunk.data(), static_cast<size_t>(n));
  }
  size_t end = buffer_.find(until) + until.size();
  std::string out = buffer_.substr(0, end);
  buffer_.erase(0, end);
  return out;
}

std::string RawClient::ReadResponse() {
  std::string head = ReadUntil("\r\n\r\n");
  size_t at = head.find("Content-Length: ");
  if (at == std::string::npos) return head;
  size_t length = std::strtoul(head.c_str() + at + 16, nullptr, 10);
  std::array<char, 65536> chunk;
  while (buffer_.size() < length) {
    ssize_t n = ::recv(fd_, chunk.data(), chunk.size(), 0);
    if (n <= 0) break;
    buffer_.append(chunk.data(), static_cast<size_t>(n));
  }
  std::string body = buffer_.substr(0, length);
  buffer_.erase(0, body.size());
  return head + body;
}

}  // namespace rollguard::http
