// SPDX-License-Identifier: Apache-2.0
// Requests that prove who asks, as analysis templates say it: basic, or an OAuth 2 token of the
// client credentials grant that is fetched when it is needed and kept until it nearly ends.
// Belongs to the deciding thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/ports/http_client.h"
#include "agent/spec/analysis_template.h"

namespace rollguard::app {

class TokenDesk {
 public:
  // Both outlive this.
  TokenDesk(HttpClient& http, const Clock& clock) : http_(http), clock_(clock) {}

  // The value of the Authorization header. Those who ask at once share one request.
  using Heard = std::function<void(Expected<std::string>)>;
  void Ask(const spec::Authentication::OAuth2& who, bool insecure, Heard heard);

 private:
  struct Entry {
    std::string value;
    Time until{};
    bool under_way = false;
    std::vector<Heard> waiting;
  };
  void Hear(Entry& entry, const std::string& url, const Expected<HttpResponse>& response);

  HttpClient& http_;
  const Clock& clock_;
  std::map<std::string, std::shared_ptr<Entry>> entries_;
};

// Passes requests on with the proof added.
class AuthorizedHttp : public HttpClient {
 public:
  // Client and desk outlive this; `insecure` is for the token's server.
  AuthorizedHttp(HttpClient& inner, TokenDesk& desk, spec::Authentication who, bool insecure);

  HttpId Send(HttpRequest request, HttpDone done) override;
  HttpId Stream(HttpRequest request, HttpStream stream) override;
  void Cancel(HttpId id) override;

 private:
  void Pass(HttpId id, HttpRequest request, HttpDone done);

  HttpClient& inner_;
  TokenDesk& desk_;
  spec::Authentication who_;
  bool insecure_;
  HttpId next_ = 1;
  std::map<HttpId, HttpId> inner_ids_;  // 0: waits for a token
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace rollguard::app
