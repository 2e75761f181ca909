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

Lease Held(const std::string& by, const std::string& version) {
  Lease lease;
  lease.ns = "shop";
  lease.name = "rollguard-shard-0";
  lease.about = "shard";
  lease.holder = by;
  lease.duration = std::chrono::seconds(15);
  lease.acquired = lease.renewed = kNow;
  lease.transitions = 3;
  lease.resource_version = version;
  return lease;
}

TEST_CASE("a lease without a version is created, one with a version replaced") {
  FakeCluster cluster;
  std::optional<Expected<Lease>> result;
  auto done = [&](Expected<Lease> lease) { result = std::move(lease); };
  WriteLease(cluster, Held("pod-a", ""), done);
  CHECK(cluster.calls.front().first.verb == Verb::kCreate);
  CHECK(cluster.calls.front().first.body.Dump() ==
        R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease",)"
        R"("metadata":{"name":"rollguard-shard-0","namespace":"shop",)"
        R"("labels":{"rollguard.dev/lease":"shard"}},)"
        R"("spec":{"holderIdentity":"pod-a","leaseDurationSeconds":15,)"
        R"("acquireTime":"2026-01-01T00:00:00.000000Z",)"
        R"("renewTime":"2026-01-01T00:00:00.000000Z","leaseTransitions":3}})");
  cluster.Answer(FormatLease(Held("pod-a", "8")));
  REQUIRE(result);
  CHECK((*result)->holder == "pod-a");
  CHECK((*result)->about == "shard");
  CHECK((*result)->resource_version == "8");

  WriteLease(cluster, Held("pod-b", "8"), done);
  CHECK(cluster.calls.front().first.verb == Verb::kReplace);
  CHECK(cluster.calls.front().first.name == "rollguard-shard-0");
  CHECK(cluster.calls.front().first.body.At("metadata", "resourceVersion").Str() == "8");
  cluster.Answer(Error(ErrorCode::kConflict, "somebody was faster"));
  CHECK(result->error().code == ErrorCode::kConflict);
}

TEST_CASE("a lease of any length is read within what a lease can last") {
  for (const auto& [written, read] : std::vector<std::pair<int64_t, int64_t>>{
           {15, 15}, {0, 0}, {-1, 0}, {INT32_MAX, INT32_MAX}, {INT64_MAX, INT32_MAX}}) {
    CAPTURE(written);
    Json lease = FormatLease(Held("pod-a", "8"));
    lease["spec"].Set("leaseDurationSeconds", written);
    CHECK(ParseLease(lease).duration == std::chrono::seconds(read));
  }
}

TEST_CASE("a lease is taken away only in the version that is known") {
  FakeCluster cluster;
  std::optional<Status> result;
  DeleteLease(cluster, Held("pod-a", "8"), [&](Status status) { result = std::move(status); });
  CHECK(cluster.calls.front().first.verb == Verb::kDelete);
  CHECK(cluster.calls.front().first.precondition_version == "8");
  cluster.Answer(Error(ErrorCode::kConflict, "it moved on"));
  REQUIRE(result);
  CHECK_FALSE(result->ok());
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
