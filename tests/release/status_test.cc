// SPDX-License-Identifier: Apache-2.0
// Upgrade and downgrade: a status that another version wrote is read, and what it says beyond what
// we know stays.
//
// tests/golden/status/v0.1.json holds a status of version 0.1 in every phase, with every member
// set. It is never rewritten: later versions must read it. A version that adds members adds a file
// of its own beside it (UPDATE_GOLDEN=1 makes it when it is missing) and a line to kWritten.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "agent/base/hash.h"
#include "agent/base/json_patch.h"
#include "agent/base/text.h"
#include "agent/release/state.h"
#include "agent/release/status_patch.h"
#include "tests/support/catch.h"

namespace rollguard::release {
namespace {

using std::chrono::minutes;

constexpr const char* kPhases[] = {"Adopting",    "Idle",   "Pending",   "Preparing",
                                   "Progressing", "Baking", "Promoting", "RollingBack",
                                   "Verifying",   "Held"};
constexpr size_t kMostBytes = 100U << 10;

// The versions whose statuses are kept, and the digests of what they wrote.
struct Written {
  const char* version;
  const char* digest;
};
constexpr Written kWritten[] = {
    {"v0.1", "b718751eb8abae04e6f10b9c62a20c11ee806ea16a9aee0affcd5c60a026b19e"}};

Time At(int64_t minute) { return FromUnixMillis(1'767'225'600'000) + minutes(minute); }

Decision FullDecision(int64_t number) {
  Decision d;
  d.id = StrCat("dec", number);
  d.at = At(number);
  d.guard = "shop/checkout";
  d.release = "rel1";
  d.phase = "Progressing";
  d.verdict = Verdict::kRollBack;
  d.reason = "HighErrorRate is firing: 0.12 > 0.01";
  d.actor = "rollguard";
  d.revision = "cand";
  d.weight = 20;
  Signal signal;
  signal.source = Signal::Source::kAlert;
  signal.state = Signal::State::kFiring;
  signal.name = "HighErrorRate";
  signal.severity = spec::RuleSeverity::kHigh;
  signal.action = spec::TriggerAction::kPause;
  signal.pre_existing = true;
  signal.reason = "0.12 > 0.01";
  signal.since = At(1);
  d.signals = {signal};
  d.confidence = ConfidenceParts{0.9, 0.4, 0.3, 1.0, 0.95, 2};
  d.changes = {"VirtualService shop/checkout: 0 % to the candidate"};
  return d;
}

ReleaseState FullRelease() {
  ReleaseState r;
  r.id = "rel1";
  r.candidate = "cand";
  r.stable = "stab";
  r.actor = "ann";
  r.started = At(2);
  r.step = 3;
  r.scratch = {At(3), "run1", 2, {{"ann", At(3)}, {"bob", At(4)}}, At(4), At(5), true};
  spec::RequestMatch match;
  match.method = spec::StringMatch{spec::StringMatch::Kind::kExact, "GET"};
  match.path = spec::StringMatch{spec::StringMatch::Kind::kPrefix, "/a"};
  match.headers = {{"x-beta", {spec::StringMatch::Kind::kRegex, "y.*"}}};
  match.cookies = {{"beta", {spec::StringMatch::Kind::kExact, "1"}}};
  match.query = {{"b", {spec::StringMatch::Kind::kExact, "2"}}};
  r.wanted.candidate = 20;
  r.wanted.headers = {{"beta", {match}}};
  r.wanted.mirrors = {{"copy", {match}, 10}};
  r.weight = 10;
  r.scale = 3;
  r.scale_weight = 30;
  r.base_replicas = 4;
  r.paused = true;
  r.pause_reason = "ann asked";
  r.background_run = "run2";
  r.background_attempt = 1;
  r.full = r.fast = r.bypass = true;
  r.restarts_base = 1;
  r.progress_at = At(5);
  r.progress_mark = 7;
  r.blind_since = At(6);
  r.resumed_at = At(6);
  r.stage = 2;
  r.stage_at = At(7);
  r.undone = true;
  r.parked = Json::Obj({{"template", Json::Obj({{"spec", Json::Obj()}})}});
  r.touched_target = true;
  r.trigger = Trigger{"HighErrorRate", "dec1", "rollguard", {"HighErrorRate"}, At(8), false};
  r.awaiting_approval = true;
  r.gradual_at = At(8);
  r.healthy_since = At(9);
  r.held_from = Phase::kRollingBack;
  r.held_reason = "too many rollbacks";
  r.paged = true;
  r.way_back = Json::Arr({Json::Obj(
      {{"apiVersion", "v1"}, {"kind", "Service"}, {"name", "checkout"}, {"patch", Json::Arr()}})});
  r.observed = {"Slow"};
  return r;
}

GuardState FullState(Phase phase) {
  GuardState s;
  s.phase = phase;
  s.stable = "stab";
  s.sequence = 12;
  if (phase > Phase::kPending) s.release = FullRelease();
  s.quarantine = {{"bad1", "HighErrorRate", At(1), At(1000)}, {"bad2", "crashing", At(2), {}}};
  s.history = {{"old", At(0), {"shop@sha256:1"}}, {"stab", At(1), {}}};
  s.rollbacks = {At(1), At(2)};
  s.scores = {1, 0.75};
  s.last_look = At(9);
  s.confident_looks = 1;
  s.last = LastOutcome{"rel0", "old", "promoted", "all steps done", At(1)};
  s.conditions = {{"Ready", true, "Well", "all is well", At(1)},
                  {"Drift", false, "None", "nothing differs", At(2)}};
  s.decisions = {FullDecision(1), FullDecision(2)};
  s.seen = "seen1";
  s.blocked_by = "a freeze";
  s.queued_since = At(3);
  s.yielded = "yield1";
  s.retry = "retry1";
  s.pause_conflicts = 2;
  s.pause_version = "77";
  s.released = true;
  s.baseline = "base1";
  s.swapped = true;
  s.handled = {"c1", "c2"};
  return s;
}

std::string GoldenPath(const Written& written) {
  return StrCat(ROLLGUARD_SOURCE_DIR, "/tests/golden/status/", written.version, ".json");
}

std::string Text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

Json Golden(const Written& written = kWritten[0]) {
  const std::string path = GoldenPath(written);
  if (std::getenv("UPDATE_GOLDEN") != nullptr && !std::filesystem::exists(path)) {
    Json all = Json::Obj();
    for (size_t i = 0; i < std::size(kPhases); ++i)
      all.Set(kPhases[i], ToJson(FullState(static_cast<Phase>(i))));
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << all.Dump(1) << "\n";
  }
  auto parsed = ParseJson(Text(path));
  REQUIRE(parsed.ok());
  return *parsed;
}

// Calls `visit` with a copy of `whole` for every member that is left out, at every depth.
void EachMissing(const Json& whole, const Json& part, const std::string& at,
                 const std::function<void(const Json& lacking, const std::string& where)>& visit) {
  auto lacking = [&](const std::string& pointer) {
    Json copy = whole;
    REQUIRE(
        ApplyJsonPatch(copy, Json::Arr({Json::Obj({{"op", "remove"}, {"path", pointer}})})).ok());
    visit(copy, pointer);
  };
  for (const auto& [key, value] : part.members()) {
    const std::string pointer = StrCat(at, "/", EscapePointerToken(key));
    lacking(pointer);
    EachMissing(whole, value, pointer, visit);
  }
  for (size_t i = 0; i < part.items().size(); ++i)
    EachMissing(whole, part.items()[i], StrCat(at, "/", i), visit);
}

TEST_CASE("what a version wrote is never rewritten") {
  std::vector<std::string> kept;
  for (const Written& written : kWritten) {
    INFO(written.version);
    CHECK(Sha256Hex(Text(GoldenPath(written))) == written.digest);
    kept.push_back(std::filesystem::path(GoldenPath(written)).filename());
  }
  for (const auto& file :
       std::filesystem::directory_iterator(StrCat(ROLLGUARD_SOURCE_DIR, "/tests/golden/status"))) {
    INFO(file.path());
    CHECK(std::count(kept.begin(), kept.end(), file.path().filename()) == 1);
  }
}

TEST_CASE("a status of the first format is read whole, in every phase") {
  for (const Written& written : kWritten) {
    const Json golden = Golden(written);
    CHECK(golden.size() == std::size(kPhases));
    for (const char* phase : kPhases) {
      INFO(written.version << " " << phase);
      const Json& stored = golden.At(phase);
      auto state = StateFromJson(stored);
      REQUIRE(state.ok());
      CHECK(ToString(state->phase) == std::string(phase));
      // Written again nothing of it has changed or gone; members may have come.
      Json again = ToJson(*state);
      Json patch = MakeMergePatch(again, stored);
      INFO(patch.Dump());
      for (const auto& [key, value] : patch.members()) CHECK(value.is_null());
      CHECK(again.Dump().size() < kMostBytes);
    }
  }
}

TEST_CASE("a status that lacks a member is read all the same") {
  const Json golden = Golden();
  for (const char* phase : kPhases) {
    const Json& whole = golden.At(phase);
    EachMissing(whole, whole, "", [&](const Json& lacking, const std::string& where) {
      INFO(phase << " without " << where);
      // What a state cannot do without: where it is, and which release it is about.
      const bool needed = where == "/phase" || where == "/release/id";
      auto state = StateFromJson(lacking);
      CHECK(state.ok() != needed);
      if (!needed) CHECK(StateFromJson(ToJson(*state)).ok());
    });
  }
}

TEST_CASE("what a newer version wrote stays when the state is written back") {
  const Json golden = Golden();
  for (const char* phase : kPhases) {
    INFO(phase);
    Json stored = golden.At(phase);
    stored.Set("future", Json::Obj({{"a", 1}}));
    const bool releasing = stored.At("release").is_object();
    if (releasing) {
      stored["release"].Set("future", "x");
      stored["release"]["current"].Set("future", 2);
    }
    stored.Set("owner", Json::Obj({{"replica", "gone"}}));
    auto state = StateFromJson(stored);
    REQUIRE(state.ok());
    state->sequence += 1;
    state->seen.clear();
    if (releasing) state->release->paused = false;
    Json written = stored;
    ApplyMergePatch(written, StatusPatch(stored, ToJson(*state)));
    CHECK(written.At("future", "a").IntOr(0) == 1);
    CHECK(written.Find("seen") == nullptr);
    CHECK(written.Find("owner") == nullptr);  // known: one replica has none
    CHECK(written.At("sequence").IntOr(0) == state->sequence);
    if (!releasing) continue;
    CHECK(written.At("release", "future").Str() == "x");
    CHECK(written.At("release", "current", "future").IntOr(0) == 2);
    CHECK(written.At("release").Find("paused") == nullptr);
    // The next release has nothing of this one, and neither has rest.
    state->release->id = "rel2";
    Json next = stored;
    ApplyMergePatch(next, StatusPatch(stored, ToJson(*state)));
    CHECK(next.At("release").Find("future") == nullptr);
    state->release.reset();
    ApplyMergePatch(stored, StatusPatch(stored, ToJson(*state)));
    CHECK(stored.Find("release") == nullptr);
    CHECK(stored.At("future", "a").IntOr(0) == 1);
  }
}

TEST_CASE("a first status, and one that cannot be read, are written whole") {
  const Json wanted = ToJson(FullState(Phase::kBaking));
  for (const Json& stored : {Json(), Json::Obj(), Json::Obj({{"phase", "Dreaming"}, {"x", 1}})}) {
    Json written = stored;
    ApplyMergePatch(written, StatusPatch(stored, wanted));
    CHECK(written == wanted);
  }
}

}  // namespace
}  // namespace rollguard::release
