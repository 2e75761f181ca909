// SPDX-License-Identifier: Apache-2.0
// Where a server of a test listens.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>

#include <string>
#include <utility>

#include "agent/base/text.h"

namespace rollguard::testing {

struct Address {
  Address() = default;
  Address(int at) : port(at) {}  // on the loopback
  Address(std::string where, int at) : host(std::move(where)), port(at) {}
  auto operator<=>(const Address&) const = default;

  std::string Text() const { return StrCat(host, ":", port); }
  sockaddr_in Inet() const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    (void)::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
    return address;
  }

  std::string host = "127.0.0.1";
  int port = 0;
};

}  // namespace rollguard::testing
