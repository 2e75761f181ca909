// SPDX-License-Identifier: Apache-2.0
// Holds this replica's shards: says that the replica is alive, claims the leases of the shards that
// should be its own, renews them, gives up what another replica should have, and takes over what a
// lost one leaves. What should be whose is PlanShards' answer.
//
// The times, all by this process's monotonic clock, so that no replica's wall clock matters:
//   - a lease of ours holds for four fifths of its duration from the moment its last successful
//     write was sent;
//   - a lease of another's has run out when it was not seen to change for its whole duration.
// A holder that is cut off or stopped has therefore always stopped before anybody else begins, and
// a claim made on an old view is refused by the lease's version.
//
// A replica that is configured with another number of shards than those which hold them claims
// nothing and says so (PlanShards).
//
// Giving up: nothing new is begun for the shard at once, what is under way ends (`busy`), then the
// lease is given back and its next owner, who watches it, goes on.
// Belongs to the deciding thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/app/held_lease.h"
#include "agent/app/ownership.h"
#include "agent/app/shards.h"
#include "agent/kube/informer.h"
#include "agent/kube/leases.h"
#include "agent/ports/cluster.h"
#include "agent/ports/timers.h"

namespace rollguard::app {

struct ShardKeeperPorts {
  Cluster* cluster = nullptr;
  Timers* timers = nullptr;
  const Clock* clock = nullptr;
  kube::Executor executor;
  uint64_t seed = 1;
};

struct ShardKeeperOptions {
  int count = 1;
  std::string ns;        // of the leases
  std::string identity;  // unique among the replicas: a lease's name is made of it
  Duration lease = std::chrono::seconds(15);
  Duration renew = std::chrono::seconds(5);
};

// One shard as this replica sees it, for metrics and people.
struct ShardStanding {
  int shard = 0;
  bool ours = false;
  std::string holder;  // empty: nobody's
  int64_t epoch = 0;
};

class Controller;

class ShardKeeper : public Ownership {
 public:
  struct Hooks {
    std::function<void()> changed;        // what is Mine is another set now
    std::function<bool(int shard)> busy;  // something is under way for a guard of that shard
  };
  ShardKeeper(ShardKeeperPorts ports, ShardKeeperOptions options);
  ~ShardKeeper() override;
  ShardKeeper(const ShardKeeper&) = delete;
  ShardKeeper& operator=(const ShardKeeper&) = delete;

  void Start(Hooks hooks);
  // The store went back: leases are listed anew and count whatever their version.
  void Relist();
  // Gives everything up; `done` runs once nothing is held any more.
  void Stop(std::function<void()> done);

  bool Mine(const std::string& guard) const override;
  bool MayWrite(const std::string& guard) const override;
  Epoch EpochOf(const std::string& guard) const override;
  void Outgrow(const std::string& guard, int64_t number) override;

  int count() const { return options_.count; }
  const std::string& identity() const { return options_.identity; }
  std::vector<ShardStanding> Standings() const;
  std::vector<std::string> Replicas() const;  // alive, as this one sees it
  // Why leases cannot be held; empty when they can.
  const std::string& trouble() const { return dispute_.empty() ? trouble_ : dispute_; }

 private:
  void OnLease(const kube::Lease& lease);
  void OnLeaseGone(const kube::Lease& lease);
  HeldLease* Find(const kube::Lease& lease);
  void Tick();
  void TickAt(Mono when);
  void SayAlive(Mono now);
  void Move(int shard, ShardMove move, Mono now);
  void Write(HeldLease& held, std::string holder);
  void Wrote(HeldLease& held, Mono sent, Expected<kube::Lease> written);
  void Refused(HeldLease& held, const Error& error);
  void Leave(HeldLease& held);
  bool Gone() const;
  void Settle(Mono now);
  Mono NextTick(Mono now) const;
  void Dispute(ShardView& view, Mono now);
  const HeldLease& Of(const std::string& guard) const;
  std::string NameOf(int shard) const;

  ShardKeeperPorts ports_;
  ShardKeeperOptions options_;
  std::string holder_;  // the identity and what tells this process from an earlier one
  Hooks hooks_;
  std::vector<HeldLease> shards_;
  std::map<int64_t, HeldLease> beyond_;        // shards there are only by another count
  std::map<std::string, HeldLease> replicas_;  // by identity
  std::vector<bool> mine_;                     // as last told
  std::unique_ptr<kube::Informer> informer_;
  std::string trouble_;
  std::string dispute_;  // who counts the shards differently; empty: nobody
  bool synced_ = false;
  bool stopping_ = false;
  std::function<void()> stopped_;
  TimerId timer_ = 0;
  Mono timer_at_{0};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// The keeper begins, for what that controller decides on; both end together. `changed` is told
// after the controller.
void KeepFor(ShardKeeper& keeper, Controller& controller, std::function<void()> changed = {});

}  // namespace rollguard::app
