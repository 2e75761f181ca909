// SPDX-License-Identifier: Apache-2.0
#include "agent/app/shard_keeper.h"

#include <algorithm>

#include "agent/app/controller.h"
#include "agent/app/mirror.h"
#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"

namespace rollguard::app {
namespace {

constexpr std::string_view kShardPrefix = "rollguard-shard-";
constexpr std::string_view kReplicaPrefix = "rollguard-replica-";
constexpr Duration kAskBusy{10};
constexpr Duration kNow{1};
constexpr int64_t kMostShards = 256;  // as the configuration allows

// A lease's name allows small letters, digits, '-' and '.'.
std::string NameOfReplica(const std::string& identity) {
  std::string name = ToLower(identity);
  for (char& c : name) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    if (!allowed) c = '-';
  }
  return name;
}

}  // namespace

ShardKeeper::ShardKeeper(ShardKeeperPorts ports, ShardKeeperOptions options)
    : ports_(std::move(ports)), options_(std::move(options)) {
  options_.identity = NameOfReplica(options_.identity);
  Random random(ports_.seed);
  holder_ = StrCat(options_.identity, "_",
                   ShortHash(StrCat(options_.identity, random.Next(),
                                    ports_.clock->Now().time_since_epoch().count())));
  for (int shard = 0; shard < options_.count; ++shard) {
    shards_.emplace_back();
    shards_.back().lease = FreeLease(options_.ns, NameOf(shard), "shard");
  }
  replicas_[options_.identity].lease =
      FreeLease(options_.ns, StrCat(kReplicaPrefix, options_.identity), "replica");
  mine_.resize(shards_.size());
}

ShardKeeper::~ShardKeeper() {
  if (timer_ != 0) ports_.timers->CancelTimer(timer_);
}

std::string ShardKeeper::NameOf(int shard) const { return StrCat(kShardPrefix, shard); }

void ShardKeeper::Start(Hooks hooks) {
  hooks_ = std::move(hooks);
  kube::InformerOptions options;
  options.type = kube::resources::Leases();
  options.ns = options_.ns;
  options.label_selector = kube::kLeaseLabel;
  options.max_backoff = std::chrono::seconds(2);
  informer_ = std::make_unique<kube::Informer>(*ports_.cluster, *ports_.timers,
                                               Random(ports_.seed + 1), ports_.executor, options);
  kube::InformerHandler handler;
  handler.upsert = [this](const Json& object, const Json*) { OnLease(kube::ParseLease(object)); };
  handler.deleted = [this](const Json& object) { OnLeaseGone(kube::ParseLease(object)); };
  handler.synced = [this] {
    synced_ = true;
    Tick();
  };
  handler.trouble = [this](const Error& error) { trouble_ = error.message; };
  informer_->AddHandler(std::move(handler));
  informer_->Start();
}

void ShardKeeper::Stop(std::function<void()> done) {
  stopping_ = true;
  stopped_ = std::move(done);
  synced_ ? Tick() : std::exchange(stopped_, nullptr)();
}

void ShardKeeper::Relist() {
  if (!informer_) return;
  for (HeldLease& held : shards_) held.may_be_older = true;
  for (auto& [identity, held] : replicas_) held.may_be_older = true;
  informer_->Relist();
}

HeldLease* ShardKeeper::Find(const kube::Lease& lease) {
  std::string_view name = lease.name;
  if (name.starts_with(kReplicaPrefix)) {
    HeldLease& held = replicas_[std::string(name.substr(kReplicaPrefix.size()))];
    if (held.lease.name.empty()) held.lease = FreeLease(options_.ns, lease.name, "replica");
    return &held;
  }
  if (!name.starts_with(kShardPrefix)) return nullptr;
  auto shard = ParseInt(name.substr(kShardPrefix.size()));
  if (!shard || *shard < 0 || *shard >= kMostShards) return nullptr;
  if (*shard >= options_.count) return &beyond_[*shard];
  return &shards_[static_cast<size_t>(*shard)];
}

