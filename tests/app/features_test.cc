// SPDX-License-Identifier: Apache-2.0
// What a release can have besides its steps, through the agent's own Controller: hooks as Jobs,
// configuration that goes back with the revision, approvals, signatures. The agent dies in between
// where something could be done twice or forgotten.
#include <algorithm>

#include "agent/base/text.h"
#include "tests/app/house.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

using namespace std::chrono_literals;
using release::Command;
using release::Phase;

constexpr const char* kGuard = "shop/checkout";

std::string JobOf(const std::string& name, const std::string& image) {
  return StrCat("{name: ", name, ", job: {template: {spec: {restartPolicy: Never, containers: ",
                "[{name: m, image: ", image, "}]}}}}");
}

// Names of the hooks whose Jobs were made, in the order of their making.
std::vector<std::string> JobsOf(House& house) {
  std::vector<std::pair<int64_t, std::string>> jobs;
  for (const auto& job : house.world.api().List("batch", "jobs", "shop")) {
    const Json& metadata = job->At("metadata");
    if (metadata.At("labels", "rollguard.dev/guard").Str() != "checkout") continue;
    const std::string created = metadata.At("creationTimestamp").Str();
    jobs.emplace_back(ParseRfc3339(created)->time_since_epoch().count(),
                      metadata.At("labels", "rollguard.dev/hook").Str());
  }
  std::sort(jobs.begin(), jobs.end());
  std::vector<std::string> names;
  for (const auto& [at, name] : jobs) names.push_back(name);
  return names;
}

void Jobs(House& house, const std::string& image, Duration runs, bool fails) {
  sim::RevisionBehaviour job;
  job.job_runs = runs;
  job.job_fails = fails;
  house.world.behaviours().SetImage(image, job);
}

using Names = std::vector<std::string>;

const std::string kHooks =
    StrCat("  hooks:\n    preRelease: [", JobOf("migrate", "tool/up:1"), "]\n    postPromote: [",
           JobOf("announce", "tool/news:1"), "]\n    rollback: [", JobOf("down", "tool/down:1"),
           "]\n    verify: [", JobOf("consistent", "tool/look:1"), "]\n");

TEST_CASE("hooks: Jobs before, after, on the way back and behind it, each made once") {
  House house;
  house.AddService("shop", "checkout");
  house.AddGuard(CanaryGuard("shop", "checkout", "{setWeight: 50}, {pause: {}}", kHooks));
  for (const char* image : {"tool/up", "tool/news", "tool/down", "tool/look"})
    Jobs(house, image, 20s, false);
  house.StartAgent();
  house.Run(1min);

  house.SetImage(kGuard, "checkout:v2");
  REQUIRE(house.RunUntil([&] { return JobsOf(house) == Names{"migrate"}; }, 1min));
  house.Run(5s);
  CHECK(house.State(kGuard).phase == Phase::kPreparing);
  CHECK(house.PodsOf("checkout:v2") == 0);  // the Job still runs
  house.KillAgent();
  house.Run(5s);
  house.StartAgent();
  REQUIRE(house.RunUntil([&] { return house.WeightOf(kGuard) == 50; }, 5min));
  house.Run(20s);  // in its pause
  CHECK(house.Say(kGuard, Command::Verb::kPromote).accepted);
  REQUIRE(house.RunUntil([&] { return JobsOf(house).size() == 2; }, 10min));
  CHECK(house.State(kGuard).phase == Phase::kPromoting);  // not before its Job has succeeded
  CHECK(house.Outcome(kGuard, "promoted", 5min));
  CHECK(JobsOf(house) == Names{"migrate", "announce"});

  house.SetImage(kGuard, "checkout:v3");
  REQUIRE(house.RunUntil([&] { return house.WeightOf(kGuard) == 50; }, 5min));
  house.Fire(kGuard);
  REQUIRE(house.RunUntil([&] { return JobsOf(house).size() == 4; }, 5min));
  CHECK(JobsOf(house).back() == "down");
  CHECK(house.WeightOf(kGuard) == 0);  // traffic waits for no Job
  CHECK(house.State(kGuard).phase == Phase::kRollingBack);
  house.Calm();
  CHECK(house.Outcome(kGuard, "rolledBack", 10min));
  CHECK(JobsOf(house) == Names{"migrate", "announce", "migrate", "down", "consistent"});
}

