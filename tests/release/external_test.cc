// SPDX-License-Identifier: Apache-2.0
// Workloads of other controllers: an Argo Rollout is told by patches, a Flagger Canary asks.
#include "tests/release/theirs.h"

namespace rollguard::testing {
namespace {

using release::Signal;
using RunPhase = release::RunView::Phase;

TEST_CASE("argo: a good release is watched, and promoted past its pauses when that is wanted") {
  Theirs theirs(ExternalGuard("argo", ", promote: true"));
  theirs.Says("v2", "v1", "Progressing");
  theirs.Run(2s);
  CHECK(theirs.state.phase == Phase::kProgressing);
  theirs.Patch(R"({"status":{"phase":"Paused","pauseConditions":[{"reason":"CanaryPauseStep"}]}})",
               "status");
  theirs.extra.blind = "metrics do not answer";
  theirs.Run(2s);
  CHECK(theirs.Status().Find("pauseConditions") != nullptr);
  theirs.extra.blind.clear();
  theirs.Run(2s);
  CHECK(theirs.Status().Find("pauseConditions") == nullptr);
  theirs.Says("v2", "v2", "Healthy");
  theirs.Run(2s);
  CHECK(theirs.state.last->outcome == "promoted");
  CHECK(theirs.state.stable == "v2");
  theirs.CheckSound();
}

// Of pods that have just come up nobody knows anything yet.
TEST_CASE("argo: the word to go on waits for a look at the pause, and for what is pending") {
  Theirs theirs(ExternalGuard("argo", ", promote: true"));
  theirs.Says("v2", "v1", "Progressing");
  theirs.Run(2s);
  theirs.Patch(StrCat(R"({"status":{"phase":"Paused","pauseConditions":[{"reason":)",
                      R"("CanaryPauseStep","startTime":")",
                      FormatRfc3339(theirs.world.scheduler().Now()), R"("}]}})"),
               "status");
  theirs.Run(13s);
  CHECK(theirs.Status().Find("pauseConditions") != nullptr);
  theirs.signals = {Make("Errors", spec::TriggerAction::kRollback, spec::RuleSeverity::kCritical)};
  theirs.signals[0].state = Signal::State::kPending;
  theirs.Run(5s);
  CHECK(theirs.Status().Find("pauseConditions") != nullptr);
  theirs.signals[0].state = Signal::State::kOk;
  theirs.Run(2s);
  CHECK(theirs.Status().Find("pauseConditions") == nullptr);
  theirs.CheckSound();
}

TEST_CASE("argo: the word to go on waits for the first measurement of the analysis") {
  for (const bool measured : {false, true}) {
    Theirs theirs(
        ExternalGuard("argo", ", promote: true, analysis: {templates: [{templateName: well}]}"));
    const auto phase = measured ? RunPhase::kRunning : RunPhase::kPending;
    theirs.run_answers["background"] = phase;
    theirs.Says("v2", "v1", "Progressing");
    theirs.Run(2s);
    theirs.Patch(
        R"({"status":{"phase":"Paused","pauseConditions":[{"reason":"CanaryPauseStep"}]}})",
        "status");
    theirs.Run(5s);
    CHECK((theirs.Status().Find("pauseConditions") == nullptr) == measured);
  }
}

TEST_CASE("argo: a bad release is aborted, undone or paused") {
  struct Row {
    const char* on_bad;
    const char* outcome;
  };
  for (const Row& row :
       {Row{"abort", "rolledBack"}, Row{"undo", "rolledBack"}, Row{"pause", "failed"}}) {
    INFO(row.on_bad);
    Theirs theirs(ExternalGuard("argo", StrCat(", onBad: ", row.on_bad)));
    theirs.StableReplicaSet();
    theirs.Says("v2", "v1", "Progressing");
    theirs.Run(2s);
    theirs.Bad();
    theirs.Run(2s);
    const std::string what = row.on_bad;
    CHECK(theirs.Status().At("abort").BoolOr(false) == (what == "abort"));
    CHECK(theirs.Spec().At("paused").BoolOr(false) == (what == "pause"));
    const Json pods = theirs.Spec().At("template");
    CHECK(pods.At("spec", "containers").At(0).At("image").Str() ==
          (what == "undo" ? "shop/checkout:v1" : "shop/checkout:v2"));
    CHECK(pods.At("metadata", "labels").Find("rollouts-pod-template-hash") == nullptr);
    if (what == "undo") theirs.Says("v1", "v1", "Healthy");
    theirs.signals.clear();
    theirs.Run(15s);
    REQUIRE(theirs.state.last.has_value());
    CHECK(theirs.state.last->outcome == row.outcome);
    CHECK(theirs.state.Quarantined("v2", theirs.world.scheduler().Now()) != nullptr);
    theirs.CheckSound();
  }
}

