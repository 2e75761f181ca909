// SPDX-License-Identifier: Apache-2.0
#include "agent/proof/rehearsal.h"

#include <algorithm>
#include <memory>

#include "agent/app/replay_check.h"
#include "agent/app/simulation.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "agent/proof/stage.h"
#include "agent/sim/sim_prober.h"

namespace rollguard::proof {
namespace {

using Kind = ScenarioEvent::Kind;
using release::Phase;

constexpr Duration kSettle =
    std::chrono::minutes(10);  // for the workload to come up and rates to exist
constexpr Duration kMomentEvery = std::chrono::seconds(15);

Json GuardObject(const spec::Guard& guard) {
  return Json::Obj(
      {{"apiVersion", spec::kApiVersion},
       {"kind", "Guard"},
       {"metadata", Json::Obj({{"name", guard.metadata.name}, {"namespace", guard.metadata.ns}})},
       {"spec", yaml::ToJson(guard.raw)}});
}

// One run, from an empty cluster to the outcome.
class Player : public app::Listener {
 public:
  Player(const spec::Guard& guard, const spec::Library& library, const Scenario& scenario,
         uint64_t seed)
      : guard_(guard),
        library_(library),
        scenario_(scenario),
        world_(Options(seed)),
        metrics_(world_.scheduler()),
        prober_(world_.api(), world_.behaviours(), seed + 2) {
    play_.seed = seed;
  }

  Expected<Play> Run() {
    if (Status set = SetUp(); !set) return set.error();
    for (const ScenarioEvent& event : scenario_.events) {
      scheduler().After(event.at, [this, &event] { Happen(event); });
    }
    TakeMoments();
    bool ended = scheduler().RunUntil([this] { return ended_; }, scenario_.duration);
    Conclude(ended);
    if (!replays_.differences().empty()) {
      return Error(ErrorCode::kInternal,
                   StrCat("a decision cannot be replayed: ", replays_.differences()[0]));
    }
    return std::move(play_);
  }

  void Decided(const spec::Guard&, const release::Decision& decision) override {
    play_.decisions.push_back(decision);
    Note("decision", StrCat(release::ToString(decision.verdict), ": ", decision.reason),
         decision.weight);
  }

  void Changed(const spec::Guard&, const release::GuardState& before,
               const release::GuardState& after, const release::Observation& observation) override {
    weight_ = after.release ? after.release->weight : 0;
    score_ = observation.health.score.value_or(-1);
    play_.max_weight = std::max(play_.max_weight, weight_);
    if (before.phase != after.phase) {
      Note("phase", StrCat(release::ToString(before.phase), " -> ", release::ToString(after.phase)),
           weight_);
    }
    if (after.release) release_ = after.release;
    if (before.release && !after.release && after.last) End(*after.last);
  }

  void Told(const spec::Guard&, const release::Notify&) override {}
  void Removed(const std::string&) override {}

 private:
  static sim::WorldOptions Options(uint64_t seed) {
    sim::WorldOptions options;
    options.seed = seed;
    options.traffic.seed = seed + 1;
    return options;
  }

  sim::Scheduler& scheduler() { return world_.scheduler(); }
  Duration Elapsed() { return scheduler().Now() - began_; }

  Status SetUp() {
    auto stage = SetStage(guard_, scenario_);
    if (!stage) return stage.error();
    world_.api().types().Add(kube::resources::Guards());
    for (const ResourceType& type : stage->types) {
      if (world_.api().types().FindKind(type.group, type.kind) == nullptr)
        world_.api().types().Add(type);
    }
    for (const auto& [name, behaviour] : scenario_.revisions) {
      if (Status set = SetBehaviour(name, behaviour); !set) return set;
    }
    for (const Json& object : stage->objects) {
      if (Status loaded = world_.Load(object); !loaded) return loaded;
    }
    world_.traffic().SetSink(&metrics_);
    flow_ = world_.traffic().Add(stage->flow);
    world_.traffic().Start();
    if (Status loaded = world_.Load(GuardObject(guard_)); !loaded) return loaded;
    StartAgent();
    scheduler().RunFor(kSettle);
    began_ = scheduler().Now();
    settled_ = true;
    before_ = world_.traffic().Total();
    return {};
  }

  Status SetBehaviour(const std::string& revision, const Json& behaviour) {
    auto parsed = sim::RevisionBehaviour::FromJson(behaviour, {});
    if (!parsed) return parsed.error();
    world_.behaviours().SetImage(ImageOf(guard_, revision), *parsed);
    behaviours_[revision] = *parsed;
    return {};
  }

  void StartAgent() {
    connection_ = world_.Connect(scenario_.faults && settled_ ? sim::FaultPlan::Rough()
                                                              : sim::FaultPlan::None());
    agent_ = std::make_unique<app::SimAgent>(scheduler(), *connection_, metrics_, history_,
                                             library_, std::vector<app::Listener*>{this, &replays_},
                                             play_.seed + ++starts_, &prober_);
  }

  void Happen(const ScenarioEvent& event) {
    switch (event.kind) {
      case Kind::kRelease: return Release(event);
      case Kind::kFault: return Fault(event);
      case Kind::kAlert: return SendAlert(event);
      case Kind::kMetrics: return ChangeMetrics(event);
      case Kind::kPod: return BreakPods(event);
      case Kind::kScale: return Scale(event);
      case Kind::kRate:
        Note("event", StrCat("users send ", FormatNumber(event.number), " requests/s"), weight_);
        return world_.traffic().SetRate(flow_, event.number);
      case Kind::kCommand: return Command(event);
      case Kind::kCrash:
        Note("event", "the agent is killed and starts again", weight_);
        connection_->Crash();
        agent_.reset();
        return StartAgent();
    }
  }