void ShardKeeper::OnLease(const kube::Lease& lease) {
  HeldLease* held = Find(lease);
  if (held == nullptr) return;
  if (!held->IsNews(lease.resource_version)) return;
  held->Saw(lease, holder_, ports_.clock->Monotonic());
  if (synced_) TickAt(ports_.clock->Monotonic());
}

void ShardKeeper::OnLeaseGone(const kube::Lease& lease) {
  HeldLease* held = Find(lease);
  if (held == nullptr || !IsAsNew(lease.resource_version, held->lease.resource_version)) return;
  held->Saw(FreeLease(options_.ns, lease.name, held->lease.about), holder_,
            ports_.clock->Monotonic());
  if (synced_) TickAt(ports_.clock->Monotonic());
}

void ShardKeeper::Dispute(ShardView& view, Mono now) {
  const HeldLease* other = nullptr;
  for (const HeldLease& held : shards_) {
    if (other == nullptr && held.CountsDifferently(holder_, options_.count, now)) other = &held;
  }
  for (const auto& [shard, held] : beyond_) {
    if (other == nullptr && held.CountsDifferently(holder_, options_.count, now)) other = &held;
  }
  view.disputed = other != nullptr;
  view.overruled = shards_[0].CountsDifferently(holder_, options_.count, now);
  std::string dispute;
  if (other != nullptr) {
    dispute = StrCat("replica ", other->lease.holder.substr(0, other->lease.holder.rfind('_')),
                     " divides the guards into ", other->lease.shards, " shards, this one into ",
                     options_.count, ", and ", view.overruled ? "claims none" : "claims no more",
                     " while it does: give all replicas the same shards.count");
  }
  if (dispute == dispute_) return;
  dispute_ = std::move(dispute);
  hooks_.changed();
}

void ShardKeeper::Tick() {
  if (timer_ != 0) ports_.timers->CancelTimer(std::exchange(timer_, 0));
  if (!synced_) return;
  const Mono now = ports_.clock->Monotonic();
  SayAlive(now);
  ShardView view;
  view.self = options_.identity;
  view.stopping = stopping_;
  for (const auto& [identity, held] : replicas_) {
    const bool alive = identity == options_.identity ? held.Ours(now) : !held.RanOut(now);
    if (alive && !held.CountsDifferently(holder_, options_.count, now))
      view.replicas.push_back(identity);
  }
  Dispute(view, now);
  for (const HeldLease& held : shards_) {
    const bool self = held.lease.holder == holder_;
    view.shards.push_back(self               ? Holder::kSelf
                          : held.RanOut(now) ? Holder::kNobody
                                             : Holder::kOther);
  }
  const auto moves = PlanShards(view);
  for (size_t shard = 0; shard < moves.size(); ++shard)
    Move(static_cast<int>(shard), moves[shard], now);
  Settle(now);
  if (stopped_ && Gone()) {
    std::exchange(stopped_, nullptr)();
    return;
  }
  TickAt(NextTick(now));
}

bool ShardKeeper::Gone() const {
  const bool holds = std::any_of(shards_.begin(), shards_.end(), [this](const HeldLease& held) {
    return held.in_flight || held.lease.holder == holder_;
  });
  const HeldLease& me = replicas_.at(options_.identity);
  return !holds && !me.in_flight && me.lease.holder != holder_;
}

void ShardKeeper::TickAt(Mono when) {
  if (timer_ != 0) {
    if (timer_at_ <= when) return;
    ports_.timers->CancelTimer(timer_);
  }
  timer_at_ = when;
  const Mono wait = std::max(when - ports_.clock->Monotonic(), Mono(0));
  timer_ = ports_.timers->After(std::chrono::ceil<Duration>(wait),
                                [this, alive = std::weak_ptr(alive_)] {
                                  if (alive.expired()) return;
                                  timer_ = 0;
                                  Tick();
                                });
}

