// SPDX-License-Identifier: Apache-2.0
// Image references, guards written from the deployments' shape, the tape of charts, the rate limit.
#include "agent/api/guard_writer.h"
#include "agent/api/identity.h"
#include "agent/api/image.h"
#include "agent/api/rate_limit.h"
#include "agent/api/schema.h"
#include "agent/api/tape.h"
#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::api {

TEST_CASE("a version is a whole image, or a tag of the present one", "[api]") {
  struct Row {
    const char* version;
    const char* present;
    const char* want;  // empty: refused
  };
  const Row rows[] = {
      {"v2", "shop/cart:v1", "shop/cart:v2"},
      {"v2", "cart", "cart:v2"},
      {"v2", "reg.example.com:5000/shop/cart", "reg.example.com:5000/shop/cart:v2"},
      {"v2", "reg.example.com:5000/shop/cart:v1", "reg.example.com:5000/shop/cart:v2"},
      {"v2", "cart:v1@sha256:aa", "cart:v2"},
      {"other/cart:v9", "cart:v1", "other/cart:v9"},
      {"cart@sha256:bb", "cart:v1", "cart@sha256:bb"},
      {"", "cart:v1", ""},
      {"v 2", "cart:v1", ""},
      {"v2;rm", "cart:v1", ""},
      {"v2", "", ""},
  };
  for (const Row& row : rows) {
    INFO(row.version << " on " << row.present);
    auto image = ResolveImage(row.version, row.present);
    CHECK(image.ok() == (row.want[0] != 0));
    if (image) CHECK(*image == row.want);
  }
}

TEST_CASE("the container meant is the named one, the workload's namesake, or the first", "[api]") {
  Json workload = *ParseJson(R"({"metadata":{"name":"cart"},"spec":{"template":{"spec":
    {"containers":[{"name":"proxy"},{"name":"cart"}]}}}})");
  CHECK(*FindContainer(workload, "") == 1);
  CHECK(*FindContainer(workload, "proxy") == 0);
  auto wrong = FindContainer(workload, "carrt");
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.error().message.find("proxy, cart") != std::string::npos);
  workload["metadata"].Set("name", "other");
  CHECK(*FindContainer(workload, "") == 0);
}

TEST_CASE("the deployments' shape becomes a guard and keeps what it does not speak of", "[api]") {
  Json body = *ParseJson(R"({"name":"cart","namespace":"shop","version":"v2","strategy":{
    "type":"canary","rollbackThreshold":0.6,"validationWindow":"10m",
    "phases":[{"name":"first","percentage":10,"duration":"2m"},
              {"name":"half","percentage":50,"requiresApproval":true}]},
    "healthCheck":{"name":"web","http":{"port":"8080","path":"/healthz"}},
    "notifications":["ops"]})");
  REQUIRE(CheckType(body, "DeploymentBody", "body").empty());
  auto fresh = WriteGuard(body, Json());
  INFO((fresh.ok() ? "" : fresh.error().message));
  REQUIRE(fresh.ok());
  const Json& spec = fresh->At("spec");
  CHECK(spec.At("target", "name").Str() == "cart");
  CHECK(spec.At("bake").Str() == "10m");
  CHECK(spec.At("confidence", "threshold").DoubleOr(0) == 0.6);
  CHECK(spec.At("strategy", "canary", "phases").size() == 2);
  CHECK(spec.At("health", "checks").size() == 1);
  CHECK(spec.At("notifications").At(0).At("channel").Str() == "ops");

  Json present = *ParseJson(R"({"apiVersion":"rollguard.dev/v1alpha1","kind":"Guard",
    "metadata":{"name":"cart","namespace":"shop","resourceVersion":"7"},"status":{"phase":"Idle"},
    "spec":{"target":{"kind":"Deployment","name":"cart"},"rollback":{"maxPerHour":9},
    "strategy":{"canary":{"stableService":"cart","stepWeight":20}}}})");
  auto updated = WriteGuard(body, present);
  INFO((updated.ok() ? "" : updated.error().message));
  REQUIRE(updated.ok());
  CHECK(updated->At("spec", "rollback", "maxPerHour").IntOr(0) == 9);
  CHECK(updated->At("spec", "strategy", "canary", "stableService").Str() == "cart");
  CHECK(updated->At("spec", "strategy", "canary").Find("stepWeight") == nullptr);
  CHECK(updated->At("metadata", "resourceVersion").Str() == "7");

  SECTION("a guard of another workload is left alone") {
    present["spec"]["target"].Set("name", "other");
    auto refused = WriteGuard(body, present);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kConflict);
  }
  SECTION("what makes no guard is refused with the reason") {
    body["strategy"]["phases"].items()[0].Set("duration", "soon");
    auto refused = WriteGuard(body, Json());
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kInvalid);
    CHECK(refused.error().message.find("soon") != std::string::npos);
  }
}

TEST_CASE("a tape is bounded and keeps its ends", "[api]") {
  Tape tape;
  Time start = FromUnixMillis(0);
  for (int i = 0; i < 10'000; ++i) {
    Time at = start + std::chrono::seconds(i);
    tape.Measured("shop/cart", "r1", "Errors", at, i, i / 2.0, 0.5);
    tape.Stand("shop/cart", "r1", at, i < 5000 ? 10 : 50, 0.9);
    tape.Mark("shop/cart", at, "hold", "because");
  }
  Json set = tape.Read("shop/cart");
  CHECK(CheckType(set, "SeriesSet", "series").empty());
  const Json& points = set.At("signals").At(0).At("points");
  CHECK(points.size() <= Tape::kMaxPoints);
  CHECK(points.size() >= Tape::kMaxPoints / 3);
  CHECK(points.At(0).At("candidate").DoubleOr(-1) == 0);
  CHECK(points.At(points.size() - 1).At("candidate").DoubleOr(0) > 9500);
  // A level line needs its corners only.
  CHECK(set.At("weight").size() <= 6);
  CHECK(set.At("marks").size() == Tape::kMaxMarks);

  tape.Stand("shop/cart", "r2", start, 0, std::nullopt);
  CHECK(tape.Read("shop/cart").At("signals").size() == 0);
  CHECK(tape.Read("shop/other").At("release").Str().empty());
}

TEST_CASE("the rate limit lets bursts through and holds the rate", "[api]") {
  RateLimit limit(10);
  std::chrono::nanoseconds now = std::chrono::seconds(100);
  int admitted = 0;
  for (int i = 0; i < 100; ++i) admitted += limit.Admit("a", now) ? 1 : 0;
  CHECK(admitted == 20);
  CHECK(limit.Admit("b", now));
  now += std::chrono::milliseconds(500);
  admitted = 0;
  for (int i = 0; i < 100; ++i) admitted += limit.Admit("a", now) ? 1 : 0;
  CHECK(admitted == 5);
  RateLimit none(0);
  for (int i = 0; i < 1000; ++i) REQUIRE(none.Admit("a", now));
}

TEST_CASE("secrets are compared whole", "[api]") {
  CHECK(ConstantTimeEqual("abc", "abc"));
  CHECK_FALSE(ConstantTimeEqual("abc", "abd"));
  CHECK_FALSE(ConstantTimeEqual("abc", "ab"));
  CHECK_FALSE(ConstantTimeEqual("", "a"));
  CHECK(ConstantTimeEqual("", ""));
}

}  // namespace rollguard::api
