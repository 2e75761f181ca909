// SPDX-License-Identifier: Apache-2.0
// ./dev chaos soak: a thousand guards release over and over under virtual time, with every strategy
// and router; good versions and bad ones. What must not grow is measured every five virtual
// minutes: memory, metric series, status objects, the history's database.
//
//   chaos_soak --seconds 60 --guards 1000 --seed 1
//
// The first 40 virtual minutes are left out of the judgement: until then the history fills up to
// its retention. A run that is too short to judge says so.
#include <malloc.h>
#include <unistd.h>

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

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
#include "tests/simulation/harness/plan.h"
#include "tests/simulation/harness/setup.h"

namespace rollguard::simulation {
namespace {

using RealClock = std::chrono::steady_clock;

constexpr Duration kTick = seconds(5);
constexpr Duration kSampleEvery = minutes(5);
constexpr Duration kRetention = minutes(20);
constexpr Duration kWarmUp = minutes(40);  // retention, and as much again for what it leaves behind
constexpr size_t kFewestSamples = 4;
constexpr Duration kStuck = minutes(20);  // then the next version comes all the same
constexpr double kBadShare = 0.004;
constexpr size_t kMaxStatus = 100U << 10;

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
  size_t guards = 1000;
  uint64_t seed = 1;
  std::string folder;
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

struct Sample {
  double hour = 0;  // virtual, since the beginning
  double heap_mib = 0, rss_mib = 0, database_mib = 0, page_mib = 0;
  size_t series = 0, status = 0, objects = 0;
  uint64_t releases = 0;
};

double Mib(size_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

double Rss() {
  std::ifstream file("/proc/self/statm");
  size_t pages = 0, resident = 0;
  file >> pages >> resident;
  return Mib(resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE)));
}

// MiB (or whatever `value` is) more per hour, by least squares.
double Slope(const std::vector<Sample>& samples, double Sample::*value) {
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (const Sample& s : samples) {
    n += 1;
    x += s.hour;
    y += s.*value;
    xx += s.hour * s.hour;
    xy += s.hour * (s.*value);
  }
  const double spread = n * xx - x * x;
  return spread > 0 ? (n * xy - x * y) / spread : 0;
}

// What the guards' states say while they change.
class Watcher final : public app::Listener {
 public:
  void Decided(const spec::Guard&, const release::Decision&) override { ++decisions; }
  void Changed(const spec::Guard&, const release::GuardState&, const release::GuardState& after,
               const release::Observation&) override {
    // One in sixteen is enough to find the largest.
    if (++changes % 16 == 0) largest = std::max(largest, release::ToJson(after).Dump().size());
  }
  void Told(const spec::Guard&, const release::Notify& notice) override {
    if (notice.event == "promoted") ++promoted;
    if (notice.event == "rolledBack") ++rolled_back;
  }
  void Removed(const std::string&) override {}

  uint64_t decisions = 0, changes = 0, promoted = 0, rolled_back = 0;
  size_t largest = 0;
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
        metrics_source_(world_.scheduler(), minutes(10)),
        history_([path = options.folder + "/history.db"] { return history::OpenSqlite(path); },
                 HistoryOptions(), clock_),
        telemetry_(metrics_, world_.scheduler()) {}

  bool SetUp();
  void Run();
  bool Judge() const;

 private:
  static sim::WorldOptions WorldOptionsOf(const Options& options) {
    sim::WorldOptions world;
    world.seed = options.seed;
    return world;
  }
  static history::SqlHistoryOptions HistoryOptions() {
    history::SqlHistoryOptions history;
    history.retain_facts = history.retain_releases = history.retain_measurements =
        history.retain_givens = kRetention;
    return history;
  }

