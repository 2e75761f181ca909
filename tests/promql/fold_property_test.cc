// SPDX-License-Identifier: Apache-2.0
// Random queries made into members that differ in a label everything groups and matches by: folded
// answers equal single answers, both evaluated by the engine. The server is asked in
// fold_real_test.
#include <algorithm>
#include <deque>

#include "agent/base/text.h"
#include "agent/promql/engine.h"
#include "agent/promql/fold.h"
#include "agent/promql/parser.h"
#include "agent/promql/printer.h"
#include "tests/promql/query_generator.h"
#include "tests/support/catch.h"

namespace rollguard::promql {
namespace {

const char* const kMembers[] = {"a", "b", "c", "nobody"};
const Time kAt = FromUnixMillis(kDataStart + 40 * 60'000);

// Each series of group g is also of a pod `g-N`.
MemoryStore Store(uint64_t seed) {
  MemoryStore store;
  int pod = 0;
  for (const auto& series : AwkwardData(seed)) {
    Labels labels = Labels::FromPairs(series.labels);
    if (std::string group(labels.Get("g")); !group.empty())
      labels = labels.With("pod", StrCat(group, "-", pod++ % 3));
    for (const auto& s : series.samples) REQUIRE(store.Append(labels, s.t_ms, s.value).ok());
  }
  return store;
}

// Most selectors get `g="KEY"`, or `pod=~"KEY-.*"`, in place of what they say about g.
Query WithKey(Query query, bool by_pod, Random& random) {
  for (Node& node : query.nodes) {
    auto* selector = std::get_if<SelectorNode>(&node.is);
    if (selector == nullptr || random.Chance(0.2)) continue;
    std::erase_if(selector->matchers, [](const Matcher& m) { return m.name == "g"; });
    if (by_pod)
      selector->matchers.push_back({MatchOp::kRegex, "pod", "KEY-.*", {}});
    else
      selector->matchers.push_back({MatchOp::kEqual, "g", "KEY", {}});
  }
  return query;
}

Query ForMember(Query query, const char* member) {
  for (Node& node : query.nodes) {
    auto* selector = std::get_if<SelectorNode>(&node.is);
    if (selector == nullptr) continue;
    for (Matcher& m : selector->matchers) {
      m.value = ReplaceAll(m.value, "KEY", member);
    }
  }
  return query;
}

bool Same(const Value& a, const Value& b) {
  if (a.index() != b.index()) return false;
  if (const auto* scalar = std::get_if<Scalar>(&a)) {
    return SameValue(scalar->v, std::get<Scalar>(b).v, 1e-9);
  }
  if (!std::holds_alternative<Vector>(a)) return true;
  Vector x = std::get<Vector>(a), y = std::get<Vector>(b);
  auto less = [](const Sample& l, const Sample& r) { return l.labels < r.labels; };
  std::sort(x.begin(), x.end(), less);
  std::sort(y.begin(), y.end(), less);
  return std::equal(x.begin(), x.end(), y.begin(), y.end(), [](const Sample& l, const Sample& r) {
    return l.labels == r.labels && SameValue(l.v, r.v, 1e-9);
  });
}

// One side of an operator may be empty for one member only; then the folded question can fail where
// the single ones do not, and each is asked alone, as a round does.
std::vector<Value> AskFolded(const Engine& engine, const FoldRequest& request) {
  INFO(request.expr);
  auto query = ParseQuery(request.expr);
  REQUIRE(query.ok());
  auto answer = engine.Instant(*query, kAt);
  if (answer.ok()) return Unfold(request, *std::move(answer));
  INFO(answer.error().message);
  REQUIRE(answer.error().message.find("duplicate") != std::string::npos);
  std::vector<Value> parts;
  for (uint32_t slot = 0; slot < request.slots.size(); ++slot) {
    std::vector<uint32_t> one = {slot};
    auto single = engine.Instant(*ParseQuery(Narrow(request, one).expr), kAt);
    REQUIRE(single.ok());
    parts.push_back(*std::move(single));
  }
  return parts;
}

struct Outcome {
  bool compared = false;
  bool folded = false;
};

Outcome CompareOne(const Engine& engine, const std::deque<Query>& members) {
  std::vector<Value> singles;
  std::vector<const Query*> pointers;
  for (const Query& query : members) {
    auto value = engine.Instant(query, kAt);
    if (!value) return {};
    singles.push_back(*std::move(value));
    pointers.push_back(&query);
  }
  FoldPlan plan = PlanFold(pointers);
  std::vector<std::vector<Value>> parts;
  Outcome outcome{true, false};
  for (const FoldRequest& request : plan.requests) {
    outcome.folded |= request.folded();
    parts.push_back(AskFolded(engine, request));
  }
  for (size_t i = 0; i < members.size(); ++i) {
    std::vector<Value> given;
    for (const FoldPart& part : plan.recipes[i].parts)
      given.push_back(parts[part.request][part.slot]);
    auto value = EvaluateRecipe(plan.recipes[i], given, kAt);
    INFO(Print(members[i]) << "\nhere: " << Print(*plan.recipes[i].local));
    for (const FoldRequest& request : plan.requests) UNSCOPED_INFO("asked: " << request.expr);
    REQUIRE(value.ok());
    if (Same(*value, singles[i])) continue;
    INFO("folded: " << ToString(*value) << "\nsingle: " << ToString(singles[i]));
    CHECK(false);
  }
  return outcome;
}

}  // namespace

namespace {

// How many were compared, how many of them folded.
std::pair<int, int> CompareMany(const char* const (&names)[4], bool by_pod) {
  MemoryStore store = Store(5);
  Engine engine(store);
  Random random(9);
  int compared = 0, folded = 0;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    QueryGenerator generator(seed);
    for (int i = 0; i < 100; ++i) {
      auto query = ParseQuery(generator.Next(false));
      if (!query) continue;  // the generator may put parentheses where a clause takes them
      if (query->type() != ValueType::kVector && query->type() != ValueType::kScalar) continue;
      Query keyed = WithKey(*std::move(query), by_pod, random);
      std::deque<Query> members;
      for (const char* name : names) members.push_back(ForMember(keyed, name));
      Outcome outcome = CompareOne(engine, members);
      compared += outcome.compared ? 1 : 0;
      folded += outcome.folded ? 1 : 0;
    }
  }
  return {compared, folded};
}

}  // namespace

TEST_CASE("folding never changes an answer", "[promql][fold]") {
  auto [compared, folded] = CompareMany(kMembers, false);
  CHECK(compared > 1000);
  CHECK(folded > 800);
}

TEST_CASE("folding over the beginnings of pods' names never changes an answer", "[promql][fold]") {
  auto [compared, folded] = CompareMany(kMembers, true);
  CHECK(compared > 1000);
  CHECK(folded > 700);
}

TEST_CASE("beginnings that begin each other are asked apart, and answer rightly",
          "[promql][fold]") {
  MemoryStore store;
  double value = 1;
  for (const char* pod : {"a-x", "a-b-x", "a-b-y", "a-b-c-x", "ab-x"}) {
    Labels labels = Labels::FromPairs({{"__name__", "m"}, {"pod", pod}});
    REQUIRE(store.Append(labels, ToUnixMillis(kAt), value).ok());
    value *= 10;
  }
  std::deque<Query> members;
  for (const char* name : {"a", "a-b", "a-b-c", "ab"})
    members.push_back(*ParseQuery(StrCat("sum(m{pod=~\"", name, "-.*\"})")));
  CompareOne(Engine(store), members);
  std::vector<const Query*> pointers;
  for (const Query& query : members) pointers.push_back(&query);
  CHECK(PlanFold(pointers).requests.size() == 3);
}

}  // namespace rollguard::promql