TEST_CASE("argo: what people say") {
  Theirs theirs(ExternalGuard("argo", ""));
  theirs.Says("v2", "v1", "Paused");
  theirs.Run(2s);
  CHECK(theirs.Say(Command::Verb::kPause).accepted);
  theirs.Run(2s);
  CHECK(theirs.Spec().At("paused").BoolOr(false));
  CHECK(theirs.Say(Command::Verb::kResume).accepted);
  theirs.Run(2s);
  CHECK_FALSE(theirs.Spec().At("paused").BoolOr(true));
  CHECK(theirs.Say(Command::Verb::kPromote, "", true).accepted);
  theirs.Run(2s);
  CHECK(theirs.Status().At("promoteFull").BoolOr(false));
  CHECK(theirs.Say(Command::Verb::kAbort).accepted);
  theirs.Run(15s);
  CHECK(theirs.Status().At("abort").BoolOr(false));
  CHECK(theirs.state.last->outcome == "rolledBack");
  CHECK(theirs.Say(Command::Verb::kRetry).accepted);
  theirs.Run(2s);
  CHECK_FALSE(theirs.Status().At("abort").BoolOr(true));
  CHECK(theirs.state.phase == Phase::kProgressing);
}

TEST_CASE("argo: what may not start is paused until it may; a revert ends that too") {
  for (const bool reverted : {false, true}) {
    Theirs theirs(ExternalGuard("argo", ""));
    theirs.extra.start.frozen = "weekend";
    theirs.Says("v2", "v1", "Progressing");
    theirs.Run(3s);
    CHECK(theirs.state.blocked_by == "frozen: weekend");
    CHECK(theirs.Spec().At("paused").BoolOr(false));
    if (reverted) {
      theirs.Says("v1", "v1", "Healthy");
    } else {
      theirs.extra.start.frozen.clear();
    }
    theirs.Run(3s);
    CHECK_FALSE(theirs.Spec().At("paused").BoolOr(true));
    CHECK(theirs.state.release.has_value() == !reverted);
    theirs.CheckSound();
  }
}

TEST_CASE("argo: images that are refused are taken back at once") {
  Theirs theirs(ExternalGuard("argo", "", "  artifacts: {requireDigest: true}\n"));
  theirs.extra.start.artifacts = {release::StartView::Artifacts::State::kRefused, "not pinned"};
  theirs.Says("v2", "v1", "Progressing");
  theirs.Run(3s);
  CHECK(theirs.Status().At("abort").BoolOr(false));
  theirs.Run(15s);
  CHECK(theirs.state.last->reason == "not pinned");
}

TEST_CASE("flagger: its gates open and shut with what is decided, and say why") {
  Theirs theirs(ExternalGuard("flagger", ""));
  auto go = [&] { return FlaggerGate(theirs.state, FlaggerHook::kConfirm); };
  auto back = [&] { return FlaggerGate(theirs.state, FlaggerHook::kRollback); };
  CHECK(go());
  CHECK_FALSE(back());
  theirs.extra.start.frozen = "weekend";
  theirs.Says("v2", "v1", "Progressing");
  theirs.Run(2s);
  CHECK_FALSE(go());
  CHECK(release::FlaggerReason(theirs.state, FlaggerHook::kConfirm) == "frozen: weekend");
  theirs.extra.start.frozen.clear();
  theirs.Run(2s);
  CHECK(go());
  theirs.extra.blind = "metrics do not answer";
  theirs.Run(2s);
  CHECK_FALSE(go());
  theirs.extra.blind.clear();
  CHECK(theirs.Say(Command::Verb::kPause).accepted);
  theirs.Run(2s);
  CHECK_FALSE(go());
  CHECK(theirs.Say(Command::Verb::kResume).accepted);
  theirs.Run(2s);
  CHECK(go());
  theirs.Bad();
  theirs.Run(2s);
  CHECK(back());
  CHECK_FALSE(go());
  theirs.Says("v2", "v1", "Failed");
  theirs.signals.clear();
  theirs.Run(15s);
  CHECK(theirs.state.last->outcome == "rolledBack");
  CHECK_FALSE(back());
  theirs.CheckSound();
}

}  // namespace
}  // namespace rollguard::testing
