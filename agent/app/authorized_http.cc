// SPDX-License-Identifier: Apache-2.0
#include "agent/app/authorized_http.h"

#include <algorithm>

#include "agent/base/json.h"
#include "agent/base/text.h"

namespace rollguard::app {
namespace {

constexpr Duration kEarly = std::chrono::seconds(30);  // a token is renewed so long before its end
constexpr Duration kUsual = std::chrono::minutes(5);   // of tokens that do not say when they end
constexpr size_t kMaxAnswer = 64 << 10;

std::string Basic(const std::string& user, const std::string& password) {
  return StrCat("Basic ", Base64Encode(StrCat(user, ":", password)));
}

std::string FormEncode(std::string_view text) {
  std::string out;
  for (char ch : text) {
    const bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                       (ch >= '0' && ch <= '9') || ch == '-' || ch == '_' || ch == '.';
    out += plain ? std::string(1, ch) : Format("%%%02X", static_cast<unsigned char>(ch));
  }
  return out;
}

HttpRequest TokenRequest(const spec::Authentication::OAuth2& who, bool insecure) {
  HttpRequest request;
  request.method = "POST";
  request.url = who.token_url;
  request.max_body = kMaxAnswer;
  request.headers = {
      {"Content-Type", "application/x-www-form-urlencoded"},
      {"Accept", "application/json"},
      {"Authorization", Basic(FormEncode(who.client_id), FormEncode(who.client_secret))}};
  request.body = "grant_type=client_credentials";
  if (!who.scopes.empty()) request.body += StrCat("&scope=", FormEncode(Join(who.scopes, " ")));
  if (insecure) {
    auto tls = std::make_shared<TlsOptions>();
    tls->insecure = true;
    request.tls = std::move(tls);
  }
  return request;
}

}  // namespace

void TokenDesk::Ask(const spec::Authentication::OAuth2& who, bool insecure, Heard heard) {
  std::shared_ptr<Entry>& entry = entries_[StrCat(who.token_url, "\n", who.client_id, "\n",
                                                  who.client_secret, "\n", Join(who.scopes, " "))];
  if (entry == nullptr) entry = std::make_shared<Entry>();
  if (!entry->value.empty() && clock_.Now() < entry->until) {
    heard(entry->value);
    return;
  }
  entry->waiting.push_back(std::move(heard));
  if (entry->under_way) return;
  entry->under_way = true;
  http_.Send(TokenRequest(who, insecure), [this, weak = std::weak_ptr(entry), url = who.token_url](
                                              const Expected<HttpResponse>& response) {
    if (auto held = weak.lock()) Hear(*held, url, response);
  });
}

void TokenDesk::Hear(Entry& entry, const std::string& url, const Expected<HttpResponse>& response) {
  entry.under_way = false;
  Expected<std::string> value = Error(ErrorCode::kUnauthenticated, "");
  if (!response) {
    value = response.error();
  } else {
    auto body = ParseJson(response->body);
    const std::string token = body ? body->At("access_token").Str() : std::string();
    if (response->status < 200 || response->status >= 300 || token.empty()) {
      value = Error(ErrorCode::kUnauthenticated,
                    StrCat("the token server ", url, " answered ", response->status,
                           token.empty() ? " without an access token" : ""));
    } else {
      const int64_t seconds = std::min<int64_t>(body->At("expires_in").IntOr(0), INT32_MAX);
      const Duration lasts = seconds > 0 ? Duration(std::chrono::seconds(seconds)) : kUsual;
      entry.value = StrCat("Bearer ", token);
      entry.until = clock_.Now() + std::max(Duration(0), lasts - kEarly);
      value = entry.value;
    }
  }
  std::vector<Heard> waiting = std::move(entry.waiting);
  entry.waiting.clear();
  for (Heard& heard : waiting) heard(value);
}

AuthorizedHttp::AuthorizedHttp(HttpClient& inner, TokenDesk& desk, spec::Authentication who,
                               bool insecure)
    : inner_(inner), desk_(desk), who_(std::move(who)), insecure_(insecure) {}

HttpId AuthorizedHttp::Send(HttpRequest request, HttpDone done) {
  const HttpId id = next_++;
  inner_ids_[id] = 0;
  if (who_.basic) {
    request.headers.emplace_back("Authorization",
                                 Basic(who_.basic->username, who_.basic->password));
  }
  if (!who_.oauth2) {
    Pass(id, std::move(request), std::move(done));
    return id;
  }
  desk_.Ask(*who_.oauth2, insecure_,
            [this, id, alive = std::weak_ptr(alive_), request = std::move(request),
             done = std::move(done)](Expected<std::string> value) mutable {
              if (alive.expired() || !inner_ids_.contains(id)) return;
              if (!value) {
                inner_ids_.erase(id);
                done(value.error());
                return;
              }
              request.headers.emplace_back("Authorization", *value);
              Pass(id, std::move(request), std::move(done));
            });
  return id;
}

void AuthorizedHttp::Pass(HttpId id, HttpRequest request, HttpDone done) {
  const HttpId inner =
      inner_.Send(std::move(request), [this, id, alive = std::weak_ptr(alive_),
                                       done = std::move(done)](Expected<HttpResponse> response) {
        if (alive.expired()) return;
        inner_ids_.erase(id);
        done(std::move(response));
      });
  if (auto found = inner_ids_.find(id); found != inner_ids_.end()) found->second = inner;
}

// Nothing that is measured is a stream.
HttpId AuthorizedHttp::Stream(HttpRequest, HttpStream stream) {
  stream.done(Error(ErrorCode::kInvalid, "streams are not asked for here"));
  return 0;
}

void AuthorizedHttp::Cancel(HttpId id) {
  auto found = inner_ids_.find(id);
  if (found == inner_ids_.end()) return;
  if (found->second != 0) inner_.Cancel(found->second);
  inner_ids_.erase(found);
}

}  // namespace rollguard::app
