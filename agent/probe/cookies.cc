// SPDX-License-Identifier: Apache-2.0
#include "agent/probe/cookies.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::probe {
namespace {

constexpr size_t kMaxCookies = 100;

struct Place {
  bool secure = false;
  std::string host, path;
};

Place PlaceOf(std::string_view url) {
  Place place;
  place.secure = url.starts_with("https:");
  size_t start = url.find("://");
  std::string_view rest = start == std::string_view::npos ? url : url.substr(start + 3);
  size_t slash = rest.find_first_of("/?#");
  std::string_view authority = rest.substr(0, slash);
  if (size_t at = authority.rfind('@'); at != std::string_view::npos)
    authority.remove_prefix(at + 1);
  size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos)
    authority = authority.substr(0, colon);
  place.host = ToLower(authority);
  std::string_view path = slash == std::string_view::npos ? "/" : rest.substr(slash);
  place.path = std::string(path.substr(0, path.find_first_of("?#")));
  if (!place.path.starts_with('/')) place.path = std::string(1, '/');
  return place;
}

bool DomainMatches(std::string_view host, std::string_view domain) {
  return host == domain || (host.size() > domain.size() && host.ends_with(domain) &&
                            host[host.size() - domain.size() - 1] == '.');
}

bool PathMatches(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) &&
         (path.size() == prefix.size() || prefix.ends_with('/') || path[prefix.size()] == '/');
}

// Servers delete a cookie with a date long ago; other dates lie beyond a journey's end.
bool LongAgo(std::string_view expires) {
  const std::string spaced = ReplaceAll(expires, "-", " ");
  for (std::string_view word : Split(spaced, ' ')) {
    auto year = ParseInt(word);
    if (year && *year >= 1601 && *year < 2010) return true;
  }
  return false;
}

}  // namespace

void CookieJar::Put(Cookie cookie, bool deleted) {
  std::erase_if(cookies_, [&](const Cookie& c) {
    return c.name == cookie.name && c.domain == cookie.domain && c.path == cookie.path;
  });
  if (!deleted && cookies_.size() < kMaxCookies) cookies_.push_back(std::move(cookie));
}

void CookieJar::Take(std::string_view url, const HttpResponse& response) {
  const Place place = PlaceOf(url);
  for (const auto& [header, text] : response.headers) {
    if (header != "set-cookie") continue;
    std::vector<std::string_view> parts = Split(text, ';');
    size_t equals = parts[0].find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    Cookie cookie;
    cookie.name = std::string(Trim(parts[0].substr(0, equals)));
    cookie.value = std::string(Trim(parts[0].substr(equals + 1)));
    cookie.domain = place.host;
    cookie.path = place.path.substr(0, std::max<size_t>(1, place.path.rfind('/')));
    bool deleted = false, foreign = false;
    for (size_t i = 1; i < parts.size(); ++i) {
      size_t at = parts[i].find('=');
      std::string key = ToLower(Trim(parts[i].substr(0, at)));
      std::string_view value =
          at == std::string_view::npos ? std::string_view() : Trim(parts[i].substr(at + 1));
      if (key == "secure") cookie.secure = true;
      if (key == "path" && value.starts_with('/')) cookie.path = std::string(value);
      if (key == "max-age") deleted = ParseInt(value).value_or(1) <= 0;
      if (key == "expires") deleted = deleted || LongAgo(value);
      if (key == "domain" && !value.empty()) {
        cookie.domain = ToLower(value.starts_with('.') ? value.substr(1) : value);
        cookie.host_only = false;
        foreign = !DomainMatches(place.host, cookie.domain);
      }
    }
    if (!foreign) Put(std::move(cookie), deleted);
  }
}

std::string CookieJar::For(std::string_view url) const {
  const Place place = PlaceOf(url);
  std::string header;
  for (const Cookie& c : cookies_) {
    bool here = c.host_only ? place.host == c.domain : DomainMatches(place.host, c.domain);
    if (!here || !PathMatches(place.path, c.path) || (c.secure && !place.secure)) continue;
    if (!header.empty()) header += "; ";
    header += StrCat(c.name, "=", c.value);
  }
  return header;
}

const std::string* CookieJar::Find(std::string_view name) const {
  for (const Cookie& c : cookies_) {
    if (c.name == name) return &c.value;
  }
  return nullptr;
}

}  // namespace rollguard::probe
