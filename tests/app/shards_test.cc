// SPDX-License-Identifier: Apache-2.0
// Guards to shards, shards to replicas, and what a replica does about each lease.
#include "agent/app/shards.h"

#include <algorithm>
#include <map>

#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::app {
namespace {

TEST_CASE("a guard's shard is the same everywhere and for ever") {
  struct Row {
    const char* guard;
    int count;
    int want;
  };
  const Row rows[] = {
      {"shop/checkout", 1, 0},     {"shop/checkout", 2, 0}, {"shop/checkout", 12, 10},
      {"shop/cart", 12, 10},       {"staging/cart", 12, 4}, {"", 12, 2},
      {"shop/checkout", 256, 169},
  };
  for (const Row& row : rows) {
    INFO(row.guard << " of " << row.count);
    CHECK(ShardOf(row.guard, row.count) == row.want);
  }
}

TEST_CASE("guards spread evenly, and few move when a shard is added") {
  std::vector<int> load(12);
  int moved = 0;
  for (int i = 0; i < 12'000; ++i) {
    const std::string guard = StrCat("ns-", i % 40, "/service-", i);
    const int shard = ShardOf(guard, 12);
    ++load[static_cast<size_t>(shard)];
    const int wider = ShardOf(guard, 13);
    if (wider != shard) {
      CHECK(wider == 12);  // only to the new one
      ++moved;
    }
  }
  CHECK(*std::min_element(load.begin(), load.end()) > 800);
  CHECK(*std::max_element(load.begin(), load.end()) < 1200);
  CHECK(moved > 700);
  CHECK(moved < 1200);
}

TEST_CASE("shards are dealt so that nobody has more than a share") {
  for (int count : {1, 2, 12, 64}) {
    for (int replicas = 1; replicas <= 5; ++replicas) {
      std::vector<std::string> names;
      for (int i = 0; i < replicas; ++i) names.push_back(StrCat("agent-", i));
      const auto owners = AssignShards(count, names);
      std::reverse(names.begin(), names.end());
      CHECK(owners == AssignShards(count, names));
      std::map<std::string, int> dealt;
      for (const std::string& owner : owners) ++dealt[owner];
      for (const auto& [owner, n] : dealt) CHECK(n <= (count + replicas - 1) / replicas);
    }
  }
  CHECK(AssignShards(2, {}) == std::vector<std::string>{"", ""});
}

TEST_CASE("a replica that goes gives its shards away, and most others stay") {
  const auto three = AssignShards(60, {"a", "b", "c"});
  const auto two = AssignShards(60, {"a", "b"});
  int moved = 0;
  for (size_t i = 0; i < three.size(); ++i) {
    if (three[i] == "c") continue;
    if (three[i] != two[i]) ++moved;
  }
  CHECK(moved <= 12);  // the bound moves a few besides
}

TEST_CASE("what is done about each shard") {
  using enum Holder;
  using enum ShardMove;
  struct Row {
    const char* name;
    std::vector<std::string> replicas;
    Holder holder;
    bool stopping;
    ShardMove want;  // for a shard that falls to "a" when it is among the replicas
  };
  const Row rows[] = {
      {"nobody's and ours to have", {"a"}, kNobody, false, kClaim},
      {"nobody's and another's to have", {"b"}, kNobody, false, kNone},
      {"nobody's, and nobody is alive yet", {}, kNobody, false, kNone},
      {"nobody's, and we stop", {"a"}, kNobody, true, kNone},
      {"ours", {"a"}, kSelf, false, kRenew},
      {"ours and another's to have", {"b"}, kSelf, false, kGiveUp},
      {"ours, and we cannot say that we are alive", {}, kSelf, false, kRenew},
      {"ours, and we stop", {"a"}, kSelf, true, kGiveUp},
      {"ours, and the last one stops", {}, kSelf, true, kGiveUp},
      {"another's and ours to have: it will give it up", {"a"}, kOther, false, kNone},
      {"another's", {"b"}, kOther, false, kNone},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const auto moves = PlanShards(
        {.self = "a", .replicas = row.replicas, .shards = {row.holder}, .stopping = row.stopping});
    REQUIRE(moves.size() == 1);
    CHECK(moves[0] == row.want);
  }
}

TEST_CASE("shards that are counted differently") {
  using enum Holder;
  using enum ShardMove;
  struct Row {
    const char* name;
    std::vector<Holder> holders;
    bool disputed, overruled;
    std::vector<ShardMove> want;  // "a" is alone among those that count alike
  };
  const Row rows[] = {
      {"nobody holds anything: the first comes first",
       {kNobody, kNobody},
       false,
       false,
       {kClaim, kNone}},
      {"the first is ours: the others follow", {kSelf, kNobody}, false, false, {kRenew, kClaim}},
      {"the first is another's who counts alike", {kOther, kNobody}, false, false, {kNone, kClaim}},
      {"the first was lost: ours stay ours", {kNobody, kSelf}, false, false, {kClaim, kRenew}},
      {"somebody else counts differently: nothing is claimed",
       {kNobody, kSelf},
       true,
       false,
       {kNone, kRenew}},
      {"who holds the first counts differently: all is given up",
       {kOther, kSelf},
       true,
       true,
       {kNone, kGiveUp}},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const auto moves = PlanShards({.self = "a",
                                   .replicas = {"a"},
                                   .shards = row.holders,
                                   .stopping = false,
                                   .disputed = row.disputed,
                                   .overruled = row.overruled});
    CHECK(moves == row.want);
  }
}

}  // namespace
}  // namespace rollguard::app
