// SPDX-License-Identifier: Apache-2.0
// The world's clock may not be the samples' clock: tests begin at the epoch, and before it there is
// no time for the workload to come up. Whole weeks lie between the two, so that grids of intervals,
// hours and days of the week are the same on both.
#include "agent/proof/trial.h"

#include <algorithm>
#include <cmath>

#include "agent/app/simulation.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "agent/proof/stage.h"
#include "agent/proof/store_source.h"

namespace rollguard::proof {
namespace {

using release::Phase;
using release::Verdict;

constexpr Duration kWeek = std::chrono::hours(24 * 7);
constexpr Duration kSettle = std::chrono::minutes(10);  // for workload and guard to come up
constexpr const char* kStable = "stable";
constexpr const char* kCandidate = "candidate";

Duration ShiftFor(Time begin) { return begin < Time(kWeek) ? kWeek * 52 : Duration(0); }

Json GuardObject(const spec::Guard& guard) {
  Json metadata = Json::Obj({{"name", guard.metadata.name}, {"namespace", guard.metadata.ns}});
  for (const auto& [name, value] : guard.metadata.labels) metadata["labels"].Set(name, value);
  for (const auto& [name, value] : guard.metadata.annotations)
    metadata["annotations"].Set(name, value);
  return Json::Obj({{"apiVersion", spec::kApiVersion},
                    {"kind", "Guard"},
                    {"metadata", std::move(metadata)},
                    {"spec", yaml::ToJson(guard.raw)}});
}

// Guards whose workloads somebody else brings up or rolls have nobody here to do that.
Status CheckReleasable(const spec::Guard& guard) {
  const Json spec = yaml::ToJson(guard.raw);
  const Json& strategy = spec.At("strategy");
  const char* what = strategy.Find("external") != nullptr ? "strategy.external" : nullptr;
  for (const char* name : {"canary", "blueGreen", "abTest", "mirror"}) {
    if (!strategy.At(name, "candidate", "deployment").Str().empty()) what = "candidate.deployment";
  }
  if (what == nullptr) return {};
  return Error(ErrorCode::kInvalid,
               StrCat("the guard ", guard.Id(), " uses ", what,
                      ": its releases come from elsewhere and cannot be tried here; test its rules "
                      "without the guard"));
}

// Pods are up at once: how long that takes is not what is tried here.
sim::RevisionBehaviour Prompt() {
  sim::RevisionBehaviour behaviour;
  behaviour.ready_after = Duration(500);
  behaviour.ready_jitter = Duration(0);
  return behaviour;
}

std::vector<std::string> NamesOf(const std::vector<release::Signal>& signals) {
  std::vector<std::string> names;
  for (const release::Signal& signal : signals) names.push_back(signal.name);
  return names;
}

RuleLook LookOf(const app::RuleReading& reading, Time at) {
  RuleLook look{.at = at,
                .group = reading.group,
                .rule = reading.rule->name,
                .action = reading.rule->action,
                .severity = reading.rule->severity,
                .threshold = {},
                .text = {}};
  if (reading.compare != nullptr) {
    look.compares = true;
    look.phase = reading.compare->alarmed   ? analysis::RulePhase::kFiring
                 : reading.compare->no_data ? analysis::RulePhase::kNoData
                                            : analysis::RulePhase::kInactive;
    look.value = reading.compare->e;
    look.text = StrCat(look.rule, ": ", reading.compare->message);
    return look;
  }
  look.phase = reading.state->phase;
  look.value = reading.state->value;
  if (reading.threshold) look.threshold = reading.threshold->value;
  analysis::RulePlan plan{reading.query, reading.threshold};
  look.text = analysis::Describe(*reading.rule, plan, *reading.state);
  return look;
}

}  // namespace

struct Trial::Impl : app::Listener {
  explicit Impl(const TrialOptions& given)
      : options(given),
        guard(*given.guard),
        shift(ShiftFor(given.begin)),
        world(WorldOptions(given, shift)),
        source(world.scheduler(), *given.samples, given.engine, shift) {}

  static sim::WorldOptions WorldOptions(const TrialOptions& given, Duration shift) {
    sim::WorldOptions out;
    out.seed = given.seed;
    out.start = given.begin + shift - kSettle;
    return out;
  }

