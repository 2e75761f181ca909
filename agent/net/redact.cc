// SPDX-License-Identifier: Apache-2.0
#include "agent/net/redact.h"

#include <algorithm>
#include <array>

#include "agent/base/text.h"
#include "agent/net/url_parts.h"

namespace rollguard::net {
namespace {

constexpr size_t kShortest = 4;
// A path's parts are hidden alone only when no word of an ordinary sentence is so long.
constexpr size_t kShortestPart = 8;
constexpr size_t kMostText = 1U << 20;  // of an answer that is looked through

void AddCredentials(std::string_view value, std::vector<std::string>& out) {
  out.emplace_back(value);
  const size_t space = value.find(' ');
  if (space == std::string_view::npos) return;
  const std::string_view rest = Trim(value.substr(space + 1));
  out.emplace_back(rest);
  if (!EqualsIgnoreCase(value.substr(0, space), "basic")) return;
  auto pair = Base64Decode(rest);
  if (!pair) return;
  const size_t colon = pair->find(':');
  if (colon != std::string::npos) out.push_back(pair->substr(colon + 1));
  out.push_back(std::move(*pair));
}

void AddUrl(const HttpRequest& request, std::vector<std::string>& out) {
  const std::string_view url = request.url;
  const size_t scheme = url.find("://");
  const size_t host = scheme == std::string_view::npos ? 0 : scheme + 3;
  const size_t path = std::min(url.find_first_of("/?", host), url.size());
  const size_t at = url.substr(host, path - host).rfind('@');
  if (at != std::string_view::npos) {
    const std::string_view user = url.substr(host, at);
    out.emplace_back(user);
    const size_t colon = user.find(':');
    if (colon != std::string_view::npos) out.emplace_back(user.substr(colon + 1));
  }
  const size_t query = std::min(url.find('?', path), url.size());
  for (std::string_view pair : Split(url.substr(std::min(query + 1, url.size())), '&')) {
    const size_t equals = pair.find('=');
    if (equals != std::string_view::npos && NamesSecret(pair.substr(0, equals)))
      out.emplace_back(pair.substr(equals + 1));
  }
  if (!request.secret_url) return;
  out.emplace_back(url);
  if (path + 1 < url.size()) out.emplace_back(url.substr(path + 1));
  for (std::string_view part : Split(url.substr(path, query - path), '/')) {
    if (part.size() >= kShortestPart) out.emplace_back(part);
  }
}

}  // namespace

bool NamesSecret(std::string_view name) {
  static constexpr std::array<std::string_view, 9> kWords = {
      "token", "secret", "password", "passwd", "pwd", "key", "signature", "auth", "cookie"};
  const std::string lower = ToLower(name);
  return lower == "sig" || std::any_of(kWords.begin(), kWords.end(), [&](std::string_view word) {
           return lower.find(word) != std::string::npos;
         });
}

std::vector<std::string> SecretsOf(const HttpRequest& request) {
  std::vector<std::string> out;
  for (const auto& [name, value] : request.headers) {
    if (NamesSecret(name)) AddCredentials(value, out);
  }
  AddUrl(request, out);
  std::erase_if(out, [](const std::string& text) { return text.size() < kShortest; });
  // A part must not be cut out of the whole before the whole was looked for.
  std::sort(out.begin(), out.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::string Redact(std::string text, const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) {
    if (text.find(secret) != std::string::npos) text = ReplaceAll(text, secret, "***");
  }
  return text;
}

void RedactAnswer(const HttpRequest& request, HttpResponse& response) {
  const std::string_view type = response.Header("content-type");
  const bool data = type.empty() || type.find("json") != std::string_view::npos;
  if (response.status / 100 == 2 && data) return;
  const std::vector<std::string> secrets = SecretsOf(request);
  if (secrets.empty()) return;
  for (auto& [name, value] : response.headers) value = Redact(std::move(value), secrets);
  // Nobody shows more of an answer than its beginning; a secret cut in two is not one.
  if (response.body.size() <= kMostText) {
    response.body = Redact(std::move(response.body), secrets);
  } else {
    response.body = StrCat(Redact(response.body.substr(0, kMostText), secrets),
                           std::string_view(response.body).substr(kMostText));
  }
}

}  // namespace rollguard::net
