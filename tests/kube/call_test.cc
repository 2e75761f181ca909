// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/call.h"

#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "agent/kube/token_bucket.h"
#include "tests/support/catch.h"

namespace rollguard::kube {
namespace {

ClusterRequest Make(Verb verb, ResourceType type, std::string ns, std::string name) {
  ClusterRequest r;
  r.verb = verb;
  r.type = std::move(type);
  r.ns = std::move(ns);
  r.name = std::move(name);
  return r;
}

TEST_CASE("requests on the wire") {
  struct Row {
    std::string want;
    ClusterRequest request;
  };
  std::vector<Row> rows;
  auto add = [&](std::string want, ClusterRequest r) { rows.push_back({std::move(want), r}); };

  add("GET /apis/apps/v1/namespaces/shop/deployments/web [] ",
      Make(Verb::kGet, resources::Deployments(), "shop", "web"));
  add("GET /api/v1/namespaces/shop [] ", Make(Verb::kGet, resources::Namespaces(), "", "shop"));
  ClusterRequest r = Make(Verb::kList, resources::Pods(), "", "");
  r.limit = 500;
  r.continue_token = "a/b=";
  r.label_selector = "app in (a,b)";
  r.field_selector = "spec.nodeName=n";
  r.resource_version = "0";
  add("GET /api/v1/pods?resourceVersion=0&labelSelector=app%20in%20%28a%2Cb%29&fieldSelector="
      "spec.nodeName%3Dn&limit=500&continue=a%2Fb%3D [] ",
      r);
  r = Make(Verb::kCreate, resources::ConfigMaps(), "shop", "");
  r.body = Json::Obj({{"a", 1}});
  r.dry_run = true;
  add(R"(POST /api/v1/namespaces/shop/configmaps?fieldManager=rollguard&dryRun=All )"
      R"([application/json] {"a":1})",
      r);
  r = Make(Verb::kCreate, resources::Pods(), "shop", "p");
  r.subresource = "eviction";
  r.body = Json::Obj();
  add("POST /api/v1/namespaces/shop/pods/p/eviction?fieldManager=rollguard [application/json] {}",
      r);
  r = Make(Verb::kReplace, resources::Guards(), "shop", "g");
  r.subresource = "status";
  r.body = Json::Obj();
  r.field_manager = "me";
  add("PUT /apis/rollguard.dev/v1alpha1/namespaces/shop/guards/g/status?fieldManager=me "
      "[application/json] {}",
      r);
  r = Make(Verb::kPatch, resources::Deployments(), "shop", "web");
  r.body = Json::Obj();
  add("PATCH /apis/apps/v1/namespaces/shop/deployments/web?fieldManager=rollguard "
      "[application/merge-patch+json] {}",
      r);
  r.patch = PatchKind::kJson;
  r.body = Json::Arr();
  add("PATCH /apis/apps/v1/namespaces/shop/deployments/web?fieldManager=rollguard "
      "[application/json-patch+json] []",
      r);
  r.patch = PatchKind::kStrategic;
  r.force = true;
  add("PATCH /apis/apps/v1/namespaces/shop/deployments/web?fieldManager=rollguard "
      "[application/strategic-merge-patch+json] []",
      r);
  r.patch = PatchKind::kApply;
  add("PATCH /apis/apps/v1/namespaces/shop/deployments/web?fieldManager=rollguard&force=true "
      "[application/apply-patch+yaml] []",
      r);
  r = Make(Verb::kDelete, resources::Pods(), "shop", "p");
  r.propagation = "Foreground";
  r.precondition_uid = "u";
  r.precondition_version = "7";
  r.body = Json::Obj({{"gracePeriodSeconds", 0}});
  add(R"(DELETE /api/v1/namespaces/shop/pods/p [application/json] {"gracePeriodSeconds":0,)"
      R"("kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Foreground",)"
      R"("preconditions":{"uid":"u","resourceVersion":"7"}})",
      r);
  for (const Row& row : rows) {
    Expected<WireCall> wire = ToWire(row.request);
    REQUIRE(wire.ok());
    CHECK(wire->method + " " + wire->target + " [" + wire->content_type + "] " + wire->body ==
          row.want);
  }
}

TEST_CASE("a watch on the wire") {
  WatchRequest w;
  w.type = resources::Pods();
  w.ns = "shop";
  w.resource_version = "12";
  w.timeout = std::chrono::milliseconds(1500);
  CHECK(ToWire(w)->target ==
        "/api/v1/namespaces/shop/pods?watch=true&allowWatchBookmarks=true&resourceVersion=12&"
        "timeoutSeconds=2");
}

TEST_CASE("requests that cannot be meant are refused") {
  struct Row {
    std::string want;
    ClusterRequest request;
  };
  for (const Row& row : std::vector<Row>{
           {"get pods in \"shop\": no name is given",
            Make(Verb::kGet, resources::Pods(), "shop", "")},
           {"get pods p: no namespace is given", Make(Verb::kGet, resources::Pods(), "", "p")},
           {"delete pods shop/..: \"..\" cannot be a name",
            Make(Verb::kDelete, resources::Pods(), "shop", "..")},
           {"get pods shop/a/b: \"a/b\" cannot be a name",
            Make(Verb::kGet, resources::Pods(), "shop", "a/b")},
           {"get pods ../p: \"..\" cannot be a namespace",
            Make(Verb::kGet, resources::Pods(), "..", "p")},
           {"get  p: the kind of object is not known", Make(Verb::kGet, {}, "", "p")}}) {
    Expected<WireCall> wire = ToWire(row.request);
    REQUIRE_FALSE(wire.ok());
    CHECK(wire.error().code == ErrorCode::kInvalid);
    CHECK(wire.error().message == row.want);
  }
}

TEST_CASE("errors do not repeat the content of Secrets and tokens") {
  auto request = [](const char* plural, Json body) {
    ClusterRequest r;
    r.type.plural = plural;
    r.body = std::move(body);
    return r;
  };
  const std::string encoded = Base64Encode("open sesame");
  struct Row {
    std::string name;
    ClusterRequest request;
    std::string said, want;
  };
  for (const Row& row : std::vector<Row>{
           {"a token that is reviewed",
            request("tokenreviews", Json::Obj({{"spec", Json::Obj({{"token", "tok-1234"}})}})),
            "Invalid value: tok-1234", "Invalid value: ***"},
           {"a Secret", request("secrets", Json::Obj({{"data", Json::Obj({{"a", encoded}})}})),
            StrCat("bad ", encoded, " (open sesame)"), "bad *** (***)"},
           {"a Secret in plain text",
            request("secrets", Json::Obj({{"stringData", Json::Obj({{"a", "hunter22"}})}})),
            "bad hunter22", "bad ***"},
           {"a patch of a Secret",
            request("secrets", Json::Arr({Json::Obj(
                                   {{"op", "replace"}, {"path", "/data/a"}, {"value", encoded}})})),
            StrCat("bad ", encoded), "bad ***"},
           {"anything else", request("pods", Json::Obj({{"data", Json::Obj({{"a", "hunter22"}})}})),
            "bad hunter22", "bad hunter22"},
       }) {
    INFO(row.name);
    Error error = WithoutTexts(Error(ErrorCode::kInvalid, row.said), SecretTexts(row.request));
    CHECK(error.message == row.want);
  }
}

TEST_CASE("answers that are no success") {
  struct Row {
    int status;
    std::string type, body;
    ErrorCode code;
    std::string message;
  };
  auto status = [](const char* reason, const char* message) {
    return Json::Obj({{"kind", "Status"}, {"reason", reason}, {"message", message}}).Dump();
  };
  for (const Row& row : std::vector<Row>{
           {409, "", status("Conflict", "the object has been modified"), ErrorCode::kConflict,
            "X: the object has been modified (HTTP 409, Conflict)"},
           {409, "", status("AlreadyExists", "it is there"), ErrorCode::kAlreadyExists,
            "X: it is there (HTTP 409, AlreadyExists)"},
           {410, "", status("Expired", "too old"), ErrorCode::kGone,
            "X: too old (HTTP 410, Expired)"},
           {404, "", status("NotFound", "no"), ErrorCode::kNotFound, "X: no (HTTP 404, NotFound)"},
           {403, "", status("Forbidden", "no"), ErrorCode::kDenied, "X: no (HTTP 403, Forbidden)"},
           {401, "", status("Unauthorized", "Unauthorized"), ErrorCode::kUnauthenticated,
            "X: Unauthorized (HTTP 401, Unauthorized)"},
           {422, "", status("Invalid", ""), ErrorCode::kInvalid,
            "X: the server gave no message (HTTP 422, Invalid)"},
           {429, "", status("TooManyRequests", "slow"), ErrorCode::kThrottled,
            "X: slow (HTTP 429, TooManyRequests)"},
           {500, "", status("ServerTimeout", "later"), ErrorCode::kTimeout,
            "X: later (HTTP 500, ServerTimeout)"},
           {500, "", status("InternalError", "etcd"), ErrorCode::kUnavailable,
            "X: etcd (HTTP 500, InternalError)"},
           {413, "text/plain", "too big", ErrorCode::kTooLarge,
            "X: the server answered with no Status object (HTTP 413, text/plain: \"too big\")"},
           {502, "text/html", "<html>bad gateway</html>", ErrorCode::kUnavailable,
            "X: the server answered with an HTML page (HTTP 502, text/html: \"<html>bad "
            "gateway</html>\")"},
           {302, "", "", ErrorCode::kInvalid,
            "X: the server redirects, which is not followed; give the URL it points to (HTTP 302: "
            "\"\")"},
           {503, "", "", ErrorCode::kUnavailable,
            "X: the server answered with no Status object (HTTP 503: \"\")"}}) {
    HttpResponse response;
    response.status = row.status;
    response.body = row.body;
    if (!row.type.empty()) response.headers = {{"content-type", row.type}};
    Error error = StatusError("X", response);
    CHECK(error.message == row.message);
    CHECK(ToString(error.code) == std::string(ToString(row.code)));
  }
}

TEST_CASE("Retry-After is read from the header, else from the Status") {
  HttpResponse response;
  response.status = 429;
  response.body = R"({"kind":"Status","details":{"retryAfterSeconds":3}})";
  CHECK(StatusError("X", response).retry_after == std::chrono::seconds(3));
  response.headers = {{"retry-after", "7"}};
  CHECK(StatusError("X", response).retry_after == std::chrono::seconds(7));
  response.headers = {{"retry-after", "99999999"}};
  CHECK(StatusError("X", response).retry_after == std::chrono::hours(1));
}

TEST_CASE("kinds are found by apiVersion and kind") {
  CHECK(resources::ByKind("apps/v1", "Deployment") == resources::Deployments());
  CHECK(resources::ByKind("v1", "Pod") == resources::Pods());
  CHECK(resources::ByKind("policy/v1beta1", "PodDisruptionBudget").version == "v1beta1");
  CHECK(resources::ByKind("apps/v1", "Pod").plural.empty());
  CHECK(resources::ByKind("networking.istio.io/v1", "VirtualService").plural == "virtualservices");
}

TEST_CASE("the rate limit lets a burst through and then a steady stream") {
  TokenBucket bucket(10, 3);
  std::chrono::nanoseconds now(0);
  const Duration patient = std::chrono::seconds(1);
  for (int i = 0; i < 3; ++i) CHECK(bucket.Take(now, patient) == Duration(0));
  CHECK(bucket.Take(now, patient) == Duration(101));
  CHECK(bucket.Take(now, patient) == Duration(201));
  CHECK(bucket.Take(now, Duration(10)) == Duration(-1));
  now += std::chrono::seconds(10);
  for (int i = 0; i < 3; ++i) CHECK(bucket.Take(now, patient) == Duration(0));
  CHECK(bucket.Take(now, patient) > Duration(0));
  TokenBucket owing(10, 1);
  owing.TakeNow();
  owing.TakeNow();  // at once, and those who come in order wait for it
  CHECK(owing.Take(std::chrono::nanoseconds(0), std::chrono::seconds(1)) == Duration(201));
  TokenBucket unlimited(0, 0);
  for (int i = 0; i < 1000; ++i) CHECK(unlimited.Take(now, Duration(0)) == Duration(0));
}

}  // namespace
}  // namespace rollguard::kube