  Status SetUp() {
    if (Status can = CheckReleasable(guard); !can) return can;
    Scenario scenario;
    scenario.stable = kStable;
    auto stage = SetStage(guard, scenario);
    if (!stage) return stage.error();
    world.behaviours().SetDefault(Prompt());
    world.api().types().Add(kube::resources::Guards());
    for (const ResourceType& type : stage->types) {
      if (world.api().types().FindKind(type.group, type.kind) == nullptr)
        world.api().types().Add(type);
    }
    for (const Json& object : stage->objects) {
      if (Status loaded = world.Load(object); !loaded) return loaded;
    }
    if (Status loaded = world.Load(GuardObject(guard)); !loaded) return loaded;
    connection = world.Connect();
    agent = std::make_unique<app::SimAgent>(world.scheduler(), *connection, source, history,
                                            *options.library, std::vector<app::Listener*>{this},
                                            options.seed);
    if (!options.candidate_pods.empty())
      agent->rules().SetPods(options.candidate_pods, options.stable_pods);
    agent->rules().SetObserver([this](const app::RuleReading& reading) { Saw(reading); });
    return AwaitRest();
  }

  // The guard must have taken the workload over before the release begins.
  Status AwaitRest() {
    bool at_rest = world.scheduler().RunUntil([this] { return phase == Phase::kIdle; },
                                              kSettle - std::chrono::seconds(30));
    if (at_rest) {
      world.scheduler().At(options.begin + shift, [this] { Release(); });
      return {};
    }
    auto summary = agent->controller().Find(guard.Id());
    std::string why = "the workload did not come up";
    if (summary && !summary->reasons.empty()) why = summary->reasons[0];
    if (summary && !summary->problem.empty()) why = summary->problem;
    return Error(ErrorCode::kInvalid,
                 StrCat("the guard ", guard.Id(), " does not come to rest: ", why));
  }

  void Release() {
    ClusterRequest request;
    request.verb = Verb::kPatch;
    request.type = app::TypeOf(release::TargetId(guard));
    request.ns = guard.metadata.ns;
    request.name = guard.target.name;
    request.patch = PatchKind::kMerge;
    request.field_manager = "someone";
    request.body = Json::Obj({{"spec", Json::Obj({{"template", TemplateFor(guard, kCandidate)}})}});
    (void)world.api().Call(request);
  }

  void Saw(const app::RuleReading& reading) {
    looks.push_back(LookOf(reading, world.scheduler().Now() - shift));
    if (!reading.compare) return;
    // What a comparison is held against stands in the library.
    looks.back().threshold = AlarmAt(reading);
  }

  std::optional<double> AlarmAt(const app::RuleReading& reading) const {
    if (!std::holds_alternative<stats::Judgement>(reading.compare->test)) {
      const spec::RuleGroup* group = options.library->FindGroup(reading.group, guard.metadata.ns);
      double weights = 0;
      for (const spec::Rule& rule : group ? group->rules : std::vector<spec::Rule>()) {
        if (rule.compares()) weights += std::get<spec::Compare>(rule.what).weight;
      }
      double own = std::get<spec::Compare>(reading.rule->what).weight;
      if (group != nullptr && weights > 0 && own > 0) return weights / (group->alpha * own);
    }
    return std::nullopt;
  }

  // app::Listener
  void Decided(const spec::Guard&, const release::Decision& decision) override {
    decisions.push_back(decision);
    decisions.back().at -= shift;
    switch (decision.verdict) {
      case Verdict::kRollBack:
      case Verdict::kSupersede: rollback = decisions.back(); break;
      case Verdict::kReject: reject = decisions.back(); break;
      case Verdict::kPause: pause = decisions.back(); break;
      case Verdict::kPromote: promote = decisions.back(); break;
      case Verdict::kStart:
        rollback.reset();
        reject.reset();
        pause.reset();
        promote.reset();
        break;
      case Verdict::kAdvance:
      case Verdict::kHold:
      case Verdict::kResume:
      case Verdict::kComplete:
      case Verdict::kEscalate:
      case Verdict::kAdopt: break;
    }
  }
  void Changed(const spec::Guard&, const release::GuardState&, const release::GuardState& after,
               const release::Observation&) override {
    phase = after.phase;
    weight = after.release ? after.release->weight : 0;
    paused = after.release && after.release->paused;
    held = after.phase == Phase::kHeld ? after.release->held_reason : "";
    releasing = after.release.has_value();
  }
  void Told(const spec::Guard&, const release::Notify&) override {}
  void Removed(const std::string&) override {}

