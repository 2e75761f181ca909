// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/harness/simulation.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::simulation {
namespace {

using Kind = Event::Kind;
using release::Phase;
using Word = release::Command::Verb;

constexpr Duration kHelpEvery = seconds(30);
constexpr Duration kConvergesIn = minutes(60);
constexpr Duration kQuietBefore = seconds(40);
constexpr Duration kQuiet = minutes(60);
constexpr size_t kMaxTrace = 2'000;  // a story that goes in circles is told once

}  // namespace

sim::WorldOptions Simulation::OptionsOf(const Plan& plan) {
  sim::WorldOptions options;
  options.seed = plan.seed + 1;
  options.traffic.seed = plan.seed + 2;
  return options;
}

Simulation::Simulation(Plan plan, bool trace)
    : plan_(std::move(plan)),
      tracing_(trace),
      world_(OptionsOf(plan_)),
      metrics_(world_.scheduler(), minutes(10)) {}

Simulation::~Simulation() {
  second_.agent.reset();
  main_.agent.reset();
}

void Simulation::Note(const std::string& text) {
  if (tracing_ && report_.trace.size() < kMaxTrace)
    report_.trace.push_back(StrCat(FormatClockTime(world_.scheduler().Now()), " ", text));
}

bool Simulation::SetUp() {
  LoadGuard();
  if (!report_.violations.empty()) return false;
  LoadWorld();
  if (!report_.violations.empty()) return false;
  world_.scheduler().RunFor(seconds(20));
  checker_ = std::make_unique<Checker>(world_, plan_);
  LoadGuard();
  Connect(main_, "agent", false);
  StartAgent(main_);
  const bool adopted = RunUntil([this] { return AtRest(); }, minutes(5));
  if (!adopted) checker_->Violated("converge", "the guard does not take its workload over");
  world_.traffic().Start();
  RunFor(seconds(20));
  before_ = world_.traffic().Total();
  WatchAlerts();
  return adopted;
}

// --- Agents ---

void Simulation::Connect(Process& process, const std::string& name, bool faulty) {
  process.name = name;
  process.connection = world_.Connect(faulty ? plan_.faults : sim::FaultPlan::None());
  process.connection->SetObserver(
      [this, &process](const ClusterRequest& request, const sim::ApiReply& reply) {
        Observe(process, request, reply);
      });
}

void Simulation::StartAgent(Process& process) {
  Note(StrCat(process.name, " starts"));
  process.agent = std::make_unique<app::SimAgent>(
      world_.scheduler(), *process.connection, metrics_, history_, library_,
      std::vector<app::Listener*>{this}, plan_.seed + ++agents_);
}

void Simulation::Kill(Process& process, Duration down) {
  if (process.agent == nullptr) return;
  ++report_.kills;
  Note(StrCat(process.name, " is killed"));
  process.connection->Crash();
  process.agent.reset();
  world_.scheduler().After(std::max(down, Duration(50)), [this, &process] {
    if (process.agent == nullptr && process.connection != nullptr) StartAgent(process);
  });
}

void Simulation::PlanWriteCrash() {
  if (next_crash_ >= plan_.crashes.size()) return;
  const WriteCrash& crash = plan_.crashes[next_crash_++];
  const uint64_t done = main_.connection->writes() - faults_base_;
  main_.connection->OnWrite(crash.nth > done ? crash.nth - done : 1, crash.after_effect, [this] {
    Kill(main_, seconds(1));
    PlanWriteCrash();
  });
}

void Simulation::Observe(Process& process, const ClusterRequest& request,
                         const sim::ApiReply& reply) {
  if (request.verb == Verb::kGet || request.verb == Verb::kList) return;
  bool back = false;
  if (process.agent != nullptr) {
    auto known = process.agent->controller().Find(StrCat(kNs, "/", kApp));
    back = known && known->state.phase == Phase::kRollingBack;
  }
  if (checker_ != nullptr) checker_->Wrote(request, reply, back);
  const bool status = request.type.kind == "Guard";
  const char* verb = request.verb == Verb::kCreate   ? "create "
                     : request.verb == Verb::kDelete ? "delete "
                                                     : "patch ";
  const std::string what =
      StrCat(verb, request.type.kind, " ",
             request.name.empty() ? request.body.At("metadata", "name").Str() : request.name);
  if (!status && reply.ok()) written_.push_back(what);
  if (!tracing_ || report_.trace.size() >= kMaxTrace) return;
  std::string body = Abbreviate(request.body.Dump(), status ? 160 : 400);
  Note(StrCat("  ", process.name, ": ", what, request.subresource.empty() ? "" : "/",
              request.subresource, reply.ok() ? "" : " FAILED ",
              reply.ok() ? std::string() : reply.failure->message, " ", body));
}

