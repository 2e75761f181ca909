// SPDX-License-Identifier: Apache-2.0
// Stories that seeds found and that went wrong once. Each is named after what it was.
#include "agent/base/text.h"
#include "tests/simulation/play.h"

namespace rollguard::simulation {
namespace {

using Kind = Event::Kind;
using Word = release::Command::Verb;

Plan Story(const char* setup, std::vector<Event> events) {
  Plan plan = OneRelease(setup, Quality::kGood, "20s");
  plan.seed = 77;
  plan.events = std::move(events);
  plan.delete_at_end = true;
  return plan;
}

// The target rolled behind routes that were pinned to stable's pods: with the last of them nine
// tenths of the users had nobody to answer.
TEST_CASE("case: the hold is taken off in the middle of a canary") {
  for (const char* setup : {"canary traefik", "canary istio subsets", "canary nginx"}) {
    for (int64_t at : {4, 9, 15, 24, 40, 70}) {
      INFO(setup << " at " << at);
      Play(Story(setup, {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                         {.at = seconds(at), .kind = Kind::kUnpause}}));
    }
  }
}

TEST_CASE("case: the hold is taken off and a newer template follows") {
  const Report report =
      Play(Story("canary traefik", {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                                    {.at = seconds(15), .kind = Kind::kUnpause},
                                    {.at = seconds(15), .kind = Kind::kRelease, .version = "v3"}}));
  CHECK(report.stable == ImageOf("v3"));
}

// Pods outlive their ReplicaSet for a while; with it out of sight they were taken for gone.
TEST_CASE("case: pods of a deleted candidate still answer") {
  Plan plan =
      Story("canary replicas", {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"}});
  plan.versions["v2"] = Quality::kAlerted;
  const Report report = Play(plan);
  CHECK(report.outcome == "rolledBack");
  CHECK(report.stable == ImageOf("v1"));
}

// The way back walked down from the share that was decided last, which had not been given yet: it
// gave a rejected revision more than it had.
TEST_CASE("case: a gradual way back begins before the next share was given") {
  for (uint64_t nth = 10; nth <= 20; ++nth) {
    INFO("killed at write " << nth);
    Plan plan =
        Story("canary traefik", {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"}});
    plan.guard_extra += "    onTrigger: gradual\n";
    plan.versions["v2"] = Quality::kAlerted;
    plan.crashes = {{nth, false}};
    CHECK(Play(plan).outcome == "rolledBack");
  }
}

// Nobody had released it, it was rejected, and one pod of it ran on behind the hold that was put
// back.
TEST_CASE("case: a pod of a rejected revision slips in while the hold is off") {
  for (const char* setup : {"canary contour", "canary replicas", "blue/green", "rolling"}) {
    for (Quality quality : {Quality::kAlerted, Quality::kUnpullable}) {
      INFO(setup << " " << ToString(quality));
      Plan plan = Story(setup, {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                                {.at = minutes(3), .kind = Kind::kUnpause}});
      plan.versions["v2"] = quality;
      plan.guard_extra = ReplaceAll(plan.guard_extra, "20s", "1m");
      CHECK(Play(plan).stable == ImageOf("v1"));
    }
  }
}

// The newer template was put away, and with it the way back was taken for gone: Services were
// widened over the pod that had slipped in.
TEST_CASE("case: a pod slips in under a canary that is overtaken") {
  for (int64_t at : {10, 21, 30}) {
    INFO("at " << at);
    Plan plan =
        Story("canary apisix", {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                                {.at = seconds(at), .kind = Kind::kUnpause},
                                {.at = seconds(52), .kind = Kind::kRelease, .version = "v3"}});
    CHECK(Play(plan).stable == ImageOf("v3"));
  }
}

// The stable template came back while a pod of another revision was left: nobody let it go.
TEST_CASE("case: the owner goes back while a pod that slipped in still runs") {
  Plan plan = Story("canary traefik", {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                                       {.at = minutes(2), .kind = Kind::kUnpause},
                                       {.at = minutes(2), .kind = Kind::kRelease, .version = "v1"},
                                       {.at = minutes(3), .kind = Kind::kUnpause}});
  plan.versions["v2"] = Quality::kUnready;
  CHECK(Play(plan).stable == ImageOf("v1"));
}

// Who does not hold the target sees a rejected template roll out once more: it was left running.
TEST_CASE("case: a rejected template is set again where nobody holds the target") {
  for (Quality quality : {Quality::kUnpullable, Quality::kAlerted, Quality::kCrashing}) {
    INFO(ToString(quality));
    Plan plan =
        Story("rolling observed", {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                                   {.at = minutes(3), .kind = Kind::kRelease, .version = "v2"}});
    plan.guard_extra = ReplaceAll(plan.guard_extra, "20s", "1m");
    plan.versions["v2"] = quality;
    const Report report = Play(plan);
    CHECK(report.stable == ImageOf("v1"));
    CHECK(report.starts == 1);
  }
}

// An agent whose watch had not come back gave up what another had begun, and that one began anew,
// many times a second.
TEST_CASE("case: two agents, and one sees an older template") {
  for (const char* setup : {"rolling observed", "rolling", "canary contour"}) {
    INFO(setup);
    Plan plan = Story(setup, {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                              {.at = seconds(107), .kind = Kind::kPartition, .number = 32},
                              {.at = seconds(112), .kind = Kind::kRelease, .version = "v3"},
                              {.at = seconds(140), .kind = Kind::kSecondAgent, .number = 112}});
    const Report report = Play(plan);
    CHECK(report.stable == ImageOf("v3"));
    CHECK(report.starts == 2);
  }
}

// A guard that is made anew after two Deployments changed roles took the idle one for production.
TEST_CASE("case: the guard is created again after two Deployments changed roles") {
  Plan plan = Story("canary gateway second Deployment",
                    {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                     {.at = minutes(3), .kind = Kind::kDelete, .number = 1}});
  plan.delete_at_end = false;
  CHECK(Play(plan).stable == ImageOf("v2"));
}

// Stable was given everything although its ReplicaSet was being scaled down at that moment.
TEST_CASE("case: the alert comes while the target follows") {
  for (const char* setup : {"blue/green", "canary traefik", "canary smi"}) {
    for (uint64_t seed = 1; seed <= 8; ++seed) {
      INFO(setup << ", seed " << seed);
      Plan plan = Story(setup, {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"}});
      plan.seed = seed;
      plan.replicas = 3;
      plan.versions["v2"] = Quality::kAlerted;
      plan.guard_extra = ReplaceAll(plan.guard_extra, "20s", "5s");
      plan.faults = sim::FaultPlan::Rough();
      Play(plan);
    }
  }
}

// The answer to a write came after the watch had told of later changes; it was taken for the newest
// view, and since nothing changed any more, for ever.
TEST_CASE("case: an answer is older than what the watch has told") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    Plan plan = Story("rolling", {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"}});
    plan.seed = seed;
    plan.versions["v2"] = Quality::kUnpullable;
    plan.faults.slow = 0.3;
    const Report report = Play(plan);
    CHECK(report.outcome == "rolledBack");
    CHECK(report.stable == ImageOf("v1"));
  }
}

// The answer to a write came after the watch had told of the object's creation and of its end; it
// stood for an object that was gone, which was then deleted again and again.
TEST_CASE("case: an answer comes after the end of its object") { Play(DrawPlainPlan(500588)); }

// Pods of the version before were still there when the next one began, and were held against it.
TEST_CASE("case: pods of the rejected version fail on while the next one begins") {
  CHECK(Play(DrawPlainPlan(500697)).stable == ImageOf("v3"));
}

// The rejected template rolled behind a rollback that was being verified, and nobody took it back.
TEST_CASE("case: the hold is taken off while the rollback is verified") {
  CHECK(Play(DrawPlainPlan(500032)).stable == ImageOf("v1"));
  for (const char* setup : {"canary istio services", "blue/green", "rolling", "canary replicas"}) {
    for (int64_t at : {44, 52, 60, 68}) {
      INFO(setup << " at " << at);
      Plan plan = Story(setup, {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                                {.at = seconds(at), .kind = Kind::kUnpause}});
      plan.versions["v2"] = Quality::kAlerted;
      plan.guard_extra = ReplaceAll(plan.guard_extra, "20s", "1m");
      plan.guard_extra += "    maxPerHour: 1\n";
      CHECK(Play(plan).stable == ImageOf("v1"));
    }
  }
}

// Of two Deployments the one that had been given everything got another template, unjudged, and was
// promoted with it.
TEST_CASE("case: another template where production is by now") {
  CHECK(Play(DrawPlainPlan(500149)).stable == ImageOf("v1"));
  for (int64_t at : {62, 66, 70, 90}) {
    INFO("at " << at);
    Plan plan = Story("canary gateway second Deployment",
                      {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                       {.at = seconds(at), .kind = Kind::kRelease, .version = "v3"}});
    plan.versions["v3"] = Quality::kCrashing;
    plan.delete_at_end = false;
    Play(plan);
  }
}

// The write that puts stable's template back was refused; the newer template, still in its place,
// was taken for put back already, and routes returned to pods of two versions.
TEST_CASE("case: the undo under a newer template is refused once") { Play(DrawPlainPlan(500655)); }

// What was stable was bad, its alert went on, and no release could begin: neither the one that
// mends it nor the way back. People may say so.
TEST_CASE("case: the alert about a promoted version is no reason to keep the next one out") {
  CHECK(Play(DrawPlainPlan(500951)).outcome == "rolledBack");
  Plan plan = DrawPlainPlan(500951);
  plan.versions["v3"] = Quality::kGood;
  CHECK(Play(plan).stable == ImageOf("v3"));
  plan.events[1] = {.at = seconds(68), .kind = Kind::kCommand, .verb = Word::kRollBack};
  CHECK(Play(plan).stable == ImageOf("v1"));
}

// An agent that was away for longer than the progress deadline rejected a version that had come up
// meanwhile, at its first look.
TEST_CASE("case: the progress deadline passes while the agent is away") {
  CHECK(Play(DrawPlainPlan(700069)).outcome == "promoted");
}

// One stable pod short of what a step needs, behind the hold that was put back: for ever.
TEST_CASE("case: a hold that was off for a moment leaves stable short") {
  for (int64_t at : {30, 70, 100}) {
    INFO("at " << at);
    Plan plan =
        Story("canary gateway", {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                                 {.at = seconds(at), .kind = Kind::kUnpause}});
    plan.besides.approve_step = true;
    Play(plan);
  }
}

// Where nobody holds the target a rollout was seen late, and the alert about it was taken for one
// that had been firing before.
TEST_CASE("case: a rollout that nobody holds is seen late") {
  CHECK(Play(DrawPlan(700263)).stable == ImageOf("v1"));
}

// A hook of the rollback failed for good, and the Guard that was being deleted heard nobody.
TEST_CASE("case: a guard is deleted whose rollback hook fails") {
  Plan plan = Story("canary gateway", {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                                       {.at = seconds(16), .kind = Kind::kDelete, .number = 1}});
  plan.besides.hooks = Besides::Hooks::kRollbackFails;
  Play(plan);
}

// What its predecessor was doing went on under the name of a Guard that was made anew.
TEST_CASE("case: a guard is made anew while a write of the former one is under way") {
  Play(DrawPlan(700994));
}

// The ReplicaSets were seen later than their Deployment: pods that had long gone were taken for a
// rollout behind the rollback, which was ended without its last hook.
TEST_CASE("case: ReplicaSets are seen late while a rollback is verified") {
  CHECK(Play(DrawPlan(1025)).outcome == "rolledBack");
}

// The target had followed, its owner put the stable template back behind the hold, and the rollback
// was taken for done while every pod was of the rejected revision.
TEST_CASE("case: the template goes back behind the hold while the release is promoted") {
  CHECK(Play(DrawPlan(1144)).stable == ImageOf("v1"));
  for (int64_t at : {104, 112, 120, 128}) {
    INFO("at " << at);
    Plan plan = Story("canary generic",
                      {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                       {.at = seconds(at), .kind = Kind::kRelease, .version = "v1"},
                       {.at = seconds(at + 2), .kind = Kind::kCommand, .verb = Word::kAbort}});
    plan.guard_extra = ReplaceAll(plan.guard_extra, "20s", "1m");
    Play(plan);
  }
}

// The ConfigMap that came with a template was seen later than the template: what was kept of that
// version was the former one's, and a later rollback put that back.
TEST_CASE("case: configuration is seen later than its template") {
  CHECK(Play(DrawPlan(1468)).stable == ImageOf("v2"));
}

// An agent that had not heard yet that another had returned the routes laid them out once more,
// and the other took away what they named then.
TEST_CASE("case: routes are returned while another agent still keeps them") {
  CHECK(Play(DrawPlan(1100080)).stable == ImageOf("v2"));
}

// Half rolled behind a hold that was off for a moment, then resized to what the newer half has: the
// cluster took stable's last pods (which a real one does not).
TEST_CASE("case: a hold that was off for a moment, then another size") {
  CHECK(Play(DrawPlan(1473)).stable == ImageOf("v1"));
}

// An agent came back with a new status and old watches: it took a candidate that it had not seen
// for gone, and returned the Service that still led to its pods.
TEST_CASE("case: a rollback is taken over by an agent whose watches lag") { Play(DrawPlan(507)); }

// The answer to a rule's query came after the agent had been killed, and was noted in what had been
// its memory.
TEST_CASE("case: metrics answer after the agent has gone") { Play(DrawPlan(1608)); }

// Told that its write had failed, which had not, one agent went on as it had been and laid the
// header route and the share out again that another had taken back.
TEST_CASE("case: a share is laid out again by an agent that does not know of the way back") {
  CHECK(Play(DrawPlan(301090)).outcome == "rolledBack");
}

// An agent came back from a minute without the server: its watches told what had happened one after
// the other, each in its own time, and stable was given a share with pods that had gone since.
TEST_CASE("case: views of another time after the network was down") {
  CHECK(Play(DrawPlan(301261)).stable == ImageOf("v1"));
}

// Who had been cut off while another agent finished and let the Guard go held the target again.
TEST_CASE("case: the guard goes while one of two agents is cut off") { Play(DrawPlan(1795277853)); }

// Its DaemonSet put a pod of the rejected template that was in the spec in the place of one that
// died.
TEST_CASE("case: a pod of a DaemonSet dies while its spec has a rejected template") {
  CHECK(Play(DrawPlan(302378)).stable == ImageOf("v1"));
}

// Nothing goes on while a pod is not ready, and the one that never would be was of neither template
// any more: neither the newer version came nor the stable one back.
TEST_CASE("case: a StatefulSet's version that never works is overtaken") {
  struct Row {
    const char* then;
    Quality quality;
    const char* stable;
  };
  for (const Row& row : {Row{"v3", Quality::kGood, "v3"}, Row{"v3", Quality::kUnready, "v1"},
                         Row{"v3", Quality::kAlerted, "v1"}, Row{"v1", Quality::kGood, "v1"}}) {
    for (const bool frozen : {false, true}) {
      INFO(row.then << " is " << ToString(row.quality) << (frozen ? ", frozen" : ""));
      Plan plan = Story("rolling StatefulSet",
                        {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                         {.at = seconds(40), .kind = Kind::kRelease, .version = "v3"}});
      plan.delete_at_end = false;
      plan.versions["v2"] = Quality::kUnready;
      plan.versions["v3"] = row.quality;
      if (row.then == std::string("v1"))
        plan.events.push_back({.at = seconds(60), .kind = Kind::kRelease, .version = "v1"});
      if (frozen) {
        plan.besides.frozen_from = minutes(1);
        plan.besides.frozen_for = minutes(1);
      }
      CHECK(Play(plan).stable == ImageOf(row.stable));
    }
  }
  CHECK(Play(DrawPlan(302965)).stable == ImageOf("v3"));
}

// What was stable came and went with its crashes, and each time the release stood still for that;
// its candidate was called late for it, and traffic had nowhere to go back to.
TEST_CASE("case: a release stands still for longer than its pods may take") {
  CHECK(Play(DrawPlan(302925)).stable == ImageOf("v1"));
}

// What is in the idle one of two Deployments already can be set without anybody seeing it.
TEST_CASE("case: the version before is set where it is already") {
  CHECK(Play(DrawPlan(301048)).stable == ImageOf("v2"));
}

// A pod of a StatefulSet is called as its predecessor was: the rule looked back at what the version
// before had failed under the same names, and rejected the good one for it.
TEST_CASE("case: a StatefulSet's failing version is replaced by a good one") {
  CHECK(Play(DrawPlan(302629)).stable == ImageOf("v3"));
  for (int64_t at : {50, 55, 60, 125}) {
    INFO("at " << at);
    Plan plan = Story("rolling StatefulSet",
                      {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                       {.at = seconds(at), .kind = Kind::kRelease, .version = "v3"}});
    plan.guard_extra = ReplaceAll(plan.guard_extra, "20s", "1m");
    plan.delete_at_end = false;
    plan.versions["v2"] = Quality::kFailing;
    plan.versions["v3"] = Quality::kGood;
    CHECK(Play(plan).stable == ImageOf("v3"));
    plan.events.pop_back();
    CHECK(Play(plan).outcome == "rolledBack");
    std::swap(plan.versions["v2"], plan.versions["v3"]);
    plan.events.push_back({.at = seconds(at), .kind = Kind::kRelease, .version = "v3"});
    CHECK(Play(plan).stable != ImageOf("v3"));
  }
}

// How long after the beginning its first version goes back.
Duration BackAfter(const Plan& plan) {
  Simulation simulation(plan);
  REQUIRE(simulation.SetUp());
  const Time began = simulation.world().scheduler().Now();
  simulation.Happen(plan.events[0]);
  REQUIRE(simulation.RunUntil(
      [&] {
        auto guard = simulation.Guard();
        return guard && guard->state.phase == release::Phase::kRollingBack;
      },
      minutes(5)));
  return simulation.world().scheduler().Now() - began + plan.events[0].at;
}

// The undo put stable's template over it, and nobody ever released it.
TEST_CASE("case: a newer template is set while a release goes back") {
  for (const char* setup :
       {"rolling StatefulSet", "rolling DaemonSet", "rolling", "rolling observed", "canary traefik",
        "canary gateway second Deployment"}) {
    for (const Quality quality : {Quality::kFailing, Quality::kUnready}) {
      Plan plan = Story(setup, {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"}});
      plan.guard_extra = ReplaceAll(plan.guard_extra, "20s", "1m");
      plan.delete_at_end = false;
      plan.versions["v2"] = quality;
      const Duration back = BackAfter(plan);
      for (int64_t later : {0, 2, 5, 12, 25}) {
        INFO(setup << ", v2 is " << ToString(quality) << ", v3 comes " << later << " s after it");
        Plan newer = plan;
        newer.versions["v3"] = Quality::kGood;
        newer.events.push_back(
            {.at = back + seconds(later), .kind = Kind::kRelease, .version = "v3"});
        CHECK(Play(newer).stable == ImageOf("v3"));
      }
    }
  }
}

// Another template came between the look that saw the bake end and the hold, which was refused for
// it. The promotion began its first stage anew with every look, and wrote so for ever.
TEST_CASE("case: another template rolls before a promoted target is held") {
  CHECK(Play(DrawPlan(1795330547)).stable == ImageOf("v1"));
  CHECK(Play(DrawPlan(1795330547)).status_writes < 100);
}

// The former stable one of two Deployments had been scaled down by the promotion, whose last hook
// still ran; zero pods were taken for all that it needs, and everything went back to nobody.
TEST_CASE("case: a template is replaced while the hook after its promotion runs") {
  Play(DrawPlan(1795326931));
  for (int64_t at = 90; at <= 150; at += 4) {
    INFO("at " << at);
    Plan plan = Story("canary gateway second Deployment",
                      {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                       {.at = seconds(at), .kind = Kind::kRelease, .version = "v1"}});
    plan.versions["v2"] = Quality::kGood;
    plan.delete_at_end = false;
    Play(plan);
  }
}

// Its pods were all there, and some were missing after that: no rollout that had to stand still.
TEST_CASE("case: a target is scaled while its rollback waits for approval") {
  Play(DrawPlan(1795328048));
}

// The candidate was gone already, all traffic with the new template of the target: the rollback was
// taken for done before stable's template was back.
TEST_CASE("case: a trigger at the very end of a promotion") { Play(DrawPlan(1795331027)); }

// What an agent that was away, or cut off, made of the time that had passed. In order: an alert
// that began between a rolling release's pods and its notice was taken for an older one; a bake was
// over before any rule had been asked again; the time in which nothing could be asked for counted
// against the version; one failed list after another kept the agent blind long after the network
// was well.
TEST_CASE("case: an agent comes back in the middle of a release") {
  for (const uint64_t seed : {1795330295, 1795331993, 1795332400, 1795330990}) {
    INFO("seed " << seed);
    Play(DrawPlan(seed));
  }
}

// Without a router and with all traffic on the candidate the target stands at zero. Brought back,
// Kubernetes starts its latest ReplicaSet, which was of a version rejected long before.
TEST_CASE("case: stable comes back from zero pods and a rejected version is younger") {
  CHECK(Play(DrawPlan(1795328903)).stable == ImageOf("v1"));
}

// The create had an effect and no answer, and the watch was late: routes returned to a Service that
// led to the candidate's pods as well.
TEST_CASE("case: a template goes back while its candidate is being created") {
  Play(DrawPlan(1795400265));
}

// The configuration of a version that was set while the rollback's hook waited for people was
// overwritten once more.
TEST_CASE("case: configuration is set while a hook of the rollback has failed") {
  CHECK(Play(DrawPlan(1795409851)).stable == ImageOf("v3"));
}

// Stable crashed, and the fix waited for stable to be at its size.
TEST_CASE("case: a fix for a stable version that has no pod") {
  CHECK(Play(DrawPlan(1795412457)).stable == ImageOf("v1"));
}

// The answer to the write with which a release began was lost, and the watch had told of it while
// it was under way: the agent went on as if nothing had been written, for ever.
TEST_CASE("case: the answer to a write comes after the watch has told of it, and says it failed") {
  CHECK(Play(DrawPlan(1795412685)).stable == ImageOf("v1"));
}

// It rolled for two minutes while people thought about taking the one before back; its alert was
// taken for older than its release.
TEST_CASE("case: a template rolls while the rollback before it waits for approval") {
  CHECK(Play(DrawPlan(1795428408)).stable == ImageOf("v1"));
}

// The agent came back after the second Deployment had got another template, and took what that
// one's pods did for the former one's doing.
TEST_CASE("case: the template of a second Deployment is replaced while the agent is away") {
  Play(DrawPlan(1795430440));
}

// While the agent was cut off a bad version rolled over the one that was baking, and that one was
// rejected for it.
TEST_CASE("case: an alert about what rolled over the release while the agent was away") {
  Play(DrawPlan(1795371938));
}

// One of two agents laid routes again that were returning, and the other had just seen them at
// rest.
TEST_CASE("case: routes are laid again while a rollback is verified") {
  Play(DrawPlan(1795378964));
}

// An alert came when the guard's status was to be read again and before it was: it was nobody's
// then, and its repetitions were known already.
TEST_CASE("case: an alert comes between a status of another writer and the next look") {
  CHECK(Play(DrawPlan(1795389417)).stable == ImageOf("v1"));
}

// Of the checker, or of a controller that is played: Argo does not promote what it has aborted;
// Flagger does not notice that the template it promoted last is set again; a hold waits for nobody;
// what people let roll needs a moment to go; another agent's write may be on its way; Flagger asks
// nobody once it promotes; a second Deployment's own template calls the release off; Kubernetes
// starts a pod of what is set over one that rolls before anybody can hold it; people promoted a
// version while its alert fired, set what a promotion had just put there, and let Argo go on with a
// version that never comes up.
TEST_CASE("case: what only looked wrong") {
  for (const uint64_t seed :
       {1795327718, 1795332510, 1795408877, 1795407773, 1795411897, 1795417790, 1795427122,
        1795343023, 1795390883, 1795392362, 1795393118}) {
    INFO("seed " << seed);
    Play(DrawPlan(seed));
  }
}

// Values of the configuration were hidden from the record wherever the same text stood.
TEST_CASE("case: configuration that says v1") {
  Plan plan =
      Story("canary istio subsets", {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                                     {.at = minutes(2), .kind = Kind::kRelease, .version = "v3"}});
  plan.versions["v2"] = Quality::kAlerted;
  plan.versions["v3"] = Quality::kGood;
  plan.besides.configured = true;
  CHECK(Play(plan).stable == ImageOf("v3"));
}

}  // namespace
}  // namespace rollguard::simulation
