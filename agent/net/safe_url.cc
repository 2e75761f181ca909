// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "agent/base/text.h"
#include "agent/net/curl_client.h"
#include "agent/net/redact.h"

namespace rollguard::net {
namespace {

std::string MaskQuery(std::string_view query) {
  std::string out;
  for (std::string_view pair : Split(query, '&')) {
    if (!out.empty()) out += '&';
    size_t equals = pair.find('=');
    bool mask = equals != std::string_view::npos && NamesSecret(pair.substr(0, equals));
    out += mask ? StrCat(pair.substr(0, equals), "=***") : std::string(pair);
  }
  return out;
}

}  // namespace

std::string SafeUrl(std::string_view url) {
  url = url.substr(0, url.find('#'));
  size_t query_at = url.find('?');
  std::string_view head = url.substr(0, query_at);
  std::string out;
  size_t scheme = head.find("://");
  size_t start = scheme == std::string_view::npos ? 0 : scheme + 3;
  size_t path = std::min(head.find('/', start), head.size());
  size_t at = head.substr(start, path - start).rfind('@');
  out = std::string(head.substr(0, start));
  out += head.substr(at == std::string_view::npos ? start : start + at + 1);
  if (query_at != std::string_view::npos) {
    out += '?';
    out += MaskQuery(url.substr(query_at + 1));
  }
  return Abbreviate(out, 300);
}

}  // namespace rollguard::net