  void PatchTarget(Json patch) {
    ClusterRequest request;
    request.verb = Verb::kPatch;
    request.type = app::TypeOf(release::TargetId(guard_));
    request.ns = guard_.metadata.ns;
    request.name = guard_.target.name;
    request.patch = PatchKind::kMerge;
    request.field_manager = "someone";
    request.body = std::move(patch);
    auto done = world_.api().Call(request);
    if (!done) Note("event", done.error().message, weight_);
  }

  void Release(const ScenarioEvent& event) {
    Note("event", StrCat("a new template: ", event.revision), weight_);
    released_ = scheduler().Now();
    PatchTarget(
        Json::Obj({{"spec", Json::Obj({{"template", TemplateFor(guard_, event.revision)}})}}));
  }

  void Fault(const ScenarioEvent& event) {
    Note("event", StrCat(event.revision, " changes: ", event.behaviour.Dump()), weight_);
    auto changed = sim::RevisionBehaviour::FromJson(event.behaviour, behaviours_[event.revision]);
    if (!changed) return;
    behaviours_[event.revision] = *changed;
    world_.behaviours().SetImage(ImageOf(guard_, event.revision), *changed);
  }

  void BreakPods(const ScenarioEvent& event) {
    sim::RevisionBehaviour broken = behaviours_[event.revision];
    broken.crash_after = event.pod == "crashloop" ? Duration(3'000) : Duration(0);
    broken.image_pull_fails = event.pod == "imagePull";
    broken.never_ready = event.pod == "unready";
    Note("event", StrCat("pods of ", event.revision, ": ", event.pod), weight_);
    world_.behaviours().SetImage(ImageOf(guard_, event.revision), broken);
  }

  void SendAlert(const ScenarioEvent& event) {
    alerts::Alert alert = event.alert;
    alert.starts_at = scheduler().Now();
    Note("event", StrCat("alert ", alert.Name(), " is ", alerts::ToString(alert.status)), weight_);
    auto receipts = agent_->alerts().Receive({alert});
    if (!receipts.empty())
      Note("event", StrCat("  taken as: ", alerts::ToString(receipts[0].disposition)), weight_);
  }

  void ChangeMetrics(const ScenarioEvent& event) {
    Note("event",
         event.mood == sim::SimMetrics::Mood::kWell ? "metrics answer again"
                                                    : "metrics stop answering well",
         weight_);
    metrics_.SetMood(event.mood);
  }

  void Scale(const ScenarioEvent& event) {
    Note("event", StrCat("somebody scales to ", static_cast<int64_t>(event.number)), weight_);
    PatchTarget(
        Json::Obj({{"spec", Json::Obj({{"replicas", static_cast<int64_t>(event.number)}})}}));
  }

  void Command(const ScenarioEvent& event) {
    release::Command command;
    command.id = StrCat("c", ++commands_);
    command.verb = release::VerbFrom(event.verb).value_or(release::Command::Verb::kPause);
    command.actor = event.actor;
    command.groups = event.groups;
    command.at = scheduler().Now();
    Note("event", StrCat(event.actor, " says ", event.verb), weight_);
    agent_->controller().Tell(guard_.Id(), command, [this](const release::CommandAnswer& answer) {
      Note("event", StrCat(answer.accepted ? "  accepted: " : "  refused: ", answer.message),
           weight_);
    });
  }

  void TakeMoments() {
    scheduler().After(kMomentEvery, [this] {
      Moment moment{.at = Elapsed(), .weight = weight_, .score = score_};
      auto summary = agent_ ? agent_->controller().Find(guard_.Id()) : std::nullopt;
      if (summary && !summary->reasons.empty()) waiting_ = summary->reasons[0];
      play_.moments.push_back(moment);
      if (!ended_) TakeMoments();
    });
  }

  void Note(std::string kind, std::string text, int64_t weight) {
    if (settled_) play_.timeline.push_back({Elapsed(), std::move(kind), std::move(text), weight});
  }

  void End(const release::LastOutcome& last) {
    if (!released_) return;
    ended_ = last.outcome != "superseded";
    if (!ended_) return;
    play_.outcome = last.outcome == "promoted" ? Outcome::kPromoted : Outcome::kRolledBack;
    play_.reason = last.reason;
  }

  void Conclude(bool ended) {
    if (released_) play_.seconds = ToSeconds(scheduler().Now() - *released_);
    if (!ended) {
      play_.outcome = Outcome::kHeld;
      play_.reason = release_ && !release_->held_reason.empty() ? release_->held_reason : waiting_;
    }
    sim::TrafficTotals total = world_.traffic().Total();
    play_.requests = total.requests - before_.requests;
    play_.lost_requests = total.lost - before_.lost;
  }

  const spec::Guard& guard_;
  const spec::Library& library_;
  const Scenario& scenario_;
  Play play_;
  sim::World world_;
  sim::SimMetrics metrics_;
  history::MemoryHistory history_;
  app::ReplayCheck replays_;
  std::unique_ptr<sim::SimCluster> connection_;
  sim::SimProber prober_;
  std::unique_ptr<app::SimAgent> agent_;
  std::map<std::string, sim::RevisionBehaviour> behaviours_;
  sim::TrafficTotals before_;
  std::optional<release::ReleaseState> release_;
  std::string waiting_;
  size_t flow_ = 0;
  Time began_{};
  std::optional<Time> released_;
  int64_t weight_ = 0;
  double score_ = -1;
  uint64_t starts_ = 0;
  int commands_ = 0;
  bool settled_ = false;
  bool ended_ = false;
};

}  // namespace

Expected<Play> PlayScenario(const spec::Guard& guard, const spec::Library& library,
                            const Scenario& scenario, uint64_t seed) {
  return Player(guard, library, scenario, seed).Run();
}

}  // namespace rollguard::proof
