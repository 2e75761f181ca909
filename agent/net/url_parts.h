// SPDX-License-Identifier: Apache-2.0
// The parts of an http(s) URL that the client itself needs.
#pragma once

#include <string>
#include <string_view>

namespace rollguard::net {

struct UrlParts {
  std::string scheme;  // "https"
  std::string host;    // without user and password; IPv6 keeps its brackets
  std::string port;    // the scheme's own when none is written
  std::string path;    // with query, at least "/"
};

// Empty host when the text has no "scheme://host".
UrlParts SplitUrl(std::string_view url);

}  // namespace rollguard::net
