// SPDX-License-Identifier: Apache-2.0
// A guard is looked at however late what it needs becomes known, and in whatever order.
#include <algorithm>

#include "agent/app/ownership.h"
#include "tests/app/house.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

using namespace std::chrono_literals;
using release::Phase;

bool IsTaken(House& house) {
  return house.RunUntil([&] { return house.State("shop/checkout").phase == Phase::kIdle; }, 2min);
}

std::string AGuard() { return CanaryGuard("shop", "checkout", "{setWeight: 50}, {pause: {}}"); }

TEST_CASE("wake: the workload is there first, or the guard is") {
  for (bool guard_first : {false, true}) {
    for (auto between : {0ms, 1ms, 50ms, 1000ms, 20'000ms}) {
      INFO((guard_first ? "the guard first, " : "the workload first, ") << between.count());
      House house;
      house.StartAgent();
      house.Run(5s);
      if (guard_first) house.AddGuard(AGuard());
      if (!guard_first) house.AddService("shop", "checkout");
      house.Run(between);
      if (guard_first) house.AddService("shop", "checkout");
      if (!guard_first) house.AddGuard(AGuard());
      CHECK(IsTaken(house));
    }
  }
}

TEST_CASE("wake: one kind after another can be listed, each of them last") {
  for (const char* kind : {"Guard", "Deployment", "ReplicaSet", "Pod", "Service", "VirtualService",
                           "DestinationRule", "HorizontalPodAutoscaler", "Secret"}) {
    for (bool guard_first : {false, true}) {
      INFO(kind << " last, " << (guard_first ? "the guard first" : "the agent first"));
      House house;
      house.AddService("shop", "checkout");
      house.Run(30s);
      house.StartAgent();
      house.cluster->fail = [&](const ResourceType& type) { return type.kind == kind; };
      if (!guard_first) house.Run(5s);
      house.AddGuard(AGuard());
      house.Run(40s);
      house.cluster->fail = nullptr;
      CHECK(IsTaken(house));
    }
  }
}

// A lease that runs out for less than a second and is renewed: of that nobody tells.
struct Blinking : app::Ownership {
  explicit Blinking(sim::World& w) : world(w) {}
  bool Mine(const std::string&) const override {
    return world.scheduler().Now() < from || world.scheduler().Now() >= until;
  }
  bool MayWrite(const std::string& guard) const override { return Mine(guard); }
  app::Epoch EpochOf(const std::string&) const override { return {"me", 0, 1}; }
  void Outgrow(const std::string&, int64_t) override {}
  sim::World& world;
  Time from{}, until{};
};

TEST_CASE("wake: the guard comes, or is looked at, while the lease has run out for a moment") {
  for (auto after : {0ms, 1ms, 5ms, 20ms, 100ms}) {
    INFO("out from " << after.count() << " ms after it came");
    House house;
    Blinking lease(house.world);
    house.ownership = &lease;
    house.AddService("shop", "checkout");
    house.StartAgent();
    house.Run(30s);
    lease.from = house.world.scheduler().Now() + after;
    lease.until = lease.from + 800ms;
    house.AddGuard(AGuard());
    CHECK(IsTaken(house));
  }
}

TEST_CASE("wake: what takes a release back is urgent, what moves it on is not") {
  House house;
  house.AddService("shop", "checkout");
  house.StartAgent();
  house.AddGuard(AGuard());
  REQUIRE(IsTaken(house));
  house.SetImage("shop/checkout", "shop:2");
  REQUIRE(house.RunUntil([&] { return house.WeightOf("shop/checkout") == 50; }, 2min));
  CHECK(house.cluster->urgent.empty());
  house.Fire("shop/checkout");
  REQUIRE(house.RunUntil([&] { return house.WeightOf("shop/checkout") == 0; }, 2min));
  REQUIRE(house.cluster->urgent.size() >= 2);
  CHECK(house.cluster->urgent[0] == "Guard/status");
  CHECK(house.cluster->urgent[1] == "VirtualService");
  REQUIRE(house.Outcome("shop/checkout", "rolledBack", 10min));
  // Once traffic is home the candidate goes in its turn.
  const auto& urgent = house.cluster->urgent;
  CHECK(std::find(urgent.begin(), urgent.end(), "Deployment") == urgent.end());
  house.cluster->urgent.clear();
  house.Calm();
  house.SetImage("shop/checkout", "shop:3");
  REQUIRE(house.RunUntil([&] { return house.WeightOf("shop/checkout") == 50; }, 2min));
  CHECK(house.cluster->urgent.empty());
}

}  // namespace
}  // namespace rollguard::testing