uint64_t Simulation::WritesReceived() const {
  return main_.connection != nullptr ? main_.connection->writes() - faults_base_ : 0;
}

std::optional<app::GuardSummary> Simulation::Guard() const {
  if (main_.agent == nullptr) return std::nullopt;
  return main_.agent->controller().Find(StrCat(kNs, "/", kApp));
}

// --- What people and machines do ---

void Simulation::PatchTarget(Json patch, const std::string& name) {
  ClusterRequest request;
  request.verb = Verb::kPatch;
  request.type = OwnersType(*plan_.setup);
  request.ns = kNs;
  request.name = name;
  request.patch = PatchKind::kMerge;
  request.field_manager = "someone";
  request.body = std::move(patch);
  auto done = world_.api().Call(request);
  if (!done) Note(StrCat("  refused: ", done.error().message));
}

bool Simulation::Swapped() const { return checker_->state() && checker_->state()->swapped; }

// Into a target that nobody holds at that moment: Kubernetes rolls it behind the routes.
void Simulation::NoteUnheld() {
  if (plan_.setup->kind != "Deployment" || plan_.setup->rolling() || plan_.setup->second) return;
  sim::ObjectPtr target = world_.api().Get("apps", "deployments", kNs, kApp);
  if (target && !target->At("spec", "paused").BoolOr(false)) checker_->AroundTheGuard();
}

std::string Simulation::ImageOfWorkload(const std::string& name) {
  sim::ObjectPtr workload = world_.api().Get("apps", "deployments", kNs, name);
  if (!workload) return {};
  return workload->At("spec", "template", "spec", "containers").At(size_t{0}).At("image").Str();
}

void Simulation::SetVersion(const std::string& version) {
  std::string name = kApp;
  if (plan_.setup->second && !Swapped()) name = "checkout-b";
  // The idle one of two Deployments still has the version before: setting it changes nothing, and
  // nobody can see that it was done. The way back to it is a command.
  if (plan_.setup->second && ImageOfWorkload(name) == ImageOf(version)) {
    Note("which is there already");
    return;
  }
  NoteUnheld();
  checker_->Asked(version);
  // What stands there already, because a way back or a promotion had to put it there for a moment,
  // is set without a trace: what was wished for before is what everybody can know.
  if (ImageOfWorkload(name) != ImageOf(version)) wanted_ = version;
  Json pods = TemplateOf(version, plan_.besides.configured);
  if (plan_.besides.configured) {
    for (const Json& config : {SettingsOf(version), KeysOf(version)}) {
      const std::string type = ToLower(config.At("kind").Str()) + "s";
      world_.api().Update({world_.api().TypeId("", type), kNs, config.At("metadata", "name").Str()},
                          [&](Json& object) { object.Set("data", config.At("data")); });
    }
  }
  if (plan_.setup->second) pods["metadata"]["labels"].Set("slot", name);
  PatchTarget(Json::Obj({{"spec", Json::Obj({{"template", std::move(pods)}})}}), name);
}

void Simulation::Command(Word verb, bool full, app::Controller::Answered answered) {
  if (main_.agent == nullptr) return;
  checker_->PersonSpoke();
  release::Command command;
  command.id = StrCat("c", ++commands_);
  command.verb = verb;
  command.actor = "ann";
  command.groups = {"sre"};
  command.full = full;
  command.at = world_.scheduler().Now();
  main_.agent->controller().Tell(StrCat(kNs, "/", kApp), std::move(command), std::move(answered));
}

release::CommandAnswer Simulation::Say(Word verb, bool full) {
  std::optional<release::CommandAnswer> heard;
  auto answer = std::make_shared<std::optional<release::CommandAnswer>>();
  checker_->AskedForAnything();
  Command(verb, full, [answer](release::CommandAnswer a) { *answer = std::move(a); });
  RunUntil([&] { return answer->has_value(); }, minutes(1));
  return answer->value_or(release::CommandAnswer{});
}

