// SPDX-License-Identifier: Apache-2.0
// ./dev chaos soak: a thousand guards release over and over under virtual time, with every strategy
// and router; good versions and bad ones. What must not grow is measured every virtual minute:
// the agent's memory and the whole process's, metric series, status objects, the history's
// database.
//
//   chaos_soak --seconds 60 --guards 1000 --seed 1 --warm-up 40
//
// The first 40 virtual minutes are left out of the judgement, in which the history fills up to its
// retention; and so is all until each guard has released thirteen versions, two of them bad in
// different ways: then its status remembers as many as it ever will, and every series there can be
// of it has begun. A run that is too short to judge says so.
//
// The agent has a scheduler of its own, which is kept in step with the world's: so it is known at
// any time whether the agent runs or the simulated cluster, and whose the memory is.
#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "agent/app/simulation.h"
#include "agent/app/telemetry_listener.h"
#include "agent/base/random.h"
#include "agent/base/text.h"
#include "agent/history/database.h"
#include "agent/history/sql_history.h"
#include "agent/kube/resources.h"
#include "agent/sim/sim_metrics.h"
#include "agent/sim/world.h"
#include "agent/spec/load.h"
#include "tests/chaos/soak/judge.h"
#include "tests/chaos/soak/owners.h"
#include "tests/simulation/harness/plan.h"
#include "tests/simulation/harness/setup.h"

namespace rollguard::simulation {
namespace {

using soak::Allocates;
using soak::HoursOf;
using soak::Owner;
using soak::Sample;

using RealClock = std::chrono::steady_clock;

constexpr Duration kTick = seconds(5);
constexpr Duration kSampleEvery = minutes(1);
constexpr size_t kPrintEvery = 5;
constexpr Duration kMetricsKept = minutes(10);
constexpr size_t kHistoryPerGuard = 20;   // changes the cluster keeps for watches: half a minute
constexpr Duration kStuck = minutes(20);  // then the next version comes all the same
constexpr double kBadShare = 0.004;
// The first versions of a service come at any time within about a release's length: a thousand that
// begin together go on together, in waves.
constexpr Duration kFirstWithin = minutes(6);
constexpr uint64_t kFirstBad = 2, kSecondBad = 5;  // behind these versions, besides the share
constexpr uint64_t kSettled = 13;                  // versions

const char* const kRules = R"(
groups:
  - name: errors
    interval: 30s
    rules:
      - rollback: Errors
        expr: |
          sum(rate(http_requests_total{namespace="$namespace", pod=~"$candidate_pods", code=~"5.."}[1m])) > 1
        noData: pass
        severity: critical
)";

struct Options {
  double seconds = 60;
  double hours = 0;  // virtual; 0: as many as fit in `seconds`
  Duration warm_up = minutes(40);
  size_t guards = 1000;
  uint64_t seed = 1;
  std::string folder;

  // Of the history and of events: as much time again for what it leaves behind.
  Duration Retention() const { return warm_up / 2; }
};

class SystemClock final : public Clock {
 public:
  Time Now() const override {
    return FromUnixMillis(std::chrono::duration_cast<std::chrono::milliseconds>(
                              std::chrono::system_clock::now().time_since_epoch())
                              .count());
  }
  std::chrono::nanoseconds Monotonic() const override {
    return RealClock::now().time_since_epoch();
  }
};

// What the guards' states say while they change.
class Watcher final : public app::Listener {
 public:
  void Decided(const spec::Guard&, const release::Decision&) override { ++decisions; }
  void Changed(const spec::Guard&, const release::GuardState&, const release::GuardState& after,
               const release::Observation&) override {
    // One in sixteen is enough.
    if (++changes % 16 != 0) return;
    const size_t bytes = release::ToJson(after).Dump().size();
    largest = std::max(largest, bytes);
    sum += bytes;
    ++measured;
  }
  void Told(const spec::Guard&, const release::Notify& notice) override {
    if (notice.event == "promoted") ++promoted;
    if (notice.event == "rolledBack") ++rolled_back;
  }
  void Removed(const std::string&) override {}

  uint64_t decisions = 0, changes = 0, promoted = 0, rolled_back = 0;
  // Statuses since the last look.
  size_t largest = 0, sum = 0, measured = 0;
};

struct Service {
  const Setup* setup = nullptr;
  std::string ns, id;
  Time next;  // when the next version comes
  Time asked;
  uint64_t version = 1;
  bool waiting = false;  // for the release to end
};

class Soak {
 public:
  explicit Soak(const Options& options)
      : options_(options),
        random_(options.seed),
        world_(WorldOptionsOf(options)),
        metrics_source_(world_.scheduler(), kMetricsKept),
        history_([path = options.folder + "/history.db"] { return history::OpenSqlite(path); },
                 HistoryOptions(options), clock_),
        time_(world_.scheduler().Now()),
        telemetry_(metrics_, time_) {}

