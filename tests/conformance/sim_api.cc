// SPDX-License-Identifier: Apache-2.0
// The conformance cases against the simulated cluster in memory, under virtual time.
#include "agent/sim/sim_cluster.h"
#include "agent/sim/world.h"
#include "tests/conformance/api.h"

namespace rollguard::conformance {
namespace {

class SimApi final : public Api {
 public:
  SimApi() : world_(Options()) {
    sim::RevisionBehaviour never_ready;
    never_ready.never_ready = true;
    world_.behaviours().SetImage("never-ready", never_ready);
    sim::RevisionBehaviour job_fails;
    job_fails.job_fails = true;
    world_.behaviours().SetImage("job-fails", job_fails);
    cluster_ = world_.Connect();
  }

  Cluster& cluster() override { return *cluster_; }

  // `done` may itself make calls, which let time pass; so time moves in small steps.
  bool Until(const std::function<bool()>& done, Duration limit) override {
    const Time end = world_.scheduler().Now() + limit;
    while (!done()) {
      if (world_.scheduler().Now() >= end) return false;
      world_.scheduler().RunFor(std::chrono::milliseconds(5));
    }
    return true;
  }

  std::string KnownToken() override { return "viewer-token"; }
  std::string KnownUser() override { return "viewer"; }

  bool ForgetHistory() override {
    world_.api().Compact();
    return true;
  }

 private:
  static sim::WorldOptions Options() {
    sim::WorldOptions options;
    options.seed = 11;
    options.track_all_fields = true;
    options.users["viewer-token"] = {"viewer", {}};
    return options;
  }

  sim::World world_;
  std::unique_ptr<sim::SimCluster> cluster_;
};

}  // namespace

Api& TheApi() {
  static SimApi api;
  return api;
}

}  // namespace rollguard::conformance