void Simulation::Happen(const Event& event) {
  Note(Describe(event));
  switch (event.kind) {
    case Kind::kRelease: return SetVersion(event.version);
    case Kind::kCommand:
      checker_->AskedForAnything();
      return Command(event.verb, event.full, [this](const release::CommandAnswer& answer) {
        Note(StrCat(answer.accepted ? "  accepted: " : "  refused: ", answer.message));
      });
    case Kind::kScale:
      if (plan_.setup->carrier == Setup::Carrier::kFlagger) return;  // sizes are Flagger's
      checker_->Scaled();
      return PatchTarget(Json::Obj({{"spec", Json::Obj({{"replicas", event.number}})}}),
                         Swapped() ? "checkout-b" : kApp);
    case Kind::kCrash: return Kill(main_, seconds(event.number));
    case Kind::kPartition:
      main_.connection->Partition(true);
      world_.scheduler().After(seconds(event.number), [this] {
        Note("the network is well again");
        main_.connection->Partition(false);
      });
      return;
    case Kind::kDropWatches:
      return main_.connection->DropWatches(event.number == 1 ? ErrorCode::kGone
                                                             : ErrorCode::kUnavailable);
    case Kind::kMetrics:
      metrics_.SetMood(sim::SimMetrics::Mood::kDown);
      world_.scheduler().After(seconds(event.number),
                               [this] { metrics_.SetMood(sim::SimMetrics::Mood::kWell); });
      return;
    case Kind::kSecondAgent: return SecondAgent(seconds(event.number));
    case Kind::kUnpause:
      checker_->AroundTheGuard();
      checker_->AskedForAnything();
      if (plan_.setup->kind == "Deployment" || plan_.setup->kind == "Rollout")
        PatchTarget(Json::Obj({{"spec", Json::Obj({{"paused", Json()}})}}), kApp);
      return;
    case Kind::kTouchRoute: return TouchRoute();
    case Kind::kKillPod: return KillPod();
    case Kind::kDelete: return DeleteGuard(event.number == 1);
  }
}

void Simulation::SecondAgent(Duration life) {
  if (second_.agent != nullptr) return;
  Connect(second_, "second agent", faulty_);
  StartAgent(second_);
  world_.scheduler().After(life, [this] {
    if (second_.connection == nullptr) return;
    Note("the second agent ends");
    second_.connection->Crash();
    second_.agent.reset();
  });
}

void Simulation::KillPod() {
  // A DaemonSet puts one of the template in its spec in the place of a pod that died, also behind
  // the hold, and of a revision that is rejected.
  if (plan_.setup->kind == "DaemonSet") checker_->AroundTheGuard();
  for (const auto& pod : world_.api().List("", "pods", kNs)) {
    if (!sim::PodIsReady(*pod) || sim::IsTerminating(*pod)) continue;
    Note(StrCat("  ", sim::NameOf(*pod)));
    world_.api().Purge({world_.api().TypeId("", "pods"), kNs, std::string(sim::NameOf(*pod))});
    return;
  }
}

// The owner writes an annotation of their own: nothing of ours, but a new resourceVersion.
void Simulation::TouchRoute() {
  for (const Setup::Foreign& foreign : plan_.setup->foreign) {
    const std::string kind(foreign.object.substr(0, foreign.object.find('/')));
    for (const sim::TypeInfo* type : world_.api().types().All()) {
      if (type->type.kind != kind) continue;
      world_.api().Update({type->id, kNs, kApp}, [this](Json& object) {
        object["metadata"]["labels"].Set("touched", StrCat("at-", ++commands_));
      });
      return;
    }
  }
}

void Simulation::DeleteGuard(bool again) {
  checker_->AskedForAnything();
  checker_->AroundTheGuard();
  world_.api().Delete({world_.api().TypeId("rollguard.dev", "guards"), kNs, kApp});
  if (!again) return;
  auto retry = std::make_shared<std::function<void()>>();
  *retry = [this, weak = std::weak_ptr(retry)] {
    if (Gone()) {
      Note("the guard is created again");
      checker_->AroundTheGuard();
      LoadGuard();
    } else if (auto self = weak.lock()) {
      world_.scheduler().After(seconds(5), [self] { (*self)(); });
    }
  };
  world_.scheduler().After(seconds(5), [retry] { (*retry)(); });
}

// --- The run ---

bool Simulation::RunUntil(const std::function<bool()>& done, Duration limit) {
  const Time end = world_.scheduler().Now() + limit;
  while (!done()) {
    auto next = world_.scheduler().Next();
    if (!next || *next > end) return false;
    world_.scheduler().RunOne();
    checker_->AfterEvent();
  }
  return true;
}

void Simulation::RunFor(Duration duration) {
  const Time end = world_.scheduler().Now() + duration;
  for (auto next = world_.scheduler().Next(); next && *next <= end;
       next = world_.scheduler().Next()) {
    world_.scheduler().RunOne();
    checker_->AfterEvent();
  }
  world_.scheduler().RunUntil(end);
}

bool Simulation::Gone() {
  return world_.api().Get("rollguard.dev", "guards", kNs, kApp) == nullptr;
}