  bool Load(const Json& object, const std::string& ns);
  bool AddService(size_t number);
  Duration Pause() { return Duration(static_cast<int64_t>(random_.Below(120'000)) + 20'000); }
  void Drive();
  void Release(Service& service, bool swapped);
  void Help(const Service& service, const release::GuardState& state);
  void ForgetEvents();
  void Measure();
  std::vector<Sample> Judged() const;

  Options options_;
  Random random_;
  SystemClock clock_;
  sim::World world_;
  sim::SimMetrics metrics_source_;
  history::SqlHistory history_;
  telemetry::Metrics metrics_;
  app::TelemetryListener telemetry_;
  Watcher watcher_;
  spec::Library library_;
  std::unique_ptr<sim::SimCluster> connection_;
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
  service.next = world_.scheduler().Now() + Pause();
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
  connection_ = world_.Connect(sim::FaultPlan::None());
  agent_ = std::make_unique<app::SimAgent>(
      world_.scheduler(), *connection_, metrics_source_, history_, library_,
      std::vector<app::Listener*>{&watcher_, &telemetry_}, options_.seed);
  agent_->rules().SetObserver([this](const auto& reading) { telemetry_.OnRule(reading); });
  began_ = world_.scheduler().Now();
  return true;
}

void Soak::Release(Service& service, bool swapped) {
  const bool bad = random_.Chance(kBadShare);
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
      if (made && now - *made < kRetention) continue;
      world_.api().store().Remove({info->id, event->At("metadata", "namespace").Str(),
                                   event->At("metadata", "name").Str()});
    }
  }
}

void Soak::Measure() {
  ForgetEvents();
  history_lost_ = history_lost_ || !history_.Flush(minutes(1));
  if (Status pruned = history_.Prune(world_.scheduler().Now()); !pruned)
    std::printf("prune: %s\n", pruned.error().message.c_str());
  const std::string page = metrics_.Expose();
  Sample s;
  s.hour =
      std::chrono::duration<double, std::ratio<3600>>(world_.scheduler().Now() - began_).count();
  s.series = metrics_.series();
  s.page_mib = Mib(page.size());
  s.status = watcher_.largest;
  s.releases = watcher_.promoted + watcher_.rolled_back;
  std::string kinds;
  for (const sim::TypeInfo* type : world_.api().types().All()) {
    const size_t count = world_.api().store().Count(type->id);
    s.objects += count;
    if (count > options_.guards) kinds += StrCat(" ", type->type.plural, " ", count);
  }
  s.heap_mib = Mib(mallinfo2().uordblks);
  s.rss_mib = Rss();
  for (const auto& file : std::filesystem::directory_iterator(options_.folder))
    s.database_mib += Mib(static_cast<size_t>(file.file_size()));
  samples_.push_back(s);
  std::printf("%5.2f h  releases %7" PRIu64
              "  heap %7.1f MiB  rss %7.1f  series %6zu  status %5.1f "
              "KiB  objects %6zu  database %7.1f MiB\n",
              s.hour, s.releases, s.heap_mib, s.rss_mib, s.series,
              static_cast<double>(s.status) / 1024, s.objects, s.database_mib);
  std::printf("        objects:%s\n", kinds.c_str());
  std::fflush(stdout);
}

void Soak::Run() {
  const auto began = RealClock::now();
  const auto spent = [&] {
    return std::chrono::duration<double>(RealClock::now() - began).count();
  };
  Time sample_at = world_.scheduler().Now() + kSampleEvery;
  while (spent() < options_.seconds) {
    world_.scheduler().RunFor(kTick);
    Drive();
    if (world_.scheduler().Now() < sample_at) continue;
    sample_at += kSampleEvery;
    Measure();
  }
}

std::vector<Sample> Soak::Judged() const {
  const double from = std::chrono::duration<double, std::ratio<3600>>(kWarmUp).count();
  std::vector<Sample> out;
  for (const Sample& s : samples_) {
    if (s.hour >= from) out.push_back(s);
  }
  return out;
}

bool Soak::Judge() const {
  std::printf("guards %zu, versions asked for %" PRIu64 " (%" PRIu64 " bad), promoted %" PRIu64
              ", rolled back %" PRIu64 ", replaced while waiting %" PRIu64 ", decisions %" PRIu64
              "\nlargest status %zu bytes of at most %zu\n",
              options_.guards, asked_, bad_, watcher_.promoted, watcher_.rolled_back, stuck_,
              watcher_.decisions, watcher_.largest, kMaxStatus);
  std::vector<std::string> wrong;
  if (watcher_.largest > kMaxStatus) wrong.emplace_back("a status is too large");
  if (history_lost_) wrong.emplace_back("the history did not keep up");
  const std::vector<Sample> judged = Judged();
  if (judged.size() < kFewestSamples) {
    const Duration kNeeded = kWarmUp + kFewestSamples * kSampleEvery;
    std::printf("too short to judge growth: %.2f virtual hours are needed, these were %.2f\n",
                std::chrono::duration<double, std::ratio<3600>>(kNeeded).count(),
                samples_.empty() ? 0.0 : samples_.back().hour);
  } else {
    const double heap = Slope(judged, &Sample::heap_mib);
    const double database = Slope(judged, &Sample::database_mib);
    std::printf(
        "from %.1f h to %.1f h: heap %+.2f MiB per virtual hour (of %.1f), rss %+.2f, "
        "database %+.2f (of %.1f), series %zu -> %zu\n",
        judged.front().hour, judged.back().hour, heap, judged.back().heap_mib,
        Slope(judged, &Sample::rss_mib), database, judged.back().database_mib,
        judged.front().series, judged.back().series);
    // An hour may add one part in a hundred: what the world's own noise is.
    if (heap > judged.front().heap_mib * 0.01) wrong.emplace_back("memory grows");
    if (database > judged.front().database_mib * 0.05) wrong.emplace_back("the database grows");
    if (judged.back().series > judged.front().series + judged.front().series / 50)
      wrong.emplace_back("metric series grow");
  }
  for (const std::string& what : wrong) std::printf("FAILED: %s\n", what.c_str());
  return wrong.empty();
}

}  // namespace
}  // namespace rollguard::simulation

int main(int argc, char** argv) {
  rollguard::simulation::Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--seconds") options.seconds = std::strtod(argv[i + 1], nullptr);
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