TEST_CASE("hooks: one that fails before takes the release back, one behind it calls people") {
  House house;
  house.AddService("shop", "checkout");
  house.AddGuard(CanaryGuard("shop", "checkout", "{setWeight: 50}, {pause: {}}", kHooks));
  for (const char* image : {"tool/news", "tool/down", "tool/look"}) Jobs(house, image, 5s, false);
  Jobs(house, "tool/up", 5s, true);
  house.StartAgent();
  house.Run(1min);
  house.SetImage(kGuard, "checkout:v2");
  CHECK(house.Outcome(kGuard, "rolledBack", 20min));
  INFO(Join(house.trace, "\n"));
  CHECK(house.State(kGuard).last->reason.find("hook migrate failed") != std::string::npos);
  CHECK(house.PodsOf("checkout:v2") == 0);
  CHECK(JobsOf(house) == Names{"migrate", "down", "consistent"});

  Jobs(house, "tool/up", 5s, false);
  Jobs(house, "tool/look", 5s, true);
  house.SetImage(kGuard, "checkout:v3");
  REQUIRE(house.RunUntil([&] { return house.WeightOf(kGuard) == 50; }, 5min));
  house.Fire(kGuard);
  const std::string told = StrCat(kGuard, " rollbackFailed");
  CHECK(house.RunUntil([&] { return std::count(house.told.begin(), house.told.end(), told) == 1; },
                       20min));
  CHECK(house.WeightOf(kGuard) == 0);
}

TEST_CASE("hooks: a Job from a CronJob, as a step") {
  House house;
  house.AddService("shop", "checkout");
  house.AddGuard(CanaryGuard("shop", "checkout",
                             "{setWeight: 50}, {hook: {name: smoke, fromCronJob: smoke}}"));
  Jobs(house, "tool/smoke", 5s, false);
  house.Load(*ParseJson(R"({"apiVersion":"batch/v1","kind":"CronJob","metadata":{"name":"smoke",
    "namespace":"shop"},"spec":{"schedule":"0 4 1 1 *","jobTemplate":{"spec":{"template":{"spec":
    {"restartPolicy":"Never","containers":[{"name":"m","image":"tool/smoke:1"}]}}}}}})"));
  house.StartAgent();
  house.Run(1min);
  house.SetImage(kGuard, "checkout:v2");
  CHECK(house.Outcome(kGuard, "promoted", 20min));
  INFO(Join(house.trace, "\n"));
  CHECK(JobsOf(house) == Names{"smoke"});
}

