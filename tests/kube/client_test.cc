// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/client.h"

#include <atomic>
#include <mutex>

#include "agent/kube/discovery.h"
#include "tests/kube/kube_fixture.h"
#include "tests/support/certificates.h"

namespace rollguard::kube {
namespace {

using testing::TinyConnection;
using testing::TinyRequest;
using testing::TinyServer;

TEST_CASE_METHOD(KubeFixture, "a call carries identity and body, and its answer is an object") {
  TinyServer server([](const TinyRequest& r, TinyConnection& c) {
    c.Respond(
        200,
        Json::Obj({{"kind", "Pod"},
                   {"seen", StrCat(r.method, " ", r.target, " ", r.body, " ",
                                   r.Header("authorization"), " ", r.Header("accept"), " ",
                                   r.Header("user-agent"), " ", r.Header("impersonate-user"))}})
            .Dump());
  });
  ClusterConfig config;
  config.server = server.Url();
  config.token = "secret";
  config.impersonate_user = "jane";
  auto client = Connect(config);
  ClusterRequest request = GetPod();
  request.verb = Verb::kPatch;
  request.body = Json::Obj({{"a", 1}});
  auto answer = Call(*client, request);
  REQUIRE(answer.ok());
  CHECK(answer->At("seen").Str() ==
        "PATCH /api/v1/namespaces/shop/pods/p?fieldManager=rollguard {\"a\":1} Bearer secret "
        "application/json rollguard jane");
}

TEST_CASE_METHOD(KubeFixture, "a list names its items and drops what is projected away") {
  TinyServer server([](const TinyRequest& r, TinyConnection& c) {
    c.Respond(200, r.Query("continue").empty()
                       ? R"({"kind":"PodList","metadata":{"continue":"c1","resourceVersion":"7"},)"
                         R"("items":[{"metadata":{"name":"a","managedFields":[1]}}]})"
                       : R"({"kind":"PodList","metadata":{"resourceVersion":"7"},"items":null})");
  });
  auto client = Connect(server);
  ClusterRequest request;
  request.verb = Verb::kList;
  request.type = resources::Pods();
  request.projection = std::make_shared<Projection>();
  auto page = Call(*client, request);
  REQUIRE(page.ok());
  CHECK(page->At("items").Dump() ==
        R"([{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}])");
  request.continue_token = page->At("metadata", "continue").Str();
  auto last = Call(*client, request);
  REQUIRE(last.ok());
  CHECK(last->At("items").Dump() == "[]");
}

TEST_CASE_METHOD(KubeFixture, "what is no Kubernetes answer becomes a clear error") {
  struct Row {
    int status;
    std::string type, body;
    ErrorCode code;
    std::string message;
  };
  for (const Row& row : std::vector<Row>{
           {200, "text/html", "<html><body>login</body></html>", ErrorCode::kUnavailable,
            "get pods shop/p: an HTML page came where JSON was expected; is this the URL of a "
            "Kubernetes API server? (HTTP 200, text/html: \"<html><body>login</body></html>\")"},
           {200, "application/json", R"({"kind":"Po)", ErrorCode::kUnavailable,
            "get pods shop/p: the answer cannot be read: not valid JSON: "},
           {200, "application/json", "[]", ErrorCode::kUnavailable,
            "get pods shop/p: the answer cannot be read: it is no object"},
           {200, "", "", ErrorCode::kUnavailable, "get pods shop/p: the answer cannot be read: "},
           {404, "application/json",
            R"({"kind":"Status","reason":"NotFound","message":"pods \"p\" not found"})",
            ErrorCode::kNotFound, "get pods shop/p: pods \"p\" not found (HTTP 404, NotFound)"}}) {
    TinyServer server([&](const TinyRequest&, TinyConnection& c) {
      c.Respond(row.status, row.body, {{"Content-Type", row.type}});
    });
    auto client = Connect(server);
    auto answer = Call(*client, GetPod());
    REQUIRE_FALSE(answer.ok());
    INFO(answer.error().message);
    CHECK(answer.error().code == row.code);
    CHECK(answer.error().message.starts_with(row.message));
  }
}

