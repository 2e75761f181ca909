// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/agent.h"

#include <atomic>
#include <future>
#include <optional>

#include "agent/app/agent_metrics.h"
#include "agent/app/read_back.h"
#include "agent/base/text.h"
#include "agent/serve/brain.h"
#include "agent/serve/checkup.h"
#include "agent/serve/chores.h"
#include "agent/serve/data_folder.h"
#include "agent/serve/front.h"
#include "agent/serve/heap.h"
#include "agent/serve/library_keeper.h"
#include "agent/serve/object_library.h"
#include "agent/serve/sources.h"

namespace rollguard::serve {
namespace {

constexpr const char* kLibraryChore = "library";

}  // namespace

class Agent::Parts {
 public:
  Parts(AgentOptions options, const Clock& clock, telemetry::Log& log)
      : ground_(std::move(options), clock, log),
        library_(ground_, [this](spec::Library library) { Use(std::move(library)); }),
        chores_(clock) {}
  ~Parts() { Stop(Duration(0)); }

  Status Start();
  void Stop(Duration grace);
  void Reload() { chores_.Call(kLibraryChore); }
  uint16_t port() const { return front_ ? front_->port() : 0; }
  std::string NotReady();
  std::string RefusesAlerts();

 private:
  Status CheckSecrets() { return CheckSecretFiles(ground_.config); }
  Status OpenHistory() { return ground_.OpenHistory(); }
  Status ReachCluster() { return ground_.ReachCluster(); }
  Status LoadRules() { return library_.LoadFirst(); }
  Status Build();
  Status Listen() { return front_->Start(); }
  Status Begin();
  void VerifyAudit();

  void Use(spec::Library library);
  void CheckLibrary();
  void Quiesce(Duration grace);