bool Simulation::AtRest() {
  if (Gone()) return !LeftToPeople() && !(plan_.setup->kind == "Canary" && CarrierWorks());
  const auto& state = checker_->state();
  if (!state) return false;
  // Whom people let go on with a version that never comes up works for ever.
  const bool let_go = plan_.Has(Kind::kUnpause) && NeverWorks(plan_.QualityOf(wanted_)) &&
                      checker_->StableImage() == ImageOf(wanted_);
  if (CarrierWorks() && !let_go) return false;
  // A guard that was created again may meet a version that never comes up: it waits, as it should.
  const bool waits = plan_.Has(Kind::kDelete) && NeverWorks(plan_.QualityOf(wanted_));
  return state->phase == Phase::kIdle || (waits && state->phase == Phase::kAdopting);
}

// People who answer what waits for them.
void Simulation::Help() {
  auto guard = Guard();
  if (!guard) return;
  const release::GuardState& state = guard->state;
  if (plan_.setup->external()) HelpCarrier(state);
  auto say = [this](Word verb) {
    Note(StrCat("somebody helps: ", release::ToString(verb)));
    Command(verb, false, [this](const release::CommandAnswer& answer) {
      Note(StrCat(answer.accepted ? "  accepted: " : "  refused: ", answer.message));
    });
  };
  // What fires is about the version that is stable, or nothing any more: they have looked.
  const bool fires = state.blocked_by.find("was firing already") != std::string::npos;
  if (state.phase == Phase::kPending && fires) {
    if (alerts_.contains(wanted_)) overruled_.insert(wanted_);
    return say(Word::kPromote);
  }
  if (!state.release) return;
  const bool back = state.phase == Phase::kRollingBack || state.phase == Phase::kVerifying;
  if (back && state.release->paged && !state.release->awaiting_approval) return say(Word::kSkip);
  if (state.phase == Phase::kHeld) return say(Word::kRollBack);
  if (state.release->awaiting_approval) return say(Word::kApprove);
  if (state.release->paused) return say(Word::kResume);
  for (const std::string& reason : guard->reasons) {
    if (reason.starts_with("waits for approval")) return say(Word::kApprove);
  }
}

void Simulation::Recover() {
  Note("--- no more faults");
  faulty_ = false;
  main_.connection->SetFaults(sim::FaultPlan::None());
  main_.connection->Partition(false);
  main_.connection->OnWrite(0, false, nullptr);
  metrics_.SetMood(sim::SimMetrics::Mood::kWell);
  if (second_.connection != nullptr) {
    second_.connection->Crash();
    second_.agent.reset();
  }
  if (main_.agent == nullptr) StartAgent(main_);
  const Time end = world_.scheduler().Now() + kConvergesIn;
  while (world_.scheduler().Now() < end && checker_->violations().empty()) {
    RunFor(kHelpEvery);
    if (AtRest() && world_.scheduler().Now() - checker_->last_write() >= kQuietBefore) return;
    Help();
  }
  auto guard = Guard();
  std::string where = "no agent runs";
  if (guard) {
    where = StrCat(release::ToString(guard->state.phase),
                   guard->reasons.empty() ? "" : StrCat(", ", guard->reasons[0]),
                   guard->problem.empty() ? "" : StrCat(", problem: ", guard->problem));
  }
  checker_->Violated("converge", StrCat("an hour after the last fault it is not at rest: ", where));
}

Report Simulation::Run() {
  const Time began = world_.scheduler().Now();
  if (!SetUp()) {
    if (checker_) report_.violations = checker_->violations();
    return std::move(report_);
  }
  Note("--- faults begin");
  faulty_ = true;
  main_.connection->SetFaults(plan_.faults);
  checker_->SetStaleness(plan_.SeesLate() ? seconds(30) : seconds(2));
  faults_base_ = main_.connection->writes();
  PlanWriteCrash();
  for (const Event& event : plan_.events) {
    world_.scheduler().After(event.at, [this, &event] { Happen(event); });
  }
  const Time end = world_.scheduler().Now() + plan_.faults_for;
  while (world_.scheduler().Now() < end && checker_->violations().empty()) RunFor(seconds(5));
  if (checker_->violations().empty()) Recover();
  if (checker_->violations().empty()) CheckEnd();
  report_.violations = checker_->violations();
  for (const std::string& d : replays_.differences())
    report_.violations.push_back(StrCat("replay: ", d));
  report_.writes = checker_->writes();
  report_.status_writes = checker_->status_writes();
  report_.starts = checker_->starts().size();
  report_.events = world_.scheduler().executed();
  report_.virtual_seconds = ToSeconds(world_.scheduler().Now() - began);
  return std::move(report_);
}