TEST_CASE_METHOD(KubeFixture, "a body cut in the middle and one of 200 MB") {
  std::string block(1 << 20, ' ');
  TinyServer server([&](const TinyRequest& r, TinyConnection& c) {
    if (r.Path().ends_with("/cut")) {
      c.Write("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{\"kind\":\"Pod\",");
    } else {
      c.StartChunked(200);
      for (int i = 0; i < 200 && c.Chunk(block); ++i) {
      }
    }
    c.Close();
  });
  KubeOptions options;
  options.max_body = 8U << 20;
  auto client = Connect(server, options);
  ClusterRequest request = GetPod();
  request.name = "cut";
  auto cut = Call(*client, request);
  REQUIRE_FALSE(cut.ok());
  CHECK(cut.error().code == ErrorCode::kUnavailable);
  CHECK(cut.error().message.starts_with(StrCat("get pods shop/cut: GET ",
                                               server.Url("/api/v1/namespaces/shop/pods/cut"),
                                               ": the answer was cut short after 14 bytes")));
  request.name = "huge";
  auto huge = Call(*client, request);
  REQUIRE_FALSE(huge.ok());
  CHECK(huge.error().code == ErrorCode::kTooLarge);
  CHECK(huge.error().message.find("longer than the limit of 8388608 bytes") != std::string::npos);
}

TEST_CASE_METHOD(KubeFixture, "a server of another CA is refused, saying where the CA is from") {
  testing::KeyPair ca = testing::MakeCa("cluster-ca");
  testing::CertificateWish wish;
  wish.common_name = "kube-apiserver";
  wish.addresses = {"127.0.0.1"};
  testing::KeyPair pair = testing::IssueCertificate(ca, wish);
  testing::TinyOptions tls;
  tls.cert_pem = pair.cert_pem;
  tls.key_pem = pair.key_pem;
  TinyServer server([](const TinyRequest&, TinyConnection& c) { c.Respond(200, "{}"); }, tls);
  ClusterConfig config;
  config.server = server.Url();
  config.tls.ca_pem = testing::MakeCa("old-ca").cert_pem;
  config.origin = "context \"dev\" of /home/a/.kube/config";
  auto client = Connect(config);
  auto answer = Call(*client, GetPod());
  REQUIRE_FALSE(answer.ok());
  CHECK(answer.error().code == ErrorCode::kUnavailable);
  CHECK(answer.error().message ==
        StrCat("get pods shop/p: GET ", server.Url("/api/v1/namespaces/shop/pods/p"),
               ": the server's certificate (CN = kube-apiserver), issued by CN = cluster-ca, is "
               "not signed by the given CA (CN = old-ca) (unable to get local issuer "
               "certificate); give the CA that signed it (from context \"dev\" of "
               "/home/a/.kube/config)"));
}

TEST_CASE_METHOD(KubeFixture, "429 is tried again after Retry-After, but not for ever") {
  std::atomic<int> asked{0};
  TinyServer server([&](const TinyRequest& r, TinyConnection& c) {
    bool busy = ++asked <= 2 || r.Path().ends_with("/busy");
    busy ? c.Respond(429, R"({"kind":"Status","message":"busy"})", {{"Retry-After", "1"}})
         : c.Respond(200, R"({"kind":"Pod"})");
  });
  KubeOptions options;
  options.max_retries = 2;
  auto client = Connect(server, options);
  CHECK(Call(*client, GetPod()).ok());
  CHECK(asked == 3);
  ClusterRequest request = GetPod();
  request.name = "busy";
  request.timeout = Duration(500);  // less than Retry-After: given up at once
  auto [done, came] = Promised<Expected<Json>>();
  client->Call(request, done);
  auto busy = Await(std::move(came));
  REQUIRE_FALSE(busy.ok());
  CHECK(busy.error().code == ErrorCode::kThrottled);
  CHECK(busy.error().retry_after == std::chrono::seconds(1));
  CHECK(asked == 4);
}

TEST_CASE_METHOD(KubeFixture, "the client's own limit refuses what could not go out in time") {
  TinyServer server([](const TinyRequest&, TinyConnection& c) { c.Respond(200, "{}"); });
  KubeOptions options;
  options.qps = 0.001;
  options.burst = 1;
  auto client = Connect(server, options);
  CHECK(Call(*client, GetPod()).ok());
  auto refused = Call(*client, GetPod());
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kThrottled);
  CHECK(refused.error().message ==
        "get pods shop/p: the client's own limit of 0.001 calls a second is used up for longer "
        "than 1m0s");
}

