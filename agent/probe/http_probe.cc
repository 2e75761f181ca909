// SPDX-License-Identifier: Apache-2.0
#include <re2/re2.h>

#include "agent/base/text.h"
#include "agent/probe/conversation.h"

namespace rollguard::probe {
namespace {

constexpr size_t kExcerpt = 160;

Error BadPattern(std::string_view pattern) {
  return {ErrorCode::kInvalid,
          StrCat(Quote(pattern), " is no status pattern; write 200, 2xx or 200-299")};
}

class HttpConversation final : public Conversation {
 public:
  explicit HttpConversation(HttpProbe probe) : probe_(std::move(probe)) {}

  Turn Begin() override {
    HttpRequest request = ProbeHttp(probe_.method, probe_.url, probe_.insecure);
    for (const auto& [name, value] : probe_.headers) request.headers.emplace_back(name, value);
    request.body = probe_.body;
    return request;
  }

  Turn Hear(const Expected<HttpResponse>& response, HttpFailure failure,
            Duration elapsed) override {
    if (!response) return NoAnswer(response.error(), failure, elapsed);
    auto expected = MatchesAnyStatus(probe_.expect_status, response->status);
    if (!expected) return ProbeAnswer::Unknown(expected.error().message);
    if (!*expected) return WrongStatus(*response, Join(probe_.expect_status, ", "), elapsed);
    if (!probe_.expect_body.empty()) {
      RE2 wanted(probe_.expect_body, RE2::Quiet);
      if (!wanted.ok()) {
        return ProbeAnswer::Unknown(
            StrCat("expectBody is no regular expression: ", wanted.error()));
      }
      if (!RE2::PartialMatch(response->body, wanted)) {
        return ProbeAnswer::Fail(
            ProbeFault::kContent, elapsed,
            StrCat("answered ", response->status, ", but the body does not match ",
                   Quote(probe_.expect_body), ": ",
                   response->body.empty() ? "it is empty" : Excerpt(response->body)));
      }
    }
    return ProbeAnswer::Pass(
        elapsed, StrCat("answered ", response->status, " in ", FormatGoDuration(elapsed)));
  }

 private:
  HttpProbe probe_;
};

}  // namespace

std::unique_ptr<Conversation> MakeHttpConversation(HttpProbe probe) {
  return std::make_unique<HttpConversation>(std::move(probe));
}

HttpRequest ProbeHttp(std::string method, std::string url, bool insecure) {
  HttpRequest request;
  request.method = std::move(method);
  request.url = std::move(url);
  request.fresh_connection = true;
  request.max_body = kMaxBody;
  if (insecure) {
    TlsOptions anyone;
    anyone.insecure = true;
    request.tls = std::make_shared<const TlsOptions>(std::move(anyone));
  }
  return request;
}

Expected<bool> MatchesStatus(std::string_view pattern, int status) {
  pattern = Trim(pattern);
  if (pattern.size() == 3 && pattern[0] >= '1' && pattern[0] <= '5' &&
      EqualsIgnoreCase(pattern.substr(1), "xx")) {
    return status / 100 == pattern[0] - '0';
  }
  size_t dash = pattern.find('-');
  auto from = ParseInt(pattern.substr(0, dash));
  auto to = dash == std::string_view::npos ? from : ParseInt(pattern.substr(dash + 1));
  if (!from || !to || *from < 100 || *to > 999 || *from > *to) return BadPattern(pattern);
  return status >= *from && status <= *to;
}

Expected<bool> MatchesAnyStatus(const std::vector<std::string>& patterns, int status) {
  bool any = false;
  for (const std::string& pattern : patterns) {
    auto matches = MatchesStatus(pattern, status);
    if (!matches) return matches.error();
    any = any || *matches;
  }
  return any;
}

ProbeAnswer NoAnswer(const Error& error, HttpFailure failure, Duration elapsed) {
  auto fail = [&](ProbeFault fault) {
    return ProbeAnswer::Fail(fault, elapsed, Abbreviate(error.message, 400));
  };
  switch (failure) {
    case HttpFailure::kName: return fail(ProbeFault::kName);
    case HttpFailure::kConnect: return fail(ProbeFault::kRefused);
    case HttpFailure::kBroken: return fail(ProbeFault::kReset);
    case HttpFailure::kTimeout: return fail(ProbeFault::kTimeout);
    case HttpFailure::kTls: return fail(ProbeFault::kTls);
    case HttpFailure::kNotHttp: return fail(ProbeFault::kProtocol);
    case HttpFailure::kTooLarge: return fail(ProbeFault::kTooLarge);
    case HttpFailure::kNone: break;
  }
  // The client did not say, or it refused the request before it was sent.
  if (error.code == ErrorCode::kTimeout) return fail(ProbeFault::kTimeout);
  if (error.code == ErrorCode::kUnavailable) return fail(ProbeFault::kReset);
  return ProbeAnswer::Unknown(Abbreviate(error.message, 400));
}

ProbeAnswer WrongStatus(const HttpResponse& response, std::string_view expected, Duration elapsed) {
  if (response.status / 100 == 3 && !response.Header("location").empty()) {
    return ProbeAnswer::Fail(
        ProbeFault::kRedirect, elapsed,
        StrCat("answered ", response.status, " to ",
               Quote(Abbreviate(response.Header("location"), 200)),
               ": redirects are not followed; ask the target itself, or expect this status"));
  }
  std::string excerpt = Excerpt(response.body);
  return ProbeAnswer::Fail(response.status >= 500 ? ProbeFault::kServer : ProbeFault::kStatus,
                           elapsed,
                           StrCat("answered ", response.status, ", expected ", expected,
                                  excerpt.empty() ? std::string() : StrCat(": ", excerpt)));
}

std::string Excerpt(std::string_view body) {
  std::string_view text = Trim(body);
  if (text.empty()) return {};
  return Quote(Abbreviate(text, kExcerpt));
}

}  // namespace rollguard::probe
