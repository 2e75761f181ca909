// SPDX-License-Identifier: Apache-2.0
// What a request proves itself with does not come back in what is said about it.
#include "agent/net/redact.h"

#include "agent/base/text.h"
#include "tests/net/http_fixture.h"
#include "tests/support/tiny_server.h"

namespace rollguard::net {
namespace {

TEST_CASE("the secrets of a request, whole and in parts") {
  struct Row {
    std::string name;
    HttpRequest request;
    std::string text, want;
  };
  auto with = [](std::string url, HttpHeaders headers, bool secret_url = false) {
    HttpRequest request;
    request.url = std::move(url);
    request.headers = std::move(headers);
    request.secret_url = secret_url;
    return request;
  };
  const std::string basic = Base64Encode("alice:wonderland");
  for (const Row& row : std::vector<Row>{
           {"bearer", with("http://h/", {{"Authorization", "Bearer tok-1234"}}),
            "no Authorization: Bearer tok-1234, nor tok-1234", "no Authorization: ***, nor ***"},
           {"basic", with("http://h/", {{"authorization", StrCat("Basic ", basic)}}),
            StrCat(basic, " is alice:wonderland or wonderland, of alice"),
            "*** is *** or ***, of alice"},
           {"key header", with("http://h/", {{"X-Api-Key", "k-55555"}, {"X-Scope-OrgID", "blue"}}),
            "key k-55555 of blue", "key *** of blue"},
           {"user of the URL", with("http://bob:builder@h/a", {}), "bob:builder, builder",
            "***, ***"},
           {"parameter", with("http://h/a?token=s3cret&x=plain", {}), "s3cret plain", "*** plain"},
           {"path, hidden", with("https://h/services/T000/longenough", {}, true),
            "no /services/T000/longenough; longenough", "no /***; ***"},
           {"path, open", with("https://h/services/T000/longenough", {}), "longenough",
            "longenough"},
           {"too short", with("http://h/", {{"Authorization", "abc"}}), "abc", "abc"},
           {"nothing", with("http://h/", {}), "text", "text"},
       }) {
    INFO(row.name);
    CHECK(Redact(row.text, SecretsOf(row.request)) == row.want);
  }
}

TEST_CASE_METHOD(NetFixture, "a server that repeats the request's head is not repeated") {
  testing::TinyServer server([](const testing::TinyRequest& r, testing::TinyConnection& c) {
    const bool json = r.Path() == "/json";
    c.Respond(r.Path() == "/refused" ? 401 : 200, StrCat("you said ", r.Header("authorization")),
              {{"Content-Type", json ? "application/json" : "text/plain"},
               {"X-Said", r.Header("authorization")}});
  });
  for (const char* path : {"/refused", "/page", "/json"}) {
    INFO(path);
    HttpRequest request = Get(server.Url(path));
    request.headers = {{"Authorization", "Bearer tok-1234"}};
    auto answer = Fetch(client, std::move(request));
    REQUIRE(answer.ok());
    // What an API answers well is data, and left alone.
    const bool hidden = std::string(path) != "/json";
    CHECK(answer->body == (hidden ? "you said ***" : "you said Bearer tok-1234"));
    CHECK((answer->Header("x-said") == "***") == hidden);
  }
}

}  // namespace
}  // namespace rollguard::net
