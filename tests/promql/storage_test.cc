// SPDX-License-Identifier: Apache-2.0
#include "agent/promql/storage.h"

#include <set>

#include "agent/base/random.h"
#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::promql {
namespace {

struct Wanted {
  MatchKind kind;
  const char* name;
  const char* value;
};

std::vector<LabelPredicate> Predicates(std::initializer_list<Wanted> wanted) {
  std::vector<LabelPredicate> out;
  for (const Wanted& w : wanted) {
    auto predicate = LabelPredicate::Make(w.kind, w.name, w.value);
    REQUIRE(predicate);
    out.push_back(std::move(predicate).value());
  }
  return out;
}

std::set<std::string> Names(const MemoryStore& store, std::span<const LabelPredicate> predicates) {
  std::vector<SeriesView> views;
  store.Select(predicates, INT64_MIN / 2, INT64_MAX / 2, views);
  std::set<std::string> out;
  for (const SeriesView& view : views) out.insert(view.labels->ToString());
  return out;
}

}  // namespace

TEST_CASE("selection by index agrees with looking at every series", "[promql][storage]") {
  MemoryStore store;
  Random random(3);
  std::vector<Labels> all;
  for (int i = 0; i < 400; ++i) {
    std::string job = StrCat("j", random.Below(4));
    std::string pod = StrCat("p", i);
    Labels labels({{"__name__", i % 2 == 0 ? "m" : "n"},
                   {"job", job},
                   {"pod", pod},
                   {"zone", random.Chance(0.5) ? "z" : ""}});
    REQUIRE(store.Append(labels, i, 1));
    all.push_back(labels);
  }
  const std::initializer_list<Wanted> cases[] = {
      {{MatchKind::kEqual, "__name__", "m"}},
      {{MatchKind::kEqual, "__name__", "m"}, {MatchKind::kEqual, "job", "j1"}},
      {{MatchKind::kRegex, "job", "j1|j2"}, {MatchKind::kEqual, "zone", ""}},
      {{MatchKind::kRegex, "pod", "p1.*"}, {MatchKind::kNotEqual, "job", "j0"}},
      {{MatchKind::kNotRegex, "pod", "p[0-3].*"}, {MatchKind::kEqual, "zone", "z"}},
      {{MatchKind::kRegex, "zone", "z|"}, {MatchKind::kEqual, "pod", "p7"}},
      {{MatchKind::kEqual, "pod", "none"}},
      {{MatchKind::kRegex, "pod", "p7|p8|none"}, {MatchKind::kRegex, "job", ".+"}},
      {{MatchKind::kNotEqual, "nothing", ""}},
  };
  for (const auto& wanted : cases) {
    auto predicates = Predicates(wanted);
    std::set<std::string> expected;
    for (const Labels& labels : all) {
      bool matches = true;
      for (const auto& p : predicates) matches = matches && p.Matches(labels.Get(p.name()));
      if (matches) expected.insert(labels.ToString());
    }
    INFO(predicates[0].name());
    CHECK(Names(store, predicates) == expected);
  }
}

TEST_CASE("patterns that need no regular expression mean the same", "[promql][storage]") {
  const struct {
    const char* pattern;
    std::initializer_list<std::pair<const char*, bool>> texts;
  } rows[] = {
      {"a|b", {{"a", true}, {"b", true}, {"ab", false}, {"", false}}},
      {"a|", {{"a", true}, {"", true}, {"b", false}}},
      {"a\\.b", {{"a.b", true}, {"axb", false}}},
      {"ab.*", {{"ab", true}, {"abc", true}, {"a", false}, {"ab\n", false}}},
      {"ab.+", {{"ab", false}, {"abc", true}}},
      {"a.*b", {{"ab", true}, {"axxb", true}, {"axxbc", false}}},
      {"5..", {{"500", true}, {"50", false}, {"5000", false}}},
      {"(a|b)c", {{"ac", true}, {"bc", true}, {"c", false}}},
      {"a\\|b|c", {{"a|b", true}, {"c", true}, {"a", false}}},
  };
  for (const auto& row : rows) {
    auto predicate = LabelPredicate::Make(MatchKind::kRegex, "x", row.pattern);
    REQUIRE(predicate);
    for (const auto& [text, want] : row.texts) {
      INFO(row.pattern << " on " << Quote(text));
      CHECK(predicate->Matches(text) == want);
    }
  }
  CHECK_FALSE(LabelPredicate::Make(MatchKind::kRegex, "x", "("));
}

