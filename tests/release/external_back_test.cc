// SPDX-License-Identifier: Apache-2.0
// Another controller is told until it is seen to have obeyed, and a pause of ours ends with what it
// was for.
#include <algorithm>

#include "tests/release/theirs.h"

namespace rollguard::testing {
namespace {

using release::Verdict;

// v2 has begun and is watched.
struct Watched : Theirs {
  explicit Watched(const std::string& yaml) : Theirs(yaml) {
    Says("v2", "v1", "Progressing");
    Run(2s);
    REQUIRE(state.phase == Phase::kProgressing);
  }
  void RolledBack() {
    Bad();
    Run(2s);
    Says("v2", "v1", argo ? "Degraded" : "Failed");
    signals.clear();
    Run(15s);
    REQUIRE(state.last->outcome == "rolledBack");
  }
  // The stable template, and then v2 once more: its controller forgets that it was aborted.
  void SetAgain() {
    Says("v1", "v1", "Healthy");
    Patch(R"({"status":{"abort":null}})", "status");
    Run(2s);
    Says("v2", "v1", "Progressing");
    Run(2s);
  }
};

std::string WithApproval() {
  return ReplaceAll(ExternalGuard("argo", ""), "cooldown: 0s", "cooldown: 0s, onTrigger: approval");
}

TEST_CASE("external: a Rollout stands still while its rollback waits for approval") {
  Watched watched(WithApproval());
  watched.Bad();
  watched.Run(2s);
  CHECK(watched.Paused());
  CHECK_FALSE(watched.Aborted());
  CHECK(watched.Say(Command::Verb::kApprove).accepted);
  watched.Run(2s);
  CHECK(watched.Aborted());
  watched.signals.clear();
  watched.Run(15s);
  CHECK(watched.state.last->outcome == "rolledBack");
  CHECK_FALSE(watched.Paused());
  watched.CheckSound();
}

TEST_CASE("external: what was promoted before it was told is not rolled back, and people hear it") {
  Watched watched(WithApproval());
  watched.Bad();
  watched.Run(2s);
  watched.Says("v2", "v2", "Healthy");
  watched.Run(3s);
  CHECK(watched.state.last->outcome == "failed");
  CHECK(watched.state.stable == "v2");
  CHECK(std::count(watched.told.begin(), watched.told.end(), "rollbackFailed") == 1);
  CHECK_FALSE(watched.Paused());
  watched.CheckSound();
}

TEST_CASE("external: a rejected revision that is set again goes back again") {
  struct Row {
    const char* controller;
    const char* more;
  };
  for (const Row& row : {Row{"argo", ""}, Row{"argo", ", onBad: undo"}, Row{"flagger", ""}}) {
    INFO(row.controller << row.more);
    Watched watched(ExternalGuard(row.controller, row.more));
    watched.RolledBack();
    if (!watched.argo) CHECK_FALSE(FlaggerGate(watched.state, FlaggerHook::kRollback));
    watched.SetAgain();
    CHECK_FALSE(watched.state.release.has_value());
    REQUIRE(watched.LastDecision(Verdict::kReject) != nullptr);
    CHECK(watched.LastDecision(Verdict::kReject)->revision == "v2");
    if (watched.argo) {
      CHECK(watched.Aborted());
    } else {
      CHECK(FlaggerGate(watched.state, FlaggerHook::kRollback));
      CHECK_FALSE(FlaggerGate(watched.state, FlaggerHook::kConfirm));
      watched.Says("v2", "v1", "Failed");
      watched.Run(2s);
      CHECK_FALSE(FlaggerGate(watched.state, FlaggerHook::kRollback));
    }
    watched.CheckSound();
  }
}

// Flagger asks before it applies: until it may, the one it applied last is the rejected one.
TEST_CASE("external: a Canary that waits to begin is not held by the revision before") {
  Watched watched(ExternalGuard("flagger", ""));
  watched.RolledBack();
  watched.Says("v2", "v1", "Waiting");
  watched.Run(2s);
  CHECK(FlaggerGate(watched.state, FlaggerHook::kConfirm));
  CHECK_FALSE(FlaggerGate(watched.state, FlaggerHook::kRollback));
  watched.CheckSound();
}

TEST_CASE("external: what was paused for people is theirs until another template comes") {
  Watched watched(ExternalGuard("argo", ", onBad: pause"));
  watched.Bad();
  watched.Run(2s);
  REQUIRE(watched.state.last->outcome == "failed");
  watched.signals.clear();
  watched.Patch(R"({"spec":{"paused":false}})", "");
  watched.Run(3s);
  CHECK_FALSE(watched.Paused());
  watched.CheckSound();

  Watched fixed(ExternalGuard("argo", ", onBad: pause"));
  fixed.Bad();
  fixed.Run(2s);
  fixed.signals.clear();
  REQUIRE(fixed.Paused());
  fixed.Says("v3", "v1", "Progressing");
  fixed.Run(3s);
  CHECK(fixed.state.phase == Phase::kProgressing);
  CHECK_FALSE(fixed.Paused());
  fixed.CheckSound();
}

TEST_CASE("external: a pause of ours does not outlive what it was for") {
  enum class End { kSuperseded, kReturned, kAborted, kDeleted };
  for (const End end : {End::kSuperseded, End::kReturned, End::kAborted, End::kDeleted}) {
    INFO(static_cast<int>(end));
    Watched watched(ExternalGuard("argo", ""));
    REQUIRE(watched.Say(Command::Verb::kPause).accepted);
    watched.Run(2s);
    REQUIRE(watched.Paused());
    if (end == End::kSuperseded) watched.Says("v3", "v1", "Progressing");
    if (end == End::kReturned) watched.Says("v1", "v1", "Healthy");
    if (end == End::kAborted) watched.Patch(R"({"status":{"abort":true}})", "status");
    watched.extra.deleting = end == End::kDeleted;
    watched.Run(4s);
    CHECK_FALSE(watched.Paused());
    CHECK(watched.finalized == (end == End::kDeleted));
    if (end != End::kDeleted) watched.CheckSound();
  }
}

TEST_CASE("external: a guard that is deleted takes its pause off, and says its abort first") {
  Theirs waiting(ExternalGuard("argo", ""));
  waiting.extra.start.frozen = "weekend";
  waiting.Says("v2", "v1", "Progressing");
  waiting.Run(3s);
  REQUIRE(waiting.Paused());
  waiting.extra.deleting = true;
  waiting.Run(3s);
  CHECK_FALSE(waiting.Paused());
  CHECK(waiting.finalized);

  Watched bad(WithApproval());
  bad.Bad();
  bad.Run(2s);
  bad.extra.deleting = true;
  bad.Run(4s);
  CHECK(bad.Aborted());
  CHECK_FALSE(bad.Paused());
  CHECK(bad.finalized);
}

TEST_CASE("external: words are said again when the agent dies before them") {
  Watched watched(ExternalGuard("argo", ""));
  REQUIRE(watched.Say(Command::Verb::kPause).accepted);
  watched.Run(2s);
  REQUIRE(watched.Paused());
  watched.crash_share = 1;
  CHECK(watched.Say(Command::Verb::kResume).accepted);
  watched.Run(1s);
  watched.crash_share = 0;
  watched.Run(3s);
  CHECK_FALSE(watched.Paused());
  watched.crash_share = 1;
  CHECK(watched.Say(Command::Verb::kPromote, "", true).accepted);
  watched.Run(1s);
  watched.crash_share = 0;
  watched.Run(3s);
  CHECK(watched.Status().At("promoteFull").BoolOr(false));
  watched.CheckSound();
}

TEST_CASE("external: a person begins what waits because of an alert") {
  Theirs theirs(ExternalGuard("argo", ""));
  theirs.Bad();
  theirs.signals[0].pre_existing = true;
  theirs.Says("v2", "v1", "Progressing");
  theirs.Run(3s);
  REQUIRE(theirs.state.phase == Phase::kPending);
  REQUIRE(theirs.Paused());
  CHECK(theirs.Say(Command::Verb::kPromote).accepted);
  theirs.Run(3s);
  CHECK(theirs.state.phase == Phase::kProgressing);
  CHECK_FALSE(theirs.Paused());
  theirs.CheckSound();
}

TEST_CASE("external: a release that is seen late began when its pods did") {
  Theirs theirs(ExternalGuard("argo", ""));
  theirs.ReplicaSet("v2");
  const Time made = theirs.world.scheduler().Now();
  theirs.Run(20s);
  theirs.Says("v2", "v1", "Progressing");
  theirs.Run(2s);
  REQUIRE(theirs.state.release.has_value());
  CHECK(theirs.state.release->started <= made);
}

}  // namespace
}  // namespace rollguard::testing