TEST_CASE_METHOD(KubeFixture,
                 "an urgent call waits neither for the client's limit nor for a place") {
  std::promise<void> go;
  const std::shared_future<void> free = go.get_future().share();
  TinyServer server([&](const TinyRequest& request, TinyConnection& c) {
    if (request.target.ends_with("/slow")) free.wait();
    c.Respond(200, "{}");
  });
  KubeOptions options;
  options.qps = 0.001;
  options.burst = 1;
  options.max_parallel = 1;
  auto client = Connect(server, options);
  ClusterRequest slow = GetPod();
  slow.name = "slow";
  slow.timeout = kPatience;
  auto [done, answer] = Promised<Expected<Json>>();
  client->Call(slow, done);
  ClusterRequest urgent = GetPod();
  urgent.urgent = true;
  CHECK(Call(*client, urgent).ok());
  CHECK(Call(*client, urgent).ok());
  go.set_value();
  CHECK(Await(std::move(answer)).ok());
}

TEST_CASE_METHOD(KubeFixture, "a rotated token file is read again when the server refuses") {
  TempDir dir;
  std::string file = dir.Write("token", "old\n");
  TinyServer server([&](const TinyRequest& r, TinyConnection& c) {
    if (r.Header("authorization") == "Bearer new") {
      c.Respond(200, "{}");
      return;
    }
    dir.Write("token", "new\n");
    c.Respond(401, R"({"kind":"Status","reason":"Unauthorized","message":"Unauthorized"})");
  });
  ClusterConfig config;
  config.server = server.Url();
  config.token_file = file;
  auto client = Connect(config);
  CHECK(Call(*client, GetPod()).ok());
  CHECK(server.requests() == 2);
}

TEST_CASE_METHOD(KubeFixture, "calls are observed") {
  TinyServer server([](const TinyRequest&, TinyConnection& c) { c.Respond(404, "{}"); });
  auto client = Connect(server);
  std::string seen;
  client->OnCall([&](const KubeCallRecord& record) {
    seen = StrCat(record.verb, " ", record.resource, " ", record.code);
  });
  CHECK_FALSE(Call(*client, GetPod()).ok());
  CHECK(seen == "get pods 404");
}

TEST_CASE("the client's destructor calls nothing") {
  testing::RealClock clock;
  net::CurlClient http(clock);
  std::promise<void> arrived;
  TinyServer server([&](const TinyRequest&, TinyConnection& c) {
    arrived.set_value();
    c.AwaitClose();
  });
  std::atomic<int> called{0};
  {
    ClusterConfig config;
    config.server = server.Url();
    KubeClient client(config, http, http, clock);
    client.Call(KubeFixture::GetPod(), [&](Expected<Json>) { ++called; });
    Await(arrived.get_future());
  }
  CHECK(called == 0);
}

TEST_CASE_METHOD(KubeFixture, "discovery finds the served version, and remembers") {
  TinyServer server([](const TinyRequest& r, TinyConnection& c) {
    auto version = [](const char* v) { return Json::Obj({{"version", v}}); };
    if (r.target == "/apis") {
      c.Respond(
          200,
          Json::Obj({{"groups", Json::Arr({Json::Obj(
                                    {{"name", "autoscaling"},
                                     {"versions", Json::Arr({version("v1"), version("v2beta2")})},
                                     {"preferredVersion", version("v1")}})})}})
              .Dump());
    } else if (r.target == "/apis/autoscaling/v1") {
      c.Respond(200,
                R"({"resources":[{"name":"horizontalpodautoscalers","kind":)"
                R"("HorizontalPodAutoscaler","namespaced":true,"verbs":["get","list"]},)"
                R"({"name":"horizontalpodautoscalers/status","kind":"HorizontalPodAutoscaler"}]})");
    } else {
      c.Respond(404, "not found");
    }
  });
  auto client = Connect(server);
  Discovery discovery(*client, clock);
  auto resolve = [&](ResourceType type) {
    auto [done, answer] = Promised<Expected<ServedKind>>();
    discovery.Resolve(std::move(type), done);
    return Await(std::move(answer));
  };
  auto hpa = resolve(resources::HorizontalPodAutoscalers());
  REQUIRE(hpa.ok());
  CHECK(hpa->type.version == "v1");
  CHECK(hpa->verbs == std::vector<std::string>{"get", "list"});
  CHECK(hpa->subresources == std::vector<std::string>{"status"});
  int asked = server.requests();
  CHECK(resolve(resources::HorizontalPodAutoscalers()).ok());
  CHECK(server.requests() == asked);
  auto none = resolve(resources::VirtualServices());
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().code == ErrorCode::kNotFound);
  CHECK(none.error().message ==
        "the server has no VirtualService in \"networking.istio.io\"; is its "
        "CustomResourceDefinition installed?");
}

}  // namespace
}  // namespace rollguard::kube