void Simulation::CheckEnd() {
  const sim::TrafficTotals total = world_.traffic().Total();
  report_.requests = total.requests - before_.requests;
  report_.lost = total.lost - before_.lost;
  if (Gone()) {
    checker_->CheckRestored();
    return;
  }
  const auto& state = *checker_->state();
  report_.outcome = state.last ? state.last->outcome : "";
  report_.rollbacks = state.quarantine.size();
  report_.stable = checker_->StableImage();
  checker_->CheckAtRest();
  CheckOutcome();
  if (state.phase != Phase::kAdopting) BeQuiet();
  if (plan_.delete_at_end && checker_->violations().empty()) Goodbye();
}

void Simulation::CheckOutcome() {
  const std::string stable = checker_->StableImage();
  if (plan_.AllIsWell() && stable != ImageOf(wanted_)) {
    checker_->Violated("outcome", StrCat("every version is good, yet ", ImageOf(wanted_),
                                         " did not become stable: ", stable, " is"));
  }
  const bool people =
      plan_.Has(Kind::kCommand) || plan_.Has(Kind::kUnpause) || plan_.Has(Kind::kDelete);
  const std::string last = ImageOf(wanted_);
  // The second Deployment is at rest with this template: to set it again calls the release off.
  const bool off =
      plan_.setup->second && checker_->ImageOfRevision(checker_->state()->baseline) == last;
  if (!people && !plan_.setup->external() && stable != last && !checker_->WasQuarantined(last) &&
      !off)
    checker_->Violated("outcome",
                       StrCat(last, " was set last and never judged: stable is ", stable));
  for (const auto& [version, quality] : plan_.versions) {
    const std::string image = ImageOf(version);
    // A rule needs its time; a shorter bake may end before. So may one before an alert is heard.
    const bool hasty =
        (quality == Quality::kFailing &&
         (plan_.setup->external() || plan_.guard_extra.find("bake: 1m") == std::string::npos)) ||
        (quality == Quality::kAlerted &&
         (!heard_.contains(version) || overruled_.contains(version)));
    if (quality != Quality::kGood && !people && !hasty && stable == image)
      checker_->Violated("outcome", StrCat(image, " is ", ToString(quality), " and became stable"));
    if (quality == Quality::kGood && !people && checker_->WasQuarantined(image) &&
        !plan_.Has(Kind::kKillPod)) {
      checker_->Violated("outcome", StrCat(image, " is good and was rejected"));
    }
  }
  if (plan_.AllIsWell() && plan_.setup->lossless && report_.lost > report_.requests * 0.001) {
    checker_->Violated("lossless", StrCat("lost ", FormatNumber(report_.lost), " of ",
                                          FormatNumber(report_.requests), " requests"));
  }
}

// With nothing running an abort changes nothing; and then nothing is written for an hour.
void Simulation::BeQuiet() {
  Note("--- an hour of quiet");
  world_.traffic().Stop();
  const uint64_t writes = checker_->writes(), status = checker_->status_writes();
  auto heard = std::make_shared<std::string>("never answered");
  Command(Word::kAbort, false, [heard](const release::CommandAnswer& answer) {
    *heard = answer.accepted ? "accepted" : "refused";
  });
  RunFor(kQuiet);
  if (*heard != "refused")
    checker_->Violated("nothing", StrCat("an abort with nothing running was ", *heard));
  if (checker_->writes() != writes || checker_->status_writes() != status) {
    checker_->Violated(
        "quiet", StrCat(checker_->writes() - writes, " writes and ",
                        checker_->status_writes() - status, " status writes in an hour at rest"));
  }
}

void Simulation::Goodbye() {
  Note("--- the guard is deleted");
  DeleteGuard(false);
  const bool gone = RunUntil([this] { return Gone(); }, minutes(30));
  RunFor(minutes(2));
  if (!gone) checker_->Violated("converge", "a deleted guard does not go");
  checker_->CheckRestored();
}

// --- Listener ---

void Simulation::Decided(const spec::Guard&, const release::Decision& decision) {
  Note(StrCat("[", decision.phase, "] ", release::ToString(decision.verdict), ": ",
              decision.reason));
}

void Simulation::Changed(const spec::Guard&, const release::GuardState& before,
                         const release::GuardState& after, const release::Observation&) {
  if (before.phase != after.phase)
    Note(StrCat("phase ", release::ToString(before.phase), " -> ", release::ToString(after.phase)));
}

void Simulation::Told(const spec::Guard&, const release::Notify&) {}
void Simulation::Removed(const std::string&) {}

}  // namespace rollguard::simulation
