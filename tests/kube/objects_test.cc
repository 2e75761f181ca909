// SPDX-License-Identifier: Apache-2.0
// Events, leases and reviews: what they ask of the cluster and make of its answers.
#include "agent/base/text.h"
#include "agent/kube/events.h"
#include "agent/kube/leases.h"
#include "agent/kube/reviews.h"
#include "tests/kube/fake_cluster.h"
#include "tests/support/catch.h"

namespace rollguard::kube {
namespace {

const Time kNow = FromUnixMillis(1'767'225'600'000);

TEST_CASE("an event about an object") {
  Json guard = *ParseJson(R"({"apiVersion":"rollguard.dev/v1alpha1","kind":"Guard",
      "metadata":{"name":"checkout","namespace":"shop","uid":"u1","labels":{}}})");
  EventNote note;
  note.regarding = ReferenceTo(guard);
  note.type = "Warning";
  note.reason = "RolledBack";
  note.action = "Rollback";
  note.note = "error ratio 3% > 1%";
  note.time = kNow;
  FakeCluster cluster;
  int sent = 0;
  SendEvent(cluster, note, [&](Status status) { sent += status.ok() ? 1 : 0; });
  const ClusterRequest& request = cluster.calls.front().first;
  CHECK(request.ns == "shop");
  CHECK(request.verb == Verb::kCreate);
  CHECK(request.type.ApiVersion() == "events.k8s.io/v1");
  Json want = *ParseJson(R"({"apiVersion":"events.k8s.io/v1","kind":"Event",
      "metadata":{"name":"","namespace":"shop"},"eventTime":"2026-01-01T00:00:00.000000Z",
      "type":"Warning","reason":"RolledBack","action":"Rollback","note":"error ratio 3% > 1%",
      "reportingController":"rollguard.dev/agent","reportingInstance":"rollguard",
      "regarding":{"apiVersion":"rollguard.dev/v1alpha1","kind":"Guard","namespace":"shop",
                   "name":"checkout","uid":"u1"}})");
  std::string name = request.body.At("metadata", "name").Str();
  CHECK(name.starts_with("checkout."));
  want["metadata"].Set("name", name);
  CHECK(request.body == want);
  CHECK(MakeEvent(note).At("metadata", "name").Str() == name);  // the same again
  cluster.Answer(Error(ErrorCode::kAlreadyExists, "there"));
  CHECK(sent == 1);
  note.note = std::string(5000, 'x');
  CHECK(MakeEvent(note).At("note").Str().size() <= 1024);
}

struct Claiming {
  FakeCluster cluster;
  std::optional<Expected<Lease>> result;
  LeaseClaim claim{"shop", "rollguard-shard-0", "pod-a", std::chrono::seconds(15), kNow};

  void Claim() {
    ClaimLease(cluster, claim, [this](Expected<Lease> lease) { result = std::move(lease); });
  }
  static Json Held(const std::string& by, Time renewed) {
    Lease lease;
    lease.ns = "shop";
    lease.name = "rollguard-shard-0";
    lease.holder = by;
    lease.duration = std::chrono::seconds(15);
    lease.acquired = renewed;
    lease.renewed = renewed;
    lease.transitions = 3;
    lease.resource_version = "7";
    return FormatLease(lease);
  }
};

TEST_CASE_METHOD(Claiming, "a lease that does not exist is created") {
  Claim();
  cluster.Answer(Error(ErrorCode::kNotFound, "none"));
  const ClusterRequest& create = cluster.calls.front().first;
  CHECK(create.verb == Verb::kCreate);
  CHECK(create.body.At("spec").Dump() ==
        R"({"holderIdentity":"pod-a","leaseDurationSeconds":15,)"
        R"("acquireTime":"2026-01-01T00:00:00.000000Z",)"
        R"("renewTime":"2026-01-01T00:00:00.000000Z","leaseTransitions":0})");
  cluster.Answer(Json(create.body));
  REQUIRE(result);
  CHECK((*result)->holder == "pod-a");
}

TEST_CASE_METHOD(Claiming, "another's living lease is left alone") {
  Claim();
  cluster.Answer(Held("pod-b", kNow - std::chrono::seconds(14)));
  CHECK(cluster.calls.empty());
  REQUIRE(result);
  CHECK((*result)->holder == "pod-b");
}