// The Deployment uses a ConfigMap and a Secret; both changed with v2.
TEST_CASE("configuration: what the template uses goes back with the revision") {
  House house;
  house.AddService("shop", "checkout");
  const auto put = [&](const char* timeout, const char* key) {
    const std::string data = StrCat(R"({"data":{"timeout":")", timeout, R"("}})");
    const std::string secret = StrCat(R"({"data":{"key":")", Base64Encode(key), R"("}})");
    house.Patch("ConfigMap", "shop/settings", data);
    house.Patch("Secret", "shop/keys", secret);
  };
  house.Load(*ParseJson(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings",
    "namespace":"shop"},"data":{}})"));
  house.Load(*ParseJson(
      R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"keys","namespace":"shop"},"data":{}})"));
  put("1s", "old");
  house.Patch("Deployment", kGuard,
              R"({"spec":{"template":{"spec":{"volumes":[{"name":"c","configMap":{"name":
              "settings"}}],"containers":[{"name":"app","image":"checkout:v1","envFrom":[{"secretRef":
              {"name":"keys"}}]}]}}}})");
  house.Run(1min);
  house.AddGuard(CanaryGuard("shop", "checkout", "{setWeight: 50}, {pause: {}}"));
  house.StartAgent();
  house.Run(1min);
  const std::string before = house.Get("Secret", "shop/keys").At("data").Canonical();

  const std::string next = R"({"spec":{"template":{"metadata":{"annotations":{"version":"2"}}}}})";
  put("9s", "new");
  house.Patch("Deployment", kGuard, next);
  REQUIRE(house.RunUntil([&] { return house.WeightOf(kGuard) == 50; }, 5min));
  CHECK(house.Get("ConfigMap", "shop/settings").At("data", "timeout").Str() == "9s");
  house.KillAgent();  // what was kept is in the cluster
  house.StartAgent();
  house.Run(10s);
  house.Fire(kGuard);
  house.Run(30s);
  house.Calm();
  CHECK(house.Outcome(kGuard, "rolledBack", 10min));
  INFO(Join(house.trace, "\n"));
  CHECK(house.Get("ConfigMap", "shop/settings").At("data", "timeout").Str() == "1s");
  CHECK(house.Get("Secret", "shop/keys").At("data").Canonical() == before);

  // Back at the stable template: what drifts is told, and put back only when the guard says so.
  house.Patch("Deployment", kGuard, R"({"spec":{"template":{"metadata":{"annotations":null}}}})");
  house.Run(30s);
  put("5s", "old");
  house.Run(30s);
  CHECK(std::count(house.told.begin(), house.told.end(), StrCat(kGuard, " drift")) == 1);
  CHECK(house.State(kGuard).FindCondition("Drift")->message == "ConfigMap settings");
  CHECK(house.Get("ConfigMap", "shop/settings").At("data", "timeout").Str() == "5s");
  house.Patch("Guard", kGuard, R"({"spec":{"configs":{"reconcile":true}}})");
  house.Run(30s);
  CHECK(house.Get("ConfigMap", "shop/settings").At("data", "timeout").Str() == "1s");
  CHECK_FALSE(house.State(kGuard).FindCondition("Drift")->status);
  // Nothing of what was kept is in decisions or in the status.
  CHECK(house.Get("Guard", kGuard).Dump().find(Base64Encode("old")) == std::string::npos);
}

TEST_CASE("approvals: by the right people, each once, and they survive the agent") {
  House house;
  house.AddService("shop", "checkout");
  house.AddGuard(CanaryGuard("shop", "checkout",
                             "{setWeight: 20}, {approval: {required: 2, groups: [sre], timeout: "
                             "1h, onTimeout: rollback}}, {setWeight: 50}"));
  house.StartAgent();
  house.Run(1min);
  house.SetImage(kGuard, "checkout:v2");
  const auto waits = [&] {
    return house.Reasons(kGuard).find("waits for approval") != std::string::npos;
  };
  REQUIRE(house.RunUntil(waits, 5min));
  const auto approve = [&](const char* who, const Names& groups) {
    return house.Say(kGuard, Command::Verb::kApprove, who, groups);
  };
  CHECK(approve("eve", {"dev"}).message == "you are in none of the groups that may approve");
  CHECK(approve("ann", {"sre"}).accepted);
  CHECK(approve("ann", {"sre"}).message == "you approved already");
  house.KillAgent();
  house.StartAgent();
  house.Run(1min);
  CHECK(house.Reasons(kGuard).find("1 of 2") != std::string::npos);
  CHECK(house.WeightOf(kGuard) == 20);
  CHECK(approve("bob", {"dev", "sre"}).accepted);
  CHECK(house.Outcome(kGuard, "promoted", 20min));

  // Nobody answers: what the step says for that.
  house.SetImage(kGuard, "checkout:v3");
  REQUIRE(house.RunUntil(waits, 5min));
  house.Run(55min);
  CHECK(house.WeightOf(kGuard) == 20);
  CHECK(house.Outcome(kGuard, "rolledBack", 20min));
  CHECK(house.State(kGuard).last->reason == "nobody approved in time");
}

