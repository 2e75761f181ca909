// SPDX-License-Identifier: Apache-2.0
// The cookies of one journey (RFC 6265 as far as one short walk needs it): domain, path, secure and
// deletion are obeyed; lifetimes beyond the walk are not.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/ports/http_client.h"

namespace rollguard::probe {

// A plain value; at most 100 cookies are kept.
class CookieJar {
 public:
  void Take(std::string_view url, const HttpResponse& response);
  // The Cookie header's value, or "".
  std::string For(std::string_view url) const;
  // The value of the first cookie of that name, or nullptr.
  const std::string* Find(std::string_view name) const;

 private:
  struct Cookie {
    std::string name, value, domain, path;
    bool host_only = true;
    bool secure = false;
  };
  void Put(Cookie cookie, bool deleted);
  std::vector<Cookie> cookies_;
};

}  // namespace rollguard::probe
