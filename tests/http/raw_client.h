// SPDX-License-Identifier: Apache-2.0
// A socket that says exactly what a test wants to say, well-formed or not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rollguard::http {

class RawClient {
 public:
  explicit RawClient(uint16_t port);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool Send(std::string_view bytes);
  // Reads until `until` has been seen, the peer closes, or ten seconds pass.
  std::string ReadUntil(std::string_view until);
  // One response: head and Content-Length body.
  std::string ReadResponse();
  // Everything until the peer closes.
  std::string ReadAll() { return ReadUntil({}); }
  bool connected() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
  std::string buffer_;
};

}  // namespace rollguard::http