TEST_CASE("samples come in order, stale markers are seen", "[promql][storage]") {
  MemoryStore store;
  auto id = store.Intern(Labels({{"__name__", "m"}}));
  REQUIRE(store.Append(id, 10, 1));
  CHECK(store.Append(id, 10, 1));
  CHECK_FALSE(store.Append(id, 10, 2));
  CHECK_FALSE(store.Append(id, 9, 1));
  REQUIRE(store.Append(id, 20, StaleMarker()));
  std::vector<SeriesView> views;
  store.Select({}, 15, 30, views);
  REQUIRE(views.size() == 1);
  CHECK(views[0].may_have_stale);
  CHECK(views[0].points.size() == 1);
  CHECK(IsStale(views[0].points[0].v));
}

TEST_CASE("old points and empty series leave the store and its index", "[promql][storage]") {
  MemoryStore store;
  for (int i = 0; i < 100; ++i) {
    Labels labels({{"__name__", "m"}, {"i", StrCat(i)}});
    for (Millis t = 0; t < 100; ++t) {
      if (i >= 50 || t < 50) REQUIRE(store.Append(labels, t, 1));
    }
  }
  CHECK(store.DropBefore(60).size() == 50);
  CHECK(store.series_count() == 50);
  CHECK(store.sample_count() == 50 * 40);
  auto predicates = Predicates({{MatchKind::kEqual, "i", "7"}});
  CHECK(Names(store, predicates).empty());
  // A place that became free is used again.
  REQUIRE(store.Append(Labels({{"__name__", "new"}}), 100, 1));
  CHECK(Names(store, Predicates({{MatchKind::kEqual, "__name__", "new"}})).size() == 1);
  CHECK(Names(store, Predicates({{MatchKind::kEqual, "__name__", "m"}})).size() == 50);
}

TEST_CASE("a sample costs little more than its 16 bytes", "[promql][storage]") {
  MemoryStore store;
  for (int i = 0; i < 200; ++i) {
    auto id = store.Intern(Labels({{"__name__", "m"}, {"i", StrCat(i)}}));
    for (Millis t = 0; t < 2000; ++t) REQUIRE(store.Append(id, t, 1));
  }
  CHECK(store.MemoryBytes() / store.sample_count() <= 20);
}

TEST_CASE("label sets", "[promql][labels]") {
  Labels labels({{"job", "a"}, {"__name__", "m"}, {"empty", ""}, {"Zone", "x\"y"}});
  CHECK(labels.ToString() == "m{Zone=\"x\\\"y\", job=\"a\"}");
  CHECK(labels.size() == 3);
  CHECK(labels.Get("job") == "a");
  CHECK_FALSE(labels.Has("empty"));
  CHECK(labels.WithoutName() == Labels({{"Zone", "x\"y"}, {"job", "a"}}));
  CHECK(labels.With("job", "") == Labels({{"__name__", "m"}, {"Zone", "x\"y"}}));
  CHECK(labels.With("aaa", "1").With("aaa", "") == labels);
  CHECK(labels.With("job", "b").Get("job") == "b");
  std::string long_text(1000, 'x');
  CHECK(Labels({{"a", long_text}, {"b", "1"}}).Get("a") == long_text);
  CHECK(Labels({{"a", long_text}, {"b", "1"}}).Get("b") == "1");
  CHECK(Labels({{"a", "1"}}) < Labels({{"a", "1"}, {"b", "1"}}));
  CHECK(Labels({{"a", "2"}, {"b", "1"}}) < Labels({{"b", "0"}}));
  CHECK(Labels({{"a", "1"}, {"b", "2"}}).Hash() != Labels({{"a", "1"}, {"b", "3"}}).Hash());
}

}  // namespace rollguard::promql
