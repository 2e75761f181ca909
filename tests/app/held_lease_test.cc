// SPDX-License-Identifier: Apache-2.0
#include "agent/app/held_lease.h"

#include "tests/support/catch.h"

namespace rollguard::app {
namespace {

using std::chrono::seconds;

kube::Lease LeaseOf(const std::string& holder, const std::string& version) {
  kube::Lease lease = FreeLease("guard", "rollguard-shard-0", "shard");
  lease.holder = holder;
  lease.duration = seconds(15);
  lease.resource_version = version;
  lease.transitions = 4;
  lease.shards = 8;
  return lease;
}

TEST_CASE("held lease: another's has run out when it was not seen to change for its duration") {
  HeldLease held;
  CHECK(held.RanOut(Mono(0)));  // nobody's
  held.Saw(LeaseOf("b", "7"), "a", seconds(100));
  CHECK_FALSE(held.RanOut(seconds(114)));
  CHECK(held.RanOut(seconds(115)));
}

TEST_CASE("held lease: ours ends when another is seen to hold it") {
  HeldLease held;
  held.Saw(LeaseOf("a", "7"), "a", seconds(100));
  held.until = seconds(112);
  held.leaving = true;
  CHECK(held.Ours(seconds(111)));
  CHECK_FALSE(held.Ours(seconds(112)));
  held.Saw(LeaseOf("b", "8"), "a", seconds(101));
  CHECK_FALSE(held.Ours(seconds(101)));
  CHECK_FALSE(held.leaving);
}

TEST_CASE("held lease: an older version is no news, but for once after the store went back") {
  HeldLease held;
  CHECK(held.IsNews("7"));
  held.Saw(LeaseOf("b", "7"), "a", seconds(100));
  CHECK_FALSE(held.IsNews("6"));
  CHECK(held.IsNews("8"));
  held.may_be_older = true;
  CHECK(held.IsNews("6"));
  CHECK_FALSE(held.IsNews("6"));
}

TEST_CASE("held lease: holders are counted, and what is given back runs out at once") {
  HeldLease held;
  held.lease = LeaseOf("b", "7");
  const kube::Lease claimed = held.Next("a", Time(seconds(5)), seconds(15), 8);
  CHECK(claimed.holder == "a");
  CHECK(claimed.transitions == 5);
  CHECK(claimed.acquired == Time(seconds(5)));
  held.lease = claimed;
  CHECK(held.Next("a", Time(seconds(9)), seconds(15), 8).transitions == 5);
  CHECK(held.Next("a", Time(seconds(9)), seconds(15), 8).acquired == Time(seconds(5)));
  const kube::Lease given = held.Next("", Time(seconds(9)), seconds(15), 8);
  CHECK(given.holder.empty());
  CHECK(given.duration == seconds(1));
  held.outgrow = 9;
  CHECK(held.Next("a", Time(seconds(9)), seconds(15), 8).transitions == 10);
}

TEST_CASE("held lease: only another holder at work counts differently") {
  HeldLease held;
  held.Saw(LeaseOf("b", "7"), "a", seconds(100));
  CHECK(held.CountsDifferently("a", 4, seconds(101)));
  CHECK_FALSE(held.CountsDifferently("a", 8, seconds(101)));
  CHECK_FALSE(held.CountsDifferently("b", 4, seconds(101)));
  CHECK_FALSE(held.CountsDifferently("a", 4, seconds(115)));
}

}  // namespace
}  // namespace rollguard::app