TEST_CASE("approvals: a rollback that people must allow waits for them, and no longer") {
  for (const bool answered : {true, false}) {
    INFO((answered ? "somebody answers" : "nobody answers"));
    House house;
    house.AddService("shop", "checkout");
    house.AddGuard(CanaryGuard("shop", "checkout", "{setWeight: 50}, {pause: {}}",
                               "  rollback: {onTrigger: approval, approval: {timeout: 10m, "
                               "onTimeout: rollback}, verify: {for: 10s}, cooldown: 0s}\n"));
    house.StartAgent();
    house.Run(1min);
    house.SetImage(kGuard, "checkout:v2");
    REQUIRE(house.RunUntil([&] { return house.WeightOf(kGuard) == 50; }, 5min));
    house.Fire(kGuard);
    house.Run(5min);
    CHECK(house.WeightOf(kGuard) == 50);
    CHECK(house.State(kGuard).release->awaiting_approval);
    if (answered) CHECK(house.Say(kGuard, Command::Verb::kApprove).accepted);
    house.Run(answered ? Duration(10s) : Duration(6min));
    CHECK(house.WeightOf(kGuard) == 0);
    house.Calm();
    CHECK(house.Outcome(kGuard, "rolledBack", 10min));
  }
}

const std::string kDigest =
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
// Made by openssl: two key pairs, and their signatures of the digest's text.
const std::string kKeys = R"(  artifacts:
    publicKeys:
      - |
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEAMubysPI1cGipZYrVx8G/kpGAG+GZ24oeildFQPDB1BU=
        -----END PUBLIC KEY-----
      - |
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZfUaJmPdhJEm5lL2HR0FASsEE3pB
        KNPu02nwIjOtG47fRhNWQLDuJ8PXr3VwANHVg9Vi0H3FVV8Mm+3Ui3yg4w==
        -----END PUBLIC KEY-----
)";
const std::string kEd25519 =
    "qtn0/hp+zZmpnNzaxDifc2EAlaM7iieicCee4ML3lF62G9ruJDCpfUDbumO58+XFLPs79F+vsTqLQeWcePdcDQ==";
const std::string kP256 =
    "MEYCIQDq6xqT+Z6KBUEE5VYPl2/Z0U2y4JyhzjnXw1BXNl/"
    "CyQIhAImMoV6OizLPtFXtz1hZJiID0xyWpKK3G79gjnYyuVye";

TEST_CASE("artifacts: only what one of the keys has signed is released") {
  for (const std::string& signature : {kEd25519, kP256}) {
    House house;
    house.AddService("shop", "checkout");
    house.AddGuard(CanaryGuard("shop", "checkout", "{setWeight: 50}", kKeys));
    house.StartAgent();
    house.Run(1min);
    const std::string image = "repo/checkout@" + kDigest;
    house.SetImage(kGuard, image);
    house.Run(1min);
    CHECK(house.State(kGuard).last->outcome == "rejected");
    CHECK(house.State(kGuard).last->reason.find("carries no signature") != std::string::npos);
    CHECK(house.PodsOf(image) == 0);
    // The signature comes later, on the workload itself: no new revision, so somebody says retry.
    house.Patch(
        "Deployment", kGuard,
        StrCat(R"({"metadata":{"annotations":{"rollguard.dev/signature":")", signature, R"("}}})"));
    house.Run(1min);
    CHECK(house.PodsOf(image) == 0);
    CHECK(house.Say(kGuard, Command::Verb::kRetry).accepted);
    CHECK(house.Outcome(kGuard, "promoted", 20min));
    CHECK(house.PodsOf(image) == 4);
    // It says nothing about another image.
    std::string other = image;
    other.back() = '9';
    house.SetImage(kGuard, other);
    house.Run(1min);
    CHECK(house.State(kGuard).last->outcome == "rejected");
    CHECK(house.PodsOf(other) == 0);
  }
}

TEST_CASE("artifacts: a guard whose keys cannot be used is not used, and says why") {
  House house;
  house.AddService("shop", "checkout");
  std::string off_curve = kKeys;  // one coordinate changed: its form is as it should be
  const size_t at = off_curve.find("KNPu02nw");
  REQUIRE(at != std::string::npos);
  off_curve.replace(at, 8, "KNPu03nw");
  house.AddGuard(CanaryGuard("shop", "checkout", "{setWeight: 50}", off_curve));
  house.StartAgent();
  house.Run(1min);
  CHECK(house.Reasons(kGuard).find("spec.artifacts.publicKeys[1]: the public key cannot be read") !=
        std::string::npos);
  CHECK_FALSE(house.Get("Deployment", kGuard).At("spec", "paused").BoolOr(false));
}

}  // namespace
}  // namespace rollguard::testing