  // The rules in those phases, by action: those that only watch, or the others.
  void AddRules(bool watching, std::initializer_list<analysis::RulePhase> phases,
                TrialView& view) const {
    for (const app::RuleReading& reading : agent->rules().Readings(guard.Id())) {
      if (reading.state != nullptr && !reading.state->ever_evaluated) continue;
      RuleLook look = LookOf(reading, Time{});
      if ((look.action == spec::TriggerAction::kObserve) != watching) continue;
      if (std::find(phases.begin(), phases.end(), look.phase) == phases.end()) continue;
      if (view.causes.empty()) view.reason = look.text;
      view.action = watching ? "observe" : "hold";
      view.causes.push_back(look.rule);
    }
  }

  TrialView View() const {
    TrialView view;
    view.phase = release::ToString(phase);
    view.weight = weight;
    auto take = [&](const char* action, const release::Decision& decision) {
      view.action = action;
      view.causes = NamesOf(decision.signals);
      view.reason = decision.reason;
    };
    if (reject) {
      take("reject", *reject);
    } else if (phase == Phase::kHeld) {
      view.action = "hold";
      view.reason = held;
    } else if (rollback) {
      take("rollback", *rollback);
    } else if (promote) {
      take("promote", *promote);
    } else if (paused && pause) {
      take("pause", *pause);
    } else if (releasing) {
      // What keeps the next step waiting comes before what only watches.
      AddRules(false, {analysis::RulePhase::kNoData, analysis::RulePhase::kError}, view);
      if (view.action == "none") AddRules(true, {analysis::RulePhase::kFiring}, view);
    }
    return view;
  }

  bool Over() const { return rollback || reject || promote || phase == Phase::kHeld; }

  TrialOptions options;
  const spec::Guard& guard;
  Duration shift;
  sim::World world;
  StoreSource source;
  history::MemoryHistory history;
  std::unique_ptr<sim::SimCluster> connection;
  std::unique_ptr<app::SimAgent> agent;
  std::vector<release::Decision> decisions;
  std::vector<RuleLook> looks;
  std::optional<release::Decision> rollback, reject, pause, promote;
  Phase phase = Phase::kAdopting;
  int64_t weight = 0;
  bool paused = false;
  bool releasing = false;
  std::string held;
};

Trial::Trial(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Trial::~Trial() = default;

Expected<std::unique_ptr<Trial>> Trial::Start(const TrialOptions& options) {
  auto impl = std::make_unique<Impl>(options);
  if (Status set = impl->SetUp(); !set) return set.error();
  return std::unique_ptr<Trial>(new Trial(std::move(impl)));
}

void Trial::RunUntil(Time at) { impl_->world.scheduler().RunUntil(at + impl_->shift); }

void Trial::RunUntilDecided(Time at) {
  sim::Scheduler& scheduler = impl_->world.scheduler();
  Duration limit = at + impl_->shift - scheduler.Now();
  if (limit > Duration(0)) (void)scheduler.RunUntil([this] { return impl_->Over(); }, limit);
}

void Trial::Receive(alerts::Alert alert) {
  alert.starts_at += impl_->shift;
  if (alert.ends_at != Time{}) alert.ends_at += impl_->shift;
  (void)impl_->agent->alerts().Receive({std::move(alert)});
}

TrialView Trial::View() const { return impl_->View(); }
const std::vector<release::Decision>& Trial::decisions() const { return impl_->decisions; }
const std::vector<RuleLook>& Trial::looks() const { return impl_->looks; }
std::vector<app::RuleReading> Trial::Readings() const {
  return impl_->agent->rules().Readings(impl_->guard.Id());
}

}  // namespace rollguard::proof
