// SPDX-License-Identifier: Apache-2.0
// How far back queries look where the names of pods were another revision's before.
#include "agent/app/own_time.h"

#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::app {
namespace {

using std::chrono::seconds;

constexpr const char* kRule = R"q(rate(x{p=~"$candidate_pods"}[1m]) / rate(x{p=~"$pods"}[1m]))q";
const Time kStart = *ParseRfc3339("2026-01-01T00:00:00Z");

struct Scene {
  spec::Guard guard;
  release::GuardState state;
  release::Observation seen;
  routing::Tracks tracks;
  OwnTime own;

  explicit Scene(const char* kind) {
    guard.target.kind = kind;
    guard.target.name = "web";
    state.release.emplace();
    state.release->id = "one";
    state.release->candidate = "r2";
    state.release->started = kStart;
    seen.target.revisions.resize(1);
    seen.target.revisions[0].revision = "r2";
  }
  // Pods web-N with the seconds at which they were made.
  void Look(const std::vector<std::pair<int, int>>& pods) {
    release::RevisionView& revision = seen.target.revisions[0];
    revision.pods.clear();
    revision.made.clear();
    for (const auto& [number, at] : pods) {
      revision.pods.push_back(StrCat("web-", number));
      revision.made.push_back(FormatRfc3339(kStart + seconds(at)));
    }
    own.Learn({guard, state, seen, tracks});
  }
  std::string At(int second, bool mine = true) const {
    promql::Bindings vars = {{"candidate_pods", PodsValue("web-0|web-1|web-2")},
                             {"pods", PodsValue("web-.")}};
    auto bound = BindQueryWithin(own, mine, promql::Parse(kRule, {.variables = true}), kRule, vars,
                                 kStart + seconds(second));
    return bound ? *bound : bound.error().message;
  }
};

std::string Both(const std::string& pods, const char* range) {
  const std::string one = StrCat("rate(x{p=~\"", pods, "\"}[", range, "])");
  return StrCat(one, " / ", one);
}

TEST_CASE("own time: names that tell are asked about as it is written") {
  for (const char* kind : {"Deployment", "DaemonSet", "Rollout"}) {
    INFO(kind);
    Scene scene(kind);
    scene.Look({{2, 10}});
    CHECK(scene.own.unlimited());
    CHECK(scene.At(15) == R"q(rate(x{p=~"web-0|web-1|web-2"}[1m]) / rate(x{p=~"web-."}[1m]))q");
  }
}

TEST_CASE("own time: the oldest pods of a StatefulSet first, others when half of it is theirs") {
  Scene scene("StatefulSet");
  scene.Look({{2, 10}});
  CHECK(scene.At(10) == Both("web-2", "1s"));
  CHECK(scene.At(15) == Both("web-2", "4s"));
  scene.Look({{1, 30}, {2, 10}});
  CHECK(scene.At(41) == Both("web-2", "30s"));
  CHECK(scene.At(60) == Both("web-2", "49s"));
  CHECK(scene.At(61) == Both("web-1|web-2", "30s"));
  CHECK(scene.At(90) == Both("web-1|web-2", "59s"));
  CHECK(scene.At(91) == Both("web-1|web-2", "1m"));
  // Of stable's side only the candidate's pods are limited.
  CHECK(scene.At(61, false) == R"q(rate(x{p=~"web-1|web-2"}[30s]) / rate(x{p=~"web-."}[1m]))q");
}

TEST_CASE("own time: what a pod did before it was made anew still counts") {
  Scene scene("StatefulSet");
  scene.Look({{2, 10}});
  scene.Look({{2, 100}});
  CHECK(scene.At(105) == Both("web-2", "1m"));
  // The names are gone with the pods, and are still known.
  scene.Look({});
  CHECK(scene.At(105) == Both("web-2", "1m"));
  // Another release begins anew.
  scene.state.release->id = "two";
  scene.Look({{2, 100}});
  CHECK(scene.At(105) == Both("web-2", "4s"));
}

TEST_CASE("own time: Flagger's canary pods are asked about since the release began") {
  Scene scene("Canary");
  scene.Look({});
  CHECK(scene.At(21) == R"q(rate(x{p=~"web-0|web-1|web-2"}[20s]) / rate(x{p=~"web-."}[20s]))q");
  CHECK(scene.At(61) == R"q(rate(x{p=~"web-0|web-1|web-2"}[1m]) / rate(x{p=~"web-."}[1m]))q");
}

}  // namespace
}  // namespace rollguard::app