// The next time at which something is due by itself; news of leases come sooner.
Mono ShardKeeper::NextTick(Mono now) const {
  Mono next = now + Mono(options_.renew);
  auto at_latest = [&](Mono when) { next = std::min(next, std::max(when, now + Mono(kNow))); };
  auto consider = [&](const HeldLease& held) {
    if (held.lease.holder == holder_ && held.leaving) at_latest(now + Mono(kAskBusy));
    held.ForEachDue(holder_, now, at_latest);
  };
  for (const HeldLease& held : shards_) consider(held);
  for (const auto& [shard, held] : beyond_) consider(held);
  for (const auto& [identity, held] : replicas_) consider(held);
  return next;
}

void ShardKeeper::SayAlive(Mono now) {
  HeldLease& me = replicas_.at(options_.identity);
  if (me.in_flight) return;
  if (stopping_) {  // at once: others take only what is not ours to have
    if (me.lease.holder == holder_) Leave(me);
    return;
  }
  if (now < me.renew_at) return;
  if (me.lease.holder != holder_ && !me.RanOut(now)) {
    trouble_ = StrCat("another process calls itself ", Quote(options_.identity),
                      ": give each replica an identity of its own");
    return;
  }
  Write(me, holder_);
}

void ShardKeeper::Leave(HeldLease& held) {
  held.in_flight = true;
  held.until.reset();
  kube::DeleteLease(*ports_.cluster, held.lease,
                    [this, &held, alive = std::weak_ptr(alive_)](const Status& gone) {
                      if (alive.expired()) return;
                      held.in_flight = false;
                      // Whatever became of it: it runs out by itself.
                      held.lease.holder.clear();
                      if (!gone) trouble_ = gone.error().message;
                      TickAt(ports_.clock->Monotonic());
                    });
}

void ShardKeeper::Move(int shard, ShardMove move, Mono now) {
  HeldLease& held = shards_[static_cast<size_t>(shard)];
  switch (move) {
    case ShardMove::kNone: break;
    case ShardMove::kClaim:
      if (!held.in_flight && now >= held.renew_at) Write(held, holder_);
      break;
    case ShardMove::kRenew:
      held.leaving = false;
      if (!held.in_flight && now >= held.renew_at) Write(held, holder_);
      break;
    case ShardMove::kGiveUp:
      held.leaving = true;
      Settle(now);  // before it is asked whether something is under way
      if (!held.in_flight && !hooks_.busy(shard)) Write(held, "");
      break;
  }
}

// Claims, renews or (without a holder) gives back.
void ShardKeeper::Write(HeldLease& held, std::string holder) {
  const kube::Lease lease =
      held.Next(std::move(holder), ports_.clock->Now(), options_.lease, options_.count);
  if (lease.holder.empty()) held.until.reset();
  held.in_flight = true;
  const Mono sent = ports_.clock->Monotonic();
  held.renew_at = sent + Mono(options_.renew);
  kube::WriteLease(
      *ports_.cluster, lease,
      [this, &held, sent, alive = std::weak_ptr(alive_)](Expected<kube::Lease> written) {
        if (!alive.expired()) Wrote(held, sent, std::move(written));
      });
}

void ShardKeeper::Wrote(HeldLease& held, Mono sent, Expected<kube::Lease> written) {
  held.in_flight = false;
  if (!written) {
    Refused(held, written.error());
    return;
  }
  trouble_.clear();
  held.Saw(std::move(*written), holder_, ports_.clock->Monotonic());
  if (held.lease.holder == holder_) {
    held.until = sent + Mono(options_.lease) * 4 / 5;
    held.outgrow = -1;
  }
  TickAt(ports_.clock->Monotonic());
}

