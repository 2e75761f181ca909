// SPDX-License-Identifier: Apache-2.0
#include "agent/net/curl_client.h"

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "agent/base/text.h"
#include "tests/net/http_fixture.h"
#include "tests/support/tiny_server.h"

namespace rollguard::net {
namespace {

using testing::TinyConnection;
using testing::TinyRequest;
using testing::TinyServer;

TEST_CASE_METHOD(NetFixture, "a request goes out as written and its answer comes back whole") {
  TinyServer server([](const TinyRequest& r, TinyConnection& c) {
    c.Respond(201,
              StrCat(r.method, " ", r.target, " [", r.body, "] x=", r.Header("x-a"),
                     " type=", r.Header("content-type"), " expect=", r.Header("expect"),
                     " agent=", r.Header("user-agent")),
              {{"X-Answer", "yes"}});
  });
  HttpRequest request = Get(server.Url("/p/a?q=1"));
  request.method = "PATCH";
  request.body = "{}";
  request.headers = {{"X-A", "b"}};
  auto answer = Fetch(client, request);
  REQUIRE(answer.ok());
  CHECK(answer->status == 201);
  CHECK(answer->body == "PATCH /p/a?q=1 [{}] x=b type= expect= agent=rollguard");
  CHECK(answer->Header("x-answer") == "yes");
}

TEST_CASE_METHOD(NetFixture, "methods and bodies") {
  struct Row {
    std::string method, body, want;
  };
  TinyServer server([](const TinyRequest& r, TinyConnection& c) {
    std::string said = StrCat(r.method, " ", r.Header("content-length"), " ", r.body);
    r.method == "HEAD" ? c.Write("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
                       : c.Respond(200, said);
  });
  for (const Row& row : std::vector<Row>{{"GET", "", "GET  "},
                                         {"POST", "", "POST 0 "},
                                         {"POST", "ab", "POST 2 ab"},
                                         {"PUT", "abc", "PUT 3 abc"},
                                         {"DELETE", "", "DELETE  "},
                                         {"DELETE", "{}", "DELETE 2 {}"},
                                         {"HEAD", "", ""}}) {
    INFO(row.method << " " << row.body);
    HttpRequest request = Get(server.Url("/"));
    request.method = row.method;
    request.body = row.body;
    auto answer = Fetch(client, request);
    REQUIRE(answer.ok());
    CHECK(answer->body == row.want);
  }
  CHECK(server.connections() == 1);
}

TEST_CASE_METHOD(NetFixture, "statuses of all kinds are answers, redirects are not followed") {
  TinyServer server([](const TinyRequest& r, TinyConnection& c) {
    c.Respond(static_cast<int>(*ParseInt(r.target.substr(1))), "x", {{"Location", "/200"}});
  });
  for (int status : {200, 204, 301, 302, 307, 401, 404, 429, 500, 503}) {
    auto answer = Fetch(client, Get(server.Url(StrCat("/", status))));
    REQUIRE(answer.ok());
    CHECK(answer->status == status);
  }
}

TEST_CASE_METHOD(NetFixture, "a long body fails at the cap, announced or not") {
  std::string block(1 << 20, 'x');
  std::atomic<int> sent{0};
  TinyServer server([&](const TinyRequest& r, TinyConnection& c) {
    if (r.target == "/announced") {
      c.Write(StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", 200 << 20, "\r\n\r\n"));
    } else {
      c.StartChunked(200);
    }
    for (int i = 0; i < 200; ++i) {
      if (!(r.target == "/announced" ? c.Write(block) : c.Chunk(block))) break;
      ++sent;
    }
    c.Close();
  });
  for (const char* path : {"/announced", "/chunked"}) {
    sent = 0;
    HttpRequest request = Get(server.Url(path));
    request.max_body = 2 << 20;
    auto answer = Fetch(client, request);
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.error().code == ErrorCode::kTooLarge);
    CHECK(
        answer.error().message ==
        StrCat("GET ", server.Url(path), ": the answer is longer than the limit of 2097152 bytes"));
    CHECK(sent < 100);
  }
}

TEST_CASE_METHOD(NetFixture, "a body of 200 MB is taken when the cap allows it") {
  std::string block(1 << 20, 'x');
  TinyServer server([&](const TinyRequest&, TinyConnection& c) {
    c.StartChunked(200);
    for (int i = 0; i < 200; ++i) c.Chunk(block);
    c.EndChunks();
  });
  HttpRequest request = Get(server.Url("/"));
  request.max_body = 300U << 20;
  auto answer = Fetch(client, request);
  REQUIRE(answer.ok());
  CHECK(answer->body.size() == 200U << 20);
}

TEST_CASE_METHOD(NetFixture, "a gzip bomb meets the cap on its decoded size") {
  // 16384 zero bytes.
  const std::string gz =
      *Base64Decode("H4sIAAAAAAAC/+3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA");
  TinyServer server([&](const TinyRequest& r, TinyConnection& c) {
    c.Respond(200, gz, {{"Content-Encoding", "gzip"}, {"X-Accept", r.Header("accept-encoding")}});
  });
  HttpRequest request = Get(server.Url("/"));
  request.accept_gzip = true;
  auto whole = Fetch(client, request);
  REQUIRE(whole.ok());
  CHECK(whole->body.size() == 16384);
  CHECK(whole->Header("x-accept") == "gzip");
  request.max_body = 10000;
  auto capped = Fetch(client, request);
  REQUIRE_FALSE(capped.ok());
  CHECK(capped.error().code == ErrorCode::kTooLarge);
}

TEST_CASE_METHOD(NetFixture, "broken answers are explained") {
  struct Row {
    std::string wire;
    ErrorCode code;
    std::string says;
  };
  std::string endless = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 40; ++i) {
    endless += StrCat("X-", i, ": ", std::string(10000, 'h'), "\r\n");
  }
  const std::vector<Row> rows = {
      {"", ErrorCode::kUnavailable, "the server closed the connection without an answer"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", ErrorCode::kUnavailable,
       "the answer was cut short after 3 bytes"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
       ErrorCode::kUnavailable, "the answer was cut short after 5 bytes"},
      {"SSH-2.0-OpenSSH_9.2\r\n", ErrorCode::kUnavailable,
       "the answer is not HTTP (received HTTP/0.9"},
      {endless, ErrorCode::kTooLarge, "headers are longer than"},
  };
  for (const Row& row : rows) {
    INFO(row.says);
    TinyServer server([&](const TinyRequest&, TinyConnection& c) {
      c.Write(row.wire);
      c.Close();
    });
    auto answer = Fetch(client, Get(server.Url("/x")));
    REQUIRE_FALSE(answer.ok());
    INFO(answer.error().message);
    CHECK(answer.error().code == row.code);
    CHECK(answer.error().message.starts_with(StrCat("GET ", server.Url("/x"), ": ")));
    CHECK(answer.error().message.find(row.says) != std::string::npos);
  }
}

TEST_CASE_METHOD(NetFixture, "a server that never answers meets the timeout") {
  TinyServer server([](const TinyRequest& r, TinyConnection& c) {
    if (r.target == "/half") c.Write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    c.AwaitClose();
  });
  HttpRequest request = Get(server.Url("/silent"));
  request.timeout = Duration(50);
  auto silent = Fetch(client, request);
  REQUIRE_FALSE(silent.ok());
  CHECK(silent.error().code == ErrorCode::kTimeout);
  CHECK(silent.error().message == StrCat("GET ", server.Url("/silent"), ": no answer within 50ms"));

  HttpStream stream;
  auto [done, ended] = Promised<Expected<HttpResponse>>();
  stream.done = done;
  stream.idle_timeout = Duration(50);
  request = Get(server.Url("/half"));
  request.timeout = Duration(0);
  client.Stream(request, stream);
  auto idle = Await(std::move(ended));
  REQUIRE_FALSE(idle.ok());
  CHECK(idle.error().message == StrCat("GET ", server.Url("/half"), ": nothing came for 50ms"));
}

TEST_CASE_METHOD(NetFixture, "requests that cannot be sent are refused by name") {
  struct Row {
    HttpRequest request;
    std::string want;
  };
  HttpRequest with_break = Get("http://a/");
  with_break.headers = {{"Authorization", "Bearer secret\n"}};
  HttpRequest odd_method = Get("http://a/");
  odd_method.method = "GET /";
  const std::vector<Row> rows = {
      {Get(""), "GET : the URL must begin with http:// or https://"},
      {Get("ftp://a/b"), "GET ftp://a/b: the URL must begin with http:// or https://"},
      {Get("http:///b"), "GET http:///b: the URL names no host"},
      {Get("http://a/b c"), "GET http://a/b c: the URL holds a blank or control character"},
      {odd_method, "GET / http://a/: the method is not a word"},
      {with_break,
       "GET http://a/: the value of header Authorization holds a line break "
       "(does a secret file end in one?)"},
  };
  for (const Row& row : rows) {
    auto answer = Fetch(client, row.request);
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.error().code == ErrorCode::kInvalid);
    CHECK(answer.error().message == row.want);
  }
}

TEST_CASE_METHOD(NetFixture, "nobody listens") {
  int port;
  {
    TinyServer gone([](const TinyRequest&, TinyConnection&) {});
    port = gone.port();
  }
  std::string url = StrCat("http://127.0.0.1:", port, "/x");
  auto answer = Fetch(client, Get(StrCat(url, "?token=abc&b=1")));
  REQUIRE_FALSE(answer.ok());
  CHECK(answer.error().code == ErrorCode::kUnavailable);
  CHECK(answer.error().retryable);
  CHECK(answer.error().message.starts_with(
      StrCat("GET ", url, "?token=***&b=1: cannot connect to 127.0.0.1:", port)));
}

TEST_CASE("URLs are shown without their secrets") {
  struct Row {
    std::string url, want;
  };
  for (const Row& row : std::vector<Row>{
           {"http://u:p@h:1/a?b=c", "http://h:1/a?b=c"},
           {"http://u:p@ss@h/a", "http://h/a"},
           {"http://h/a@b", "http://h/a@b"},
           {"https://h?access_token=1&x=2&sig=3&signal=4",
            "https://h?access_token=***&x=2&sig=***&signal=4"},
           {"https://h/a?key=AIza123&pwd=x", "https://h/a?key=***&pwd=***"},
           {"https://h/a#frag?token=1", "https://h/a"},
       }) {
    CHECK(SafeUrl(row.url) == row.want);
  }
}

// The server answers only when all of them are in: were fewer sent at once, none would end.
TEST_CASE_METHOD(NetFixture, "500 requests run side by side on one thread") {
  constexpr int kMany = 500;
  std::mutex mutex;
  std::condition_variable all_in;
  int waiting = 0;
  TinyServer server([&](const TinyRequest&, TinyConnection& c) {
    {
      std::unique_lock lock(mutex);
      if (++waiting == kMany) all_in.notify_all();
      all_in.wait_for(lock, kPatience, [&] { return waiting >= kMany; });
    }
    c.Respond(200, "ok");
  });
  std::vector<std::future<Expected<HttpResponse>>> answers;
  for (int i = 0; i < kMany; ++i) {
    auto [done, answer] = Promised<Expected<HttpResponse>>();
    client.Send(Get(server.Url("/")), done);
    answers.push_back(std::move(answer));
  }
  int good = 0;
  for (auto& answer : answers) good += Await(std::move(answer)).ok() ? 1 : 0;
  CHECK(good == kMany);
}

TEST_CASE_METHOD(NetFixture, "a group never has more than its limit under way") {
  std::atomic<int> now{0};
  std::atomic<int> most{0};
  TinyServer server([&](const TinyRequest&, TinyConnection& c) {
    int mine = ++now;
    int seen = most;
    while (mine > seen && !most.compare_exchange_weak(seen, mine)) {
    }
    --now;
    c.Respond(200, "ok");
  });
  std::vector<std::future<Expected<HttpResponse>>> answers;
  for (int i = 0; i < 60; ++i) {
    HttpRequest request = Get(server.Url("/"));
    request.group = "prometheus";
    request.max_parallel = 3;
    auto [done, answer] = Promised<Expected<HttpResponse>>();
    client.Send(request, done);
    answers.push_back(std::move(answer));
  }
  for (auto& answer : answers) CHECK(Await(std::move(answer)).ok());
  CHECK(most <= 3);
  CHECK(server.connections() <= 3);
}

TEST_CASE_METHOD(NetFixture, "who waits half its time for a place in the group is not sent out") {
  std::atomic<int> seen = 0;
  TinyServer server([&](const TinyRequest&, TinyConnection& c) {
    ++seen;
    c.AwaitClose();
  });
  HttpRequest request = Get(server.Url("/"));
  request.group = "g";
  request.max_parallel = 1;
  HttpId first = client.Send(request, [](Expected<HttpResponse>) {});
  request.timeout = Duration(50);
  auto second = Fetch(client, request);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().message ==
        StrCat("GET ", server.Url("/"), R"(: waited 25ms for one of the 1 connections of "g")"));
  CHECK(seen <= 1);
  client.Cancel(first);
}

TEST_CASE_METHOD(NetFixture, "a unix socket") {
  std::string path = StrCat("/tmp/rollguard-net-", getpid(), ".sock");
  testing::TinyOptions options;
  options.unix_socket = path;
  TinyServer server([](const TinyRequest& r, TinyConnection& c) { c.Respond(200, r.target); },
                    options);
  HttpRequest request = Get("http://local/a");
  request.unix_socket = path;
  auto answer = Fetch(client, request);
  REQUIRE(answer.ok());
  CHECK(answer->body == "/a");
}

TEST_CASE_METHOD(NetFixture, "a proxy is used when one is named, for loopback too") {
  TinyServer proxy(
      [](const TinyRequest& r, TinyConnection& c) { c.Respond(200, "via " + r.target); });
  HttpRequest request = Get("http://127.0.0.1:9/x");
  request.proxy = proxy.Url();
  auto answer = Fetch(client, request);
  REQUIRE(answer.ok());
  CHECK(answer->body == "via http://127.0.0.1:9/x");
}

}  // namespace
}  // namespace rollguard::net
