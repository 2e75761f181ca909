// SPDX-License-Identifier: Apache-2.0
#include "agent/net/url_parts.h"

#include <algorithm>

namespace rollguard::net {

UrlParts SplitUrl(std::string_view url) {
  UrlParts parts;
  url = url.substr(0, url.find('#'));
  size_t colon = url.find("://");
  if (colon == std::string_view::npos) return parts;
  parts.scheme = url.substr(0, colon);
  std::string_view rest = url.substr(colon + 3);
  size_t end = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, end);
  parts.path = rest.substr(end);
  if (!parts.path.starts_with('/')) parts.path.insert(0, "/");
  if (size_t at = authority.rfind('@'); at != std::string_view::npos) {
    authority.remove_prefix(at + 1);
  }
  size_t bracket = authority.rfind(']');
  size_t from = bracket == std::string_view::npos ? 0 : bracket;
  size_t port = authority.find(':', from);
  parts.host = authority.substr(0, port);
  parts.port = port == std::string_view::npos ? "" : authority.substr(port + 1);
  if (parts.port.empty()) parts.port = parts.scheme == "https" ? "443" : "80";
  return parts;
}

}  // namespace rollguard::net