  Ground ground_;
  LibraryKeeper library_;
  std::unique_ptr<Sources> sources_;
  std::unique_ptr<Brain> brain_;
  std::unique_ptr<ObjectLibrary> objects_;
  std::unique_ptr<Checkup> checkup_;
  std::unique_ptr<Front> front_;
  Chores chores_;
  std::optional<spec::Library> first_;  // loaded before there was a controller
  bool began_ = false;
  bool decides_ = false;  // on the thread of chores
  std::atomic<bool> stopped_{false};
  std::atomic<bool> guards_known_{false};
};

Status Agent::Parts::Start() {
  struct Step {
    const char* name;
    Status (Parts::*run)();
  };
  const Step steps[] = {
      {"secrets", &Parts::CheckSecrets}, {"rules", &Parts::LoadRules},
      {"cluster", &Parts::ReachCluster}, {"history", &Parts::OpenHistory},
      {"parts", &Parts::Build},          {"listen", &Parts::Listen},
      {"begin", &Parts::Begin},
  };
  for (const Step& step : steps) {
    if (Status done = (this->*step.run)(); !done) {
      ground_.log.Debug("start failed", {{"step", step.name}});
      return done;
    }
  }
  return {};
}

Status Agent::Parts::Build() {
  app::ExposeHistory(ground_.metrics, *ground_.history);
  sources_ = std::make_unique<Sources>(ground_);
  brain_ = std::make_unique<Brain>(ground_);
  checkup_ = std::make_unique<Checkup>(ground_, *sources_, library_,
                                       [this] { return brain_->replica().Health(); });
  front_ = std::make_unique<Front>(
      ground_, *brain_, *checkup_, [this] { return NotReady(); },
      [this] { return RefusesAlerts(); });
  brain_->Build();
  if (first_) brain_->controller().SetLibrary(std::move(*first_));
  first_.reset();
  objects_ = std::make_unique<ObjectLibrary>(ground_, [this](const ObjectSnapshot& snapshot) {
    library_.SetObjects(snapshot);
    chores_.Call(kLibraryChore);
  });
  chores_.Add(kLibraryChore, ground_.config.reload_interval, [this] { CheckLibrary(); });
  chores_.Add("prune", std::chrono::hours(1), [this] {
    if (Status pruned = ground_.history->Prune(ground_.clock.Now()); !pruned)
      ground_.log.Warn("the history was not pruned", {{"error", pruned.error().message}});
  });
  chores_.Add("history", std::chrono::seconds(10), [this] { ground_.history->Tidy(); });
  chores_.Add("heap", std::chrono::seconds(10), &GiveBackMemory);
  chores_.Add("audit", std::chrono::hours(1), [this] { VerifyAudit(); });
  return {};
}

void Agent::Parts::VerifyAudit() {
  auto verified = ground_.history->Verify();
  if (!verified) {
    ground_.log.Warn("the audit was not verified", {{"error", verified.error().message}});
    return;
  }
  const bool intact = verified->breaks.empty();
  ground_.metrics.GaugeOf(telemetry::Metric::kAuditIntact).Set(intact);
  if (!intact) {
    ground_.log.Error("the audit is broken",
                      {{"breaks", verified->breaks.size()}, {"do", "rollguard audit verify"}});
  }
}

// Guards are watched once the library is whole: a guard must not look broken for a moment because
// the objects it refers to have not been listed yet.
Status Agent::Parts::Begin() {
  ground_.log.Info("listening", {{"address", ground_.config.listen.address}, {"port", port()}});
  ground_.loop.Start();
  chores_.Start();
  ground_.loop.Post([this] {
    objects_->Start();
    sources_->FollowPods(brain_->controller());
  });
  began_ = true;
  return {};
}

// On whatever thread loaded it.
void Agent::Parts::Use(spec::Library library) {
  if (!brain_) {
    first_ = std::move(library);
    return;
  }
  auto held = std::make_shared<spec::Library>(std::move(library));
  ground_.loop.Post([this, held] { brain_->controller().SetLibrary(std::move(*held)); });
}

// On the thread of chores, which may block: with the first library that is whole the agent starts
// to decide, knowing what an earlier process had accepted.
void Agent::Parts::CheckLibrary() {
  library_.Check();
  auto whole = ground_.loop.Ask<bool>([this] { return objects_->Complete(); });
  if (decides_ || !whole || !*whole) return;
  decides_ = true;
  auto earlier = app::ReadBackFrom(*ground_.history, ground_.clock.Now());
  if (stopped_) return;  // which ends reading, too: nothing is decided without what it would tell
  if (!earlier)
    ground_.log.Warn("what an earlier process knew cannot be read",
                     {{"error", earlier.error().message}});
  auto held = std::make_shared<app::ReadBack>(earlier ? std::move(*earlier) : app::ReadBack());
  ground_.loop.Post([this, held] { brain_->Start(std::move(*held)); });
}

std::string Agent::Parts::NotReady() {
  if (stopped_) return "the agent is stopping";
  auto waiting = ground_.loop.Ask<std::string>([this] {
    if (!brain_->started()) {
      std::string objects = objects_->Waiting();
      return objects.empty() ? std::string("loading the rules of the cluster") : objects;
    }
    return brain_->Waiting();
  });
  return waiting ? *waiting : "the deciding thread does not answer";
}

// Before the guards are known every alert would look like nobody's. Once they are they stay so.
std::string Agent::Parts::RefusesAlerts() {
  if (guards_known_ && !stopped_) return {};
  std::string why = NotReady();
  guards_known_ = why.empty();
  return why;
}

// Looks under way may be between a state's write and its actions: they are let finish, so that the
// next start need not repeat them.
void Agent::Parts::Quiesce(Duration grace) {
  auto until = ground_.clock.Monotonic() + grace;
  auto done = std::make_shared<std::promise<void>>();
  auto finished = done->get_future();
  ground_.loop.Post([this, done] { brain_->Quiesce([done] { done->set_value(); }); });
  auto left = until - ground_.clock.Monotonic();
  if (finished.wait_for(left) != std::future_status::ready)
    ground_.log.Warn("stopped with changes under way; the next start goes on from there");
}

void Agent::Parts::Stop(Duration grace) {
  if (stopped_.exchange(true)) return;
  if (!began_) {
    if (front_) front_->Stop(Duration(0));
    return;
  }
  ground_.log.Info("stopping");
  auto until = ground_.clock.Monotonic() + grace;
  auto left = [&] {
    auto rest = std::chrono::duration_cast<Duration>(until - ground_.clock.Monotonic());
    return std::max(rest, Duration(0));
  };
  ground_.history->EndReading();  // a worker or the chores may be reading
  front_->Stop(left() / 2);
  chores_.Stop();
  Quiesce(left());
  ground_.loop.Stop();
  if (!ground_.history->Flush(std::max(left(), Duration(500))))
    ground_.log.Warn("not all of the history was written");
  ground_.log.Info("stopped");
  ground_.log.Flush();
}

Agent::Agent(AgentOptions options, const Clock& clock, telemetry::Log& log)
    : parts_(std::make_unique<Parts>(std::move(options), clock, log)) {}

Agent::~Agent() = default;

Status CheckStart(AgentOptions options, const Clock& clock, telemetry::Log& log) {
  Ground ground(std::move(options), clock, log);
  LibraryKeeper library(ground, [](spec::Library) {});
  if (Status secrets = CheckSecretFiles(ground.config); !secrets) return secrets;
  if (Status rules = library.LoadFirst(); !rules) return rules;
  return ground.ReachCluster();
}

Status Agent::Start() { return parts_->Start(); }
void Agent::Reload() { parts_->Reload(); }
void Agent::Stop(Duration grace) { parts_->Stop(grace); }
uint16_t Agent::port() const { return parts_->port(); }
bool Agent::Ready() const { return parts_->NotReady().empty(); }

}  // namespace rollguard::serve
