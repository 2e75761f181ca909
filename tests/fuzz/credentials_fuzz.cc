// SPDX-License-Identifier: Apache-2.0
// What proves who we are, and who others are: answers of token servers and credential plugins,
// certificates, and the Authorization header of whoever calls. Nobody gets in without the token.
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/api/identity.h"
#include "agent/app/authorized_http.h"
#include "agent/kube/certificate.h"
#include "agent/kube/credentials.h"

namespace {

using namespace rollguard;

const Time kNow = FromUnixMillis(1'767'225'600'000);
constexpr std::string_view kToken = "s3cret-of-the-caller";

class StillClock final : public Clock {
 public:
  Time Now() const override { return kNow; }
  std::chrono::nanoseconds Monotonic() const override { return std::chrono::hours(1); }
};

class OneAnswer final : public HttpClient {
 public:
  explicit OneAnswer(HttpResponse answer) : answer_(std::move(answer)) {}
  HttpId Send(HttpRequest, HttpDone done) override {
    done(answer_);
    return 1;
  }
  HttpId Stream(HttpRequest, HttpStream) override { return 1; }
  void Cancel(HttpId) override {}

 private:
  HttpResponse answer_;
};

void AskForToken(const StillClock& clock, const std::string& text, int status) {
  HttpResponse response;
  response.status = status;
  response.body = text;
  OneAnswer http(response);
  app::TokenDesk desk(http, clock);
  spec::Authentication::OAuth2 who;
  who.token_url = "https://id/token";
  for (int again = 0; again < 2; ++again) {
    desk.Ask(who, false, [&](const Expected<std::string>& heard) {
      if (heard && (status / 100 != 2 || heard->size() <= std::string_view("Bearer ").size()))
        std::abort();
      if (!heard && heard.error().message.empty()) std::abort();
    });
  }
}

void Enter(const StillClock& clock, const std::string& text) {
  spec::AuthConfig config;
  config.tokens = {{"ci", "ci.token", {"bots"}, {"get"}, {"shop"}}};
  api::Identity identity(config, {.clock = &clock, .read_file = [](const std::string&) {
                                    return Expected<std::string>(std::string(kToken));
                                  }});
  http::Request request;
  request.headers = {{"authorization", text}};
  request.remote_address = "127.0.0.1";
  const bool knows = text.find(kToken) != std::string::npos;
  auto caller = identity.Identify(request);
  if (caller && caller->kind != api::Caller::Kind::kAnonymous && !knows) std::abort();
  if (!caller && caller.error().message.find(kToken) != std::string::npos) std::abort();
  (void)identity.IdentifyWebhook(request);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const StillClock clock;
  AskForToken(clock, text, data[0] % 2 == 0 ? 200 : 100 + 2 * data[0]);
  auto plugin = kube::ParseExecCredential("plugin", text);
  if (plugin ? plugin->token.empty() && plugin->cert_pem.empty() : plugin.error().message.empty())
    std::abort();
  if (kube::CheckClientCertificate(text.substr(0, text.size() / 2), text, kNow)) std::abort();
  (void)kube::CheckCa(text);
  Enter(clock, text);
  return 0;
}
