// SPDX-License-Identifier: Apache-2.0
// Workloads of other controllers: the played controllers do what they are there for, each invariant
// is shown able to fail, and the stories that went wrong once.
#include "agent/base/text.h"
#include "tests/simulation/play.h"

namespace rollguard::simulation {
namespace {

using Kind = Event::Kind;
using Word = release::Command::Verb;
using release::FlaggerHook;

Plan Release(const char* setup, Quality quality, std::vector<Event> more = {}) {
  Plan plan = OneRelease(setup, quality, "20s");
  plan.events.insert(plan.events.end(), more.begin(), more.end());
  plan.delete_at_end = true;
  return plan;
}

TEST_CASE("external: a good version is carried through, a bad one is taken back") {
  for (const Setup& setup : ExternalSetups()) {
    INFO(setup.name);
    CHECK(Play(Release(setup.name.c_str(), Quality::kGood)).stable == ImageOf("v2"));
    for (Quality quality : {Quality::kAlerted, Quality::kCrashing, Quality::kUnready}) {
      INFO(ToString(quality));
      CHECK(Play(Release(setup.name.c_str(), quality)).stable == ImageOf("v1"));
    }
  }
}

TEST_CASE("external: users come to the new version step by step") {
  struct Row {
    const char* setup;
    std::vector<double> shares;
  };
  for (const Row& row : {Row{"argo", {0.25, 0.5, 1}}, Row{"flagger", {0.25, 0.5, 1}}}) {
    INFO(row.setup);
    Simulation simulation(Release(row.setup, Quality::kGood));
    REQUIRE(simulation.SetUp());
    simulation.Happen(simulation.plan().events[0]);
    for (const double share : row.shares) {
      CHECK(simulation.RunUntil(
          [&] {
            const double now = simulation.checker().picture().Share(ImageOf("v2"));
            return now > share - 0.01 && now < share + 0.01;
          },
          minutes(5)));
    }
    CHECK(simulation.checker().violations() == std::vector<std::string>{});
  }
}

// Half of the pods are v2's; the agent's hands are bound, and all that was on its way is over.
struct Half : Simulation {
  explicit Half(const char* setup) : Simulation(Release(setup, Quality::kGood)) {
    REQUIRE(SetUp());
    Happen(plan().events[0]);
    REQUIRE(
        RunUntil([this] { return checker().picture().Share(ImageOf("v2")) > 0.49; }, minutes(5)));
    Happen({.kind = Kind::kCrash, .number = 100'000});
    RunFor(seconds(25));
    REQUIRE(checker().violations() == std::vector<std::string>{});
  }
  void Write(const char* kind, const std::string& patch, const char* subresource = "") {
    ClusterRequest request;
    request.verb = Verb::kPatch;
    for (const sim::TypeInfo* type : world().api().types().All()) {
      if (type->type.kind == kind) request.type = type->type;
    }
    request.ns = kNs;
    request.name = kApp;
    request.patch = PatchKind::kMerge;
    request.subresource = subresource;
    request.body = *ParseJson(patch);
    const sim::ApiReply reply = world().api().Serve(request);
    REQUIRE(reply.ok());
    checker().Wrote(request, reply, false);
    checker().AfterEvent();
  }
  // The durable status as it is on the way back of v2.
  void GoesBack() {
    release::GuardState state = *checker().state();
    state.phase = release::Phase::kRollingBack;
    state.release->trigger = release::Trigger{"bad", "", "rollguard", {}, {}, true};
    state.quarantine.push_back({state.release->candidate, "bad", {}, {}});
    world().api().Update({world().api().TypeId("rollguard.dev", "guards"), kNs, kApp},
                         [&](Json& guard) { guard.Set("status", release::ToJson(state)); });
    RunFor(seconds(21));
  }
  void CheckNamed(const std::string& what) {
    INFO(what << "\n" << Join(checker().violations(), "\n"));
    bool named = false;
    for (const std::string& violation : checker().violations())
      named = named || violation.find(what) != std::string::npos;
    CHECK(named);
  }
};

TEST_CASE("external: the checker names what an agent has no business with") {
  Half size("argo");
  size.Write("Rollout", R"({"spec":{"replicas":9}})");
  size.CheckNamed("foreign: the agent changed what is not its to change");
  Half route("argo");
  route.Write("Service", R"({"metadata":{"labels":{"ours":"yes"}}})");
  route.CheckNamed("foreign: Service checkout was written, which is its controller's");
  Half undone("argo");
  undone.Write("Rollout", R"({"spec":{"template":{"metadata":{"labels":{"x":"y"}}}}})");
  undone.CheckNamed("foreign: the agent wrote another template into the Rollout");
}

TEST_CASE("external: the checker names words for which nothing is durable") {
  Half abort("argo");
  abort.Write("Rollout", R"({"status":{"abort":true}})", "status");
  abort.CheckNamed("was taken back, and nothing durable says why");
  Half pause("argo");
  pause.Write("Rollout", R"({"spec":{"paused":true}})");
  pause.CheckNamed("record: the Rollout was paused, and nothing durable says why");
  Half promoted("argo");
  promoted.GoesBack();
  promoted.Write("Rollout", R"({"status":{"promoteFull":true}})", "status");
  promoted.CheckNamed("is rejected and was told to go on");
}

TEST_CASE("external: the checker names gates that say the opposite of what is durable") {
  Half go("flagger");
  go.GoesBack();
  go.checker().Answered(FlaggerHook::kConfirm, true);
  go.CheckNamed("abort: Flagger was told to go on while the release goes back");
  Half deaf("flagger");
  deaf.GoesBack();
  deaf.checker().Answered(FlaggerHook::kRollback, false);
  deaf.CheckNamed("abort: Flagger was not told that the release goes back");
  Half back("flagger");
  back.checker().Answered(FlaggerHook::kRollback, true);
  back.CheckNamed("record: Flagger was told to go back, and nothing durable says why");
}

TEST_CASE("external: the checker names a Rollout that is left paused") {
  Half left("argo");
  left.world().api().Update({left.world().api().TypeId("argoproj.io", "rollouts"), kNs, kApp},
                            [](Json& rollout) { rollout["spec"].Set("paused", true); });
  left.checker().CheckAtRest();
  left.CheckNamed("foreign: nothing is released and the Rollout is paused");
}

// Argo promoted what people were still asked about, and that was called a rollback.
TEST_CASE("case: a Rollout whose rollback waits for approval") {
  Plan plan = Release("argo", Quality::kAlerted);
  plan.besides.approve_back = true;
  plan.guard_extra += "    onTrigger: immediate\n";
  const Report report = Play(plan);
  CHECK(report.stable == ImageOf("v1"));
  CHECK(report.outcome == "rolledBack");
}

// It was told to go on as soon as it paused, before its first pod could crash, and became stable.
TEST_CASE("case: a Rollout that waits for the word crashes after it is ready") {
  CHECK(Play(DrawPlan(302462)).stable == ImageOf("v1"));
}

// It was only called quarantined, and became stable.
TEST_CASE("case: a rejected template is set again in another controller's workload") {
  for (const Setup& setup : ExternalSetups()) {
    INFO(setup.name);
    const Report report =
        Play(Release(setup.name.c_str(), Quality::kAlerted,
                     {{.at = seconds(100), .kind = Kind::kRelease, .version = "v1"},
                      {.at = seconds(130), .kind = Kind::kRelease, .version = "v2"}}));
    CHECK(report.stable == ImageOf("v1"));
    CHECK(report.starts == 1);
  }
}

// Nobody answered when it asked for a newer version, and after that the gate stayed shut for the
// rejected one.
TEST_CASE("case: Flagger asks for a newer version while the agent is away") {
  const Report report = Play(Release("flagger", Quality::kUnready,
                                     {{.at = seconds(131), .kind = Kind::kRelease, .version = "v3"},
                                      {.at = seconds(138), .kind = Kind::kCrash, .number = 4}}));
  CHECK(report.stable == ImageOf("v3"));
}

// The pause stayed for ever: nobody knew any more whose it was.
TEST_CASE("case: a release that is paused is overtaken") {
  for (const char* version : {"v3", "v1"}) {
    INFO(version);
    const Report report =
        Play(Release("argo", Quality::kGood,
                     {{.at = seconds(15), .kind = Kind::kCommand, .verb = Word::kPause},
                      {.at = seconds(40), .kind = Kind::kRelease, .version = version}}));
    CHECK(report.stable == ImageOf(version));
  }
}

// It put the stable template into the Rollout again and again, and never went.
TEST_CASE("case: the guard is deleted while its Rollout is paused") {
  for (const bool again : {false, true}) {
    Plan plan = Release("argo", Quality::kGood,
                        {{.at = seconds(15), .kind = Kind::kCommand, .verb = Word::kPause},
                         {.at = seconds(40), .kind = Kind::kDelete, .number = again ? 1 : 0}});
    plan.delete_at_end = false;
    Play(plan);
  }
}

// The word was forgotten with the agent that was to say it.
TEST_CASE("case: the agent is killed at each word it has for a Rollout") {
  for (uint64_t nth = 1; nth <= 12; ++nth) {
    for (const bool after : {false, true}) {
      INFO("killed " << (after ? "after" : "at") << " write " << nth);
      Plan plan = Release(
          "argo", Quality::kGood,
          {{.at = seconds(12), .kind = Kind::kCommand, .verb = Word::kPause},
           {.at = seconds(20), .kind = Kind::kCommand, .verb = Word::kResume},
           {.at = seconds(28), .kind = Kind::kCommand, .verb = Word::kPromote, .full = true}});
      plan.crashes = {{nth, after}};
      CHECK(Play(plan).stable == ImageOf("v2"));
      plan.versions["v2"] = Quality::kAlerted;
      plan.events.resize(1);
      CHECK(Play(plan).stable == ImageOf("v1"));
    }
  }
}

}  // namespace
}  // namespace rollguard::simulation
