// SPDX-License-Identifier: Apache-2.0
// The agent is killed again and again, between any two of its writes to a real API server, half of
// the times before the write arrives and half of the times before it is answered. What it leaves
// behind must be what an agent leaves that nobody killed.
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdio>

#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "tests/e2e/support/fleet.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

using std::chrono::minutes;

// Strategies that differ in what they write and in which order.
constexpr const char* kSetups[] = {"canary istio subsets", "canary gateway", "canary nginx",
                                   "canary replicas",      "blue/green",     "rolling"};
// A process lives for so many writes: a prime, so that every write of every strategy is hit.
constexpr int kWritesOfALife = 7;

class Killer {
 public:
  explicit Killer(Fleet& fleet) : fleet_(fleet) {
    fleet_.proxy().SetHook([this](int, bool after) { return Hook(after); });
  }
  ~Killer() { fleet_.proxy().SetHook({}); }

  // Starts the agent again whenever it was killed, until `holds` does for every member.
  std::string Drive(const std::function<bool(const Member&)>& holds) {
    return fleet_.AwaitAll(
        [&](const Member& member) {
          Revive();
          return holds(member);
        },
        minutes(3));
  }
  void Revive() {
    if (pid_ == 0) {
      pid_ = fleet_.agent().process().pid();
      return;
    }
    if (!dead_) return;
    fleet_.KillAgent();
    REQUIRE(fleet_.StartAgent());
    writes_ = 0;
    pid_ = fleet_.agent().process().pid();
    dead_ = false;
  }
  void Rest() { resting_ = true; }
  int kills() const { return kills_; }

 private:
  bool Hook(bool after) {
    if (dead_) return false;
    if (resting_ || pid_ == 0) return true;
    if (!after) ++writes_;
    const bool before_effect = kills_ % 2 == 0;
    if (writes_ < kWritesOfALife || before_effect == after) return true;
    if (dead_.exchange(true)) return false;
    ++kills_;
    ::kill(pid_, SIGKILL);
    return false;
  }

  Fleet& fleet_;
  std::atomic<pid_t> pid_{0};
  std::atomic<bool> dead_{false};
  std::atomic<bool> resting_{false};
  std::atomic<int> writes_{0};
  std::atomic<int> kills_{0};
};

bool OnlyImage(Fleet& fleet, const Member& member, const std::string& version) {
  auto images = fleet.Images(member);
  return !images.empty() && std::all_of(images.begin(), images.end(), [&](const std::string& i) {
    return i == simulation::ImageOf(version);
  });
}

TEST_CASE("killed between any two writes, releases end as if nothing had happened") {
  Fleet fleet;
  for (const char* name : kSetups) fleet.Add(name);
  REQUIRE(fleet.StartAgent());
  Killer killer(fleet);
  killer.Revive();
  for (const auto& m : fleet.members()) CHECK(fleet.PutGuard(*m, false).ok());
  CHECK(killer.Drive([&](const Member& m) { return fleet.AtRest(m, ""); }) == "");

  for (const auto& m : fleet.members()) fleet.SetVersion(*m, "v2");
  CHECK(killer.Drive([&](const Member& m) { return fleet.AtRest(m, "promoted"); }) == "");
  CHECK(killer.Drive([&](const Member& m) { return OnlyImage(fleet, m, "v2"); }) == "");
  const int in_promotions = killer.kills();

  for (const auto& m : fleet.members()) CHECK(fleet.PutGuard(*m, true).ok());
  for (const auto& m : fleet.members()) fleet.SetVersion(*m, "v3");
  CHECK(killer.Drive([&](const Member& m) { return fleet.Waits(m); }) == "");
  for (const auto& m : fleet.members()) {
    // As Alertmanager would: again, until it is taken.
    const bool taken = PollUntil(
        [&] {
          killer.Revive();
          return fleet.PostAlert(*m).status == 200;
        },
        minutes(1));
    CHECK(taken);
  }
  CHECK(killer.Drive([&](const Member& m) { return fleet.AtRest(m, "rolledBack"); }) == "");
  CHECK(killer.Drive([&](const Member& m) { return OnlyImage(fleet, m, "v2"); }) == "");
  killer.Rest();
  killer.Revive();
  std::printf("killed %d times in promotions, %d in all\n", in_promotions, killer.kills());
  CHECK(in_promotions >= 5);
  CHECK(killer.kills() >= 10);

  for (const auto& m : fleet.members()) {
    INFO(m->setup->name);
    const Json status = fleet.StatusOf(*m);
    CHECK(status.At("rollbacks").size() == 1);
    CHECK(status.At("quarantine").size() == 1);
    for (const auto& [key, before] : m->before) {
      if (before.At("kind").Str() == m->setup->kind) continue;
      const Json now = fleet.Current(*m, before);
      CHECK(now.At("spec").Canonical() == before.At("spec").Canonical());
      CHECK(now.At("metadata", "annotations").Canonical() ==
            before.At("metadata", "annotations").Canonical());
    }
    // No sibling is left.
    for (const Json& deployment : fleet.cluster().List(kube::resources::Deployments(), m->ns))
      CHECK(deployment.At("metadata", "name").Str() == simulation::kApp);
  }
}

}  // namespace
}  // namespace rollguard::testing