// What another wrote first, or what went back in time, is read as it is now.
void ShardKeeper::Refused(HeldLease& held, const Error& error) {
  const Mono retry = Mono(options_.renew) / 4;
  held.renew_at = ports_.clock->Monotonic() + retry;
  const bool moved = error.code == ErrorCode::kConflict ||
                     error.code == ErrorCode::kAlreadyExists || error.code == ErrorCode::kNotFound;
  if (!moved) {
    trouble_ = error.message;
    TickAt(held.renew_at);
    return;
  }
  held.in_flight = true;
  kube::ReadLease(*ports_.cluster, held.lease.ns, held.lease.name,
                  [this, &held, alive = std::weak_ptr(alive_)](Expected<kube::Lease> now) {
                    if (alive.expired()) return;
                    held.in_flight = false;
                    if (now) {
                      held.Saw(std::move(*now), holder_, ports_.clock->Monotonic());
                    } else if (now.error().code == ErrorCode::kNotFound) {
                      held.Saw(FreeLease(options_.ns, held.lease.name, held.lease.about), holder_,
                               ports_.clock->Monotonic());
                    } else {
                      trouble_ = now.error().message;
                    }
                    TickAt(ports_.clock->Monotonic());
                  });
}

// Tells when another set of shards is ours to begin something for.
void ShardKeeper::Settle(Mono now) {
  std::vector<bool> mine(shards_.size());
  for (size_t shard = 0; shard < mine.size(); ++shard)
    mine[shard] = shards_[shard].Ours(now) && !shards_[shard].leaving;
  if (mine == mine_) return;
  mine_ = std::move(mine);
  hooks_.changed();
}

const HeldLease& ShardKeeper::Of(const std::string& guard) const {
  return shards_[static_cast<size_t>(ShardOf(guard, options_.count))];
}

bool ShardKeeper::Mine(const std::string& guard) const {
  return mine_[static_cast<size_t>(ShardOf(guard, options_.count))];
}

bool ShardKeeper::MayWrite(const std::string& guard) const {
  return Of(guard).Ours(ports_.clock->Monotonic());
}

Epoch ShardKeeper::EpochOf(const std::string& guard) const {
  const int shard = ShardOf(guard, options_.count);
  return {options_.identity, shard, shards_[static_cast<size_t>(shard)].lease.transitions};
}

void ShardKeeper::Outgrow(const std::string& guard, int64_t number) {
  HeldLease& held = shards_[static_cast<size_t>(ShardOf(guard, options_.count))];
  if (held.outgrow >= number) return;
  held.outgrow = number;
  held.renew_at = Mono(0);
  TickAt(ports_.clock->Monotonic());
}

std::vector<ShardStanding> ShardKeeper::Standings() const {
  const Mono now = ports_.clock->Monotonic();
  std::vector<ShardStanding> all;
  for (const HeldLease& held : shards_) {
    std::string holder = held.RanOut(now) ? "" : held.lease.holder;
    // Without what tells processes of one name apart.
    holder = holder.substr(0, holder.rfind('_'));
    all.push_back(
        {static_cast<int>(all.size()), held.Ours(now), std::move(holder), held.lease.transitions});
  }
  return all;
}

std::vector<std::string> ShardKeeper::Replicas() const {
  const Mono now = ports_.clock->Monotonic();
  std::vector<std::string> alive;
  for (const auto& [identity, held] : replicas_) {
    const bool self = identity == options_.identity;
    if (self ? held.Ours(now) : !held.RanOut(now)) alive.push_back(identity);
  }
  return alive;
}

void KeepFor(ShardKeeper& keeper, Controller& controller, std::function<void()> changed) {
  const int count = keeper.count();
  keeper.Start({.changed =
                    [&controller, changed = std::move(changed)] {
                      controller.OwnershipChanged();
                      if (changed) changed();
                    },
                .busy =
                    [&controller, count](int shard) {
                      return controller.Busy([shard, count](const std::string& guard) {
                        return ShardOf(guard, count) == shard;
                      });
                    }});
}

}  // namespace rollguard::app