TEST_CASE_METHOD(Claiming, "a lease that ran out is taken, guarded by its version") {
  Claim();
  cluster.Answer(Held("pod-b", kNow - std::chrono::seconds(15)));
  const ClusterRequest& write = cluster.calls.front().first;
  CHECK(write.verb == Verb::kReplace);
  CHECK(write.body.At("metadata", "resourceVersion").Str() == "7");
  CHECK(write.body.At("spec", "leaseTransitions").IntOr(0) == 4);
  cluster.Answer(Error(ErrorCode::kConflict, "somebody was faster"));
  cluster.Answer(Held("pod-c", kNow));
  REQUIRE(result);
  CHECK((*result)->holder == "pod-c");
}

TEST_CASE_METHOD(Claiming, "our own lease is renewed without a transition") {
  Claim();
  cluster.Answer(Held("pod-a", kNow - std::chrono::seconds(5)));
  const Json& spec = cluster.calls.front().first.body.At("spec");
  CHECK(spec.At("leaseTransitions").IntOr(0) == 3);
  CHECK(spec.At("acquireTime").Str() == "2025-12-31T23:59:55.000000Z");
  CHECK(spec.At("renewTime").Str() == "2026-01-01T00:00:00.000000Z");
  cluster.Answer(Error(ErrorCode::kUnavailable, "down"));
  REQUIRE(result);
  CHECK_FALSE(result->ok());
}

TEST_CASE_METHOD(Claiming, "a lease is given back only when it is ours") {
  int released = 0;
  auto done = [&](Status status) { released += status.ok() ? 1 : 0; };
  ReleaseLease(cluster, claim, done);
  cluster.Answer(Held("pod-b", kNow));
  CHECK(released == 1);
  ReleaseLease(cluster, claim, done);
  cluster.Answer(Held("pod-a", kNow));
  Json body = cluster.calls.front().first.body;
  CHECK(body.At("spec", "holderIdentity").Str().empty());
  CHECK(ParseLease(body).Free(kNow));
  cluster.Answer(body);
  CHECK(released == 2);
}

TEST_CASE("a token's owner") {
  FakeCluster cluster;
  std::optional<Expected<Identity>> who;
  auto done = [&](Expected<Identity> identity) { who = std::move(identity); };
  ReviewToken(cluster, "t", {"rollguard"}, done);
  CHECK(cluster.calls.front().first.body.Dump() ==
        R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview",)"
        R"("spec":{"token":"t","audiences":["rollguard"]}})");
  cluster.Answer(*ParseJson(
      R"({"status":{"authenticated":true,"user":{"username":"jane","groups":["sre"]}}})"));
  REQUIRE(who->ok());
  CHECK((*who)->username == "jane");
  CHECK((*who)->groups == std::vector<std::string>{"sre"});
  for (const char* status : {R"({"status":{"authenticated":false,"error":"expired"}})",
                             R"({"status":{"authenticated":true,"user":{}}})", "{}"}) {
    ReviewToken(cluster, "t", {}, done);
    cluster.Answer(*ParseJson(status));
    REQUIRE_FALSE(who->ok());
    CHECK(who->error().code == ErrorCode::kUnauthenticated);
  }
}

TEST_CASE("what somebody may do") {
  FakeCluster cluster;
  std::optional<Status> verdict;
  auto done = [&](Status status) { verdict = std::move(status); };
  Identity jane;
  jane.username = "jane";
  jane.groups = {"sre"};
  AccessQuestion question;
  question.verb = "rollback";
  question.ns = "shop";
  question.name = "checkout";
  struct Row {
    const char* answer;
    std::string want;
  };
  for (const Row& row : std::vector<Row>{
           {R"({"status":{"allowed":true}})", ""},
           {R"({"status":{"allowed":false,"reason":"no role"}})",
            "\"jane\" may not rollback guards.rollguard.dev \"checkout\" in \"shop\": no role"},
           {R"({"status":{"allowed":true,"denied":true}})",
            "\"jane\" may not rollback guards.rollguard.dev \"checkout\" in \"shop\""},
           {"{}", "\"jane\" may not rollback guards.rollguard.dev \"checkout\" in \"shop\""}}) {
    ReviewAccess(cluster, jane, question, done);
    CHECK(cluster.calls.front().first.body.At("spec").Dump() ==
          R"({"user":"jane","resourceAttributes":{"verb":"rollback","group":"rollguard.dev",)"
          R"("resource":"guards","namespace":"shop","name":"checkout"},"groups":["sre"]})");
    cluster.Answer(*ParseJson(row.answer));
    CHECK((verdict->ok() ? "" : verdict->error().message) == row.want);
    if (!verdict->ok()) CHECK(verdict->error().code == ErrorCode::kDenied);
  }
}

}  // namespace
}  // namespace rollguard::kube