  bool SetUp();
  void Run();
  bool Judge() const;

 private:
  static sim::WorldOptions WorldOptionsOf(const Options& options) {
    sim::WorldOptions world;
    world.seed = options.seed;
    world.history = kHistoryPerGuard * options.guards;
    return world;
  }
  static history::SqlHistoryOptions HistoryOptions(const Options& options) {
    history::SqlHistoryOptions history;
    history.retain_facts = history.retain_releases = history.retain_measurements =
        history.retain_givens = options.Retention();
    return history;
  }

  bool Load(const Json& object, const std::string& ns);
  bool AddService(size_t number);
  Duration Pause() { return Duration(static_cast<int64_t>(random_.Below(120'000)) + 20'000); }
  void Drive();
  void Release(Service& service, bool swapped);
  void Help(const Service& service, const release::GuardState& state);
  void LetAllRollBack();
  void ForgetEvents();
  bool Settled() const;
  void RunBoth(Duration duration);
  void Measure();

  Options options_;
  Random random_;
  SystemClock clock_;
  sim::World world_;
  sim::SimMetrics metrics_source_;
  history::SqlHistory history_;
  sim::Scheduler time_;  // the agent's
  telemetry::Metrics metrics_;
  app::TelemetryListener telemetry_;
  Watcher watcher_;
  spec::Library library_;
  std::unique_ptr<sim::SimCluster> connection_;
  std::unique_ptr<soak::ClusterDoor> cluster_;
  soak::MetricsDoor metrics_door_{metrics_source_};
  std::unique_ptr<app::SimAgent> agent_;
  std::vector<Service> services_;
  std::vector<Sample> samples_;
  Time began_;
  uint64_t commands_ = 0;
  uint64_t asked_ = 0, bad_ = 0, stuck_ = 0;
  bool history_lost_ = false;
};

bool Soak::Load(const Json& object, const std::string& ns) {
  auto moved = ParseJson(ReplaceAll(object.Dump(), "\"shop\"", Quote(ns)));
  Status loaded = moved ? world_.Load(*moved) : Status(moved.error());
  if (!loaded) std::printf("setup: %s\n", loaded.error().message.c_str());
  return loaded.ok();
}

// The cluster keeps ten old revisions of a workload unless told otherwise: it would go on growing
// through ten releases.
Json FewRevisions(Json workload) {
  workload["spec"].Set("revisionHistoryLimit", 2);
  return workload;
}

bool Soak::AddService(size_t number) {
  Service service;
  service.setup = &Setups()[number % Setups().size()];
  service.ns = StrCat("s", number);
  service.id = StrCat(service.ns, "/", kApp);
  const Setup& setup = *service.setup;
  if (number < Setups().size()) {
    for (const ResourceType& type : setup.types) world_.api().types().Add(type);
  }
  for (const std::string& text : setup.objects) {
    auto object = ParseJson(text);
    if (!object || !Load(*object, service.ns)) return false;
  }
  if (!Load(FewRevisions(WorkloadOf(setup, kApp, 2)), service.ns)) return false;
  if (setup.second && !Load(FewRevisions(WorkloadOf(setup, "checkout-b", 0)), service.ns))
    return false;

  Plan plan;
  plan.setup = &setup;
  plan.guard_extra = "  bake: 20s\n  rollback:\n    verify: {for: 20s}\n    rules: [errors]\n";
  Diagnostics problems;
  spec::Library guards;
  spec::LoadText("guard.yaml", GuardYaml(plan), guards, problems);
  if (problems.has_errors() || guards.guards.size() != 1) return false;
  const Json guard = Json::Obj({{"apiVersion", spec::kApiVersion},
                                {"kind", "Guard"},
                                {"metadata", Json::Obj({{"name", kApp}, {"namespace", kNs}})},
                                {"spec", yaml::ToJson(guards.guards[0].raw)}});
  if (!Load(guard, service.ns)) return false;
  service.next =
      world_.scheduler().Now() +
      Duration(static_cast<int64_t>(random_.Below(static_cast<uint64_t>(kFirstWithin.count()))));
  services_.push_back(std::move(service));
  return true;
}

bool Soak::SetUp() {
  if (Status started = history_.Start(); !started) {
    std::printf("history: %s\n", started.error().message.c_str());
    return false;
  }
  Diagnostics problems;
  spec::LoadText("rules.yaml", kRules, library_, problems);
  world_.api().types().Add(kube::resources::Guards());
  world_.behaviours().SetDefault(BehaviourOf(Quality::kGood));
  world_.behaviours().SetImage("checkout:crash", BehaviourOf(Quality::kCrashing));
  world_.behaviours().SetImage("checkout:unpullable", BehaviourOf(Quality::kUnpullable));
  for (size_t i = 0; i < options_.guards; ++i) {
    if (!AddService(i)) return false;
  }
  world_.scheduler().RunFor(seconds(20));
  time_.RunUntil(world_.scheduler().Now());
  connection_ = world_.Connect(sim::FaultPlan::None());
  cluster_ = std::make_unique<soak::ClusterDoor>(*connection_);
  const Allocates agent(Owner::kAgent);
  agent_ = std::make_unique<app::SimAgent>(time_, *cluster_, metrics_door_, history_, library_,
                                           std::vector<app::Listener*>{&watcher_, &telemetry_},
                                           options_.seed);
  LetAllRollBack();
  agent_->rules().SetObserver([this](const auto& reading) { telemetry_.OnRule(reading); });
  began_ = world_.scheduler().Now();
  return true;
}

// So many bad versions an hour look like a broken platform: the fleet's limits would hold the
// rollbacks, and with them the releases behind them.
void Soak::LetAllRollBack() {
  spec::FleetLimits limits;
  const auto guards = static_cast<int64_t>(options_.guards);
  limits.max_triggers = guards;
  limits.max_share = 1;
  limits.max_rollbacks_per_hour = limits.max_group_rollbacks_per_hour = 10 * guards;
  agent_->governor().SetLimits(limits);
}

void Soak::Release(Service& service, bool swapped) {
  const bool bad =
      random_.Chance(kBadShare) || service.version == kFirstBad || service.version == kSecondBad;
  const char* word = !bad ? "good" : service.version % 2 == 0 ? "crash" : "unpullable";
  Json pods = TemplateOf(StrCat(word, "-", ++service.version));
  std::string name = kApp;
  if (service.setup->second) {
    name = swapped ? kApp : "checkout-b";
    pods["metadata"]["labels"].Set("slot", name);
  }
  ClusterRequest request;
  request.verb = Verb::kPatch;
  request.type = kube::resources::ByKind("apps/v1", service.setup->kind);
  request.ns = service.ns;
  request.name = name;
  request.patch = PatchKind::kMerge;
  request.field_manager = "someone";
  request.body = Json::Obj({{"spec", Json::Obj({{"template", std::move(pods)}})}});
  if (!world_.api().Call(request)) return;
  service.waiting = true;
  service.asked = world_.scheduler().Now();
  ++asked_;
  bad_ += bad ? 1 : 0;
}

// What waits for a person gets one.
void Soak::Help(const Service& service, const release::GuardState& state) {
  if (!state.release) return;
  release::Command command;
  command.id = StrCat("c", ++commands_);
  command.actor = "ann";
  command.groups = {"sre"};
  command.at = world_.scheduler().Now();
  command.verb = state.phase == release::Phase::kHeld ? release::Command::Verb::kRollBack
                 : state.release->awaiting_approval   ? release::Command::Verb::kApprove
                                                      : release::Command::Verb::kResume;
  if (state.phase != release::Phase::kHeld && !state.release->awaiting_approval &&
      !state.release->paused)
    return;
  const Allocates agent(Owner::kAgent);
  agent_->controller().Tell(service.id, std::move(command), [](const release::CommandAnswer&) {});
}

void Soak::Drive() {
  const Time now = world_.scheduler().Now();
  for (Service& service : services_) {
    const bool late = service.waiting && now - service.asked > kStuck;
    if (!service.waiting && now < service.next) continue;
    if (service.waiting && !late && now - service.asked < seconds(40)) continue;
    auto guard = agent_->controller().Find(service.id);
    if (!guard) continue;
    const bool rests = guard->state.phase == release::Phase::kIdle && !guard->state.release;
    if (service.waiting) {
      if (rests) {
        service.waiting = false;
        service.next = now + Pause();
      } else if (late) {
        ++stuck_;
        Release(service, guard->state.swapped);
      } else {
        Help(service, guard->state);
      }
    } else if (rests) {
      Release(service, guard->state.swapped);
    }
  }
}

// As an API server does, only sooner: with an hour (its usual time) nothing would be forgotten
// before the judgement.
void Soak::ForgetEvents() {
  const Time now = world_.scheduler().Now();
  for (const ResourceType& type : {kube::resources::Events(), kube::resources::CoreEvents()}) {
    const sim::TypeInfo* info = world_.api().types().Find(type.group, type.plural);
    if (info == nullptr) continue;
    for (const sim::ObjectPtr& event : world_.api().store().List(info->id)) {
      auto made = ParseRfc3339(event->At("metadata", "creationTimestamp").Str());
      if (made && now - *made < options_.Retention()) continue;
      world_.api().store().Remove({info->id, event->At("metadata", "namespace").Str(),
                                   event->At("metadata", "name").Str()});
    }
  }
}

bool Soak::Settled() const {
  return std::all_of(services_.begin(), services_.end(),
                     [](const Service& service) { return service.version > kSettled; });
}

// Both clocks stand just before the next event of either when it runs.
void Soak::RunBoth(Duration duration) {
  sim::Scheduler& world = world_.scheduler();
  const Time end = world.Now() + duration;
  while (true) {
    const Time next = std::min(world.Next().value_or(end), time_.Next().value_or(end));
    if (next > end) break;
    time_.RunUntil(next - Duration(1));
    world.RunUntil(next);
    const Allocates agent(Owner::kAgent);
    time_.RunUntil(next);
    if (next == end) break;
  }
  world.RunUntil(end);
  const Allocates agent(Owner::kAgent);
  time_.RunUntil(end);
}

void Soak::Measure() {
  ForgetEvents();
  history_lost_ = history_lost_ || !history_.Flush(minutes(1));
  if (Status pruned = history_.Prune(world_.scheduler().Now()); !pruned)
    std::printf("prune: %s\n", pruned.error().message.c_str());
  Sample s;
  s.hour = HoursOf(world_.scheduler().Now() - began_);
  s.series = static_cast<double>(metrics_.series());
  s.largest_status = std::exchange(watcher_.largest, 0);
  const auto measured = static_cast<double>(std::max<size_t>(watcher_.measured, 1));
  s.status_kib = static_cast<double>(std::exchange(watcher_.sum, 0)) / measured / 1024;
  watcher_.measured = 0;
  s.releases = watcher_.promoted + watcher_.rolled_back;
  size_t objects = 0;
  for (const sim::TypeInfo* type : world_.api().types().All())
    objects += world_.api().store().Count(type->id);
  s.objects = static_cast<double>(objects);
  s.heap_mib = soak::HeapMib();
  s.agent_mib = soak::Mib(soak::Held(Owner::kAgent));
  s.world_mib = soak::Mib(soak::Held(Owner::kWorld));
  s.rss_mib = soak::RssMib();
  s.database_mib = soak::FolderMib(options_.folder);
  s.settled = s.hour >= HoursOf(options_.warm_up) &&
              ((!samples_.empty() && samples_.back().settled) || Settled());
  samples_.push_back(s);
  if (samples_.size() % kPrintEvery == 0) soak::Print(s);
}

void Soak::Run() {
  const auto began = RealClock::now();
  const auto spent = [&] {
    return std::chrono::duration<double>(RealClock::now() - began).count();
  };
  const auto hours = [&] { return HoursOf(world_.scheduler().Now() - began_); };
  Time sample_at = world_.scheduler().Now() + kSampleEvery;
  while (spent() < options_.seconds && (options_.hours <= 0 || hours() <= options_.hours)) {
    RunBoth(kTick);
    Drive();
    if (world_.scheduler().Now() < sample_at) continue;
    sample_at += kSampleEvery;
    Measure();
  }
}

bool Soak::Judge() const {
  std::printf("guards %zu, versions asked for %" PRIu64 " (%" PRIu64 " bad), promoted %" PRIu64
              ", rolled back %" PRIu64 ", replaced while waiting %" PRIu64 ", decisions %" PRIu64
              "\nhistory kept for %.0f virtual minutes\n",
              options_.guards, asked_, bad_, watcher_.promoted, watcher_.rolled_back, stuck_,
              watcher_.decisions, HoursOf(options_.Retention()) * 60);
  std::vector<std::string> wrong = soak::Judge(samples_);
  if (history_lost_) wrong.emplace_back("the history did not keep up");
  for (const std::string& what : wrong) std::printf("FAILED: %s\n", what.c_str());
  return wrong.empty();
}

}  // namespace
}  // namespace rollguard::simulation

int main(int argc, char** argv) {
  const rollguard::soak::Allocates world(rollguard::soak::Owner::kWorld);
  rollguard::simulation::Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--seconds") options.seconds = std::strtod(argv[i + 1], nullptr);
    if (name == "--hours") options.hours = std::strtod(argv[i + 1], nullptr);
    if (name == "--warm-up")
      options.warm_up = std::chrono::minutes(std::strtoll(argv[i + 1], nullptr, 10));
    if (name == "--guards") options.guards = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--seed") options.seed = std::strtoull(argv[i + 1], nullptr, 10);
  }
  char folder[] = "/tmp/rollguard-soak-XXXXXX";
  if (::mkdtemp(folder) == nullptr) return 2;
  options.folder = folder;
  int code = 1;
  {
    rollguard::simulation::Soak soak(options);
    if (soak.SetUp()) {
      soak.Run();
      code = soak.Judge() ? 0 : 1;
    }
  }
  std::error_code ignored;
  std::filesystem::remove_all(options.folder, ignored);
  return code;
}
