// SPDX-License-Identifier: Apache-2.0
// What Step was given survives being written down: every field of an observation, the contents of
// Secrets excepted, and the answer is the same again.
#include "agent/release/replay.h"

#include <set>
#include <utility>

#include "agent/base/random.h"
#include "agent/base/text.h"
#include "agent/release/observation_fields.h"
#include "agent/release/observation_json.h"
#include "tests/release/drive.h"
#include "tests/support/catch.h"

namespace rollguard::release {
namespace {

// Converts to anything: how many of them an aggregate takes is how many fields it has.
struct Anything {
  template <class T>
  operator T() const {  // NOLINT(*-explicit-*)
    throw 0;            // never converted, only counted
  }
};
template <class T, size_t... I>
constexpr bool Takes(std::index_sequence<I...>) {
  return requires { T{(static_cast<void>(I), Anything{})...}; };
}
template <class T, size_t N = 1>
constexpr size_t CountFields() {
  if constexpr (!Takes<T>(std::make_index_sequence<N>())) {
    return N - 1;
  } else {
    return CountFields<T, N + 1>();
  }
}

struct Counter {
  size_t count = 0;
  std::set<std::string> names;
  template <class T>
  void operator()(const char* name, T&) {
    ++count;
    names.insert(name);
  }
};

template <class T>
void ListsEveryField(const char* name) {
  INFO(name);
  T value{};
  Counter counter;
  Fields(counter, value);
  CHECK(counter.count == CountFields<T>());
  CHECK(counter.names.size() == counter.count);
}

// Puts something other than the default into every field.
class Filler {
 public:
  Filler(Random& random, std::deque<Json>& objects) : random_(random), objects_(objects) {}

  template <class T>
  void operator()(const char*, T& field) {
    Fill(field);
  }

 private:
  std::string Word() { return StrCat("w\"\n\xC3\xA9", random_.Below(1000)); }

  void Fill(bool& v) { v = !v; }
  void Fill(int64_t& v) { v = static_cast<int64_t>(random_.Below(1000)) + 1; }
  void Fill(double& v) { v = random_.Uniform(); }
  void Fill(std::string& v) { v = Word(); }
  void Fill(Json& v) { v = Json::Obj({{"n", random_.Uniform()}, {"s", Word()}}); }
  void Fill(const Json*& v) {
    v = &objects_.emplace_back(
        Json::Obj({{"kind", "Thing"}, {"n", static_cast<int64_t>(random_.Below(1000))}}));
  }
  void Fill(Time& v) {
    v = FromUnixMillis(1'790'000'000'000 + static_cast<int64_t>(random_.Below(1'000'000)));
  }
  void Fill(std::pair<std::string, std::string>& v) { v = {Word(), Word()}; }
  void Fill(std::pair<ObjectId, const Json*>& v) {
    v.first = {Word(), Word(), Word(), Word()};
    Fill(v.second);
  }
  template <class T>
  void Fill(std::optional<T>& v) {
    Fill(v.emplace());
  }
  template <class T>
  void Fill(std::vector<T>& v) {
    v.resize(2);
    for (T& item : v) Fill(item);
  }
  template <class T>
  void Fill(T& v) {
    if constexpr (std::is_enum_v<T>) {
      v = static_cast<T>(2);
    } else {
      Fields(*this, v);
    }
  }

  Random& random_;
  std::deque<Json>& objects_;
};

// Fills the n-th field only, so that nothing can stand in for it.
struct FillOne {
  Filler& filler;
  size_t wanted;
  size_t at = 0;
  template <class T>
  void operator()(const char* name, T& field) {
    if (at++ == wanted) filler(name, field);
  }
};

std::string TextOf(const Observation& observation) {
  ContentMask mask;
  return ToJson(observation, mask).Dump();
}

std::string AgainOf(const std::string& text) {
  auto parsed = ParseJson(text);
  REQUIRE(parsed.ok());
  auto read = ObservationFromJson(*parsed);
  REQUIRE(read.ok());
  OwnedObservation moved = std::move(*read);
  return TextOf(moved.observation);
}

constexpr const char* kRolling = R"(
apiVersion: rollguard.dev/v1alpha1
kind: Guard
metadata: {name: checkout, namespace: shop}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: checkout}
  strategy: {rolling: {}}
)";

}  // namespace

TEST_CASE("every field of an observation is listed", "[replay]") {
  ListsEveryField<RevisionView>("RevisionView");
  ListsEveryField<WorkloadView>("WorkloadView");
  ListsEveryField<PodsView>("PodsView");
  ListsEveryField<HpaView>("HpaView");
  ListsEveryField<JobView>("JobView");
  ListsEveryField<RunView>("RunView");
  ListsEveryField<GateView>("GateView");
  ListsEveryField<HealthView>("HealthView");
  ListsEveryField<Command>("Command");
  ListsEveryField<StartView::Artifacts>("Artifacts");
  ListsEveryField<StartView::Upstream>("Upstream");
  ListsEveryField<StartView::Rival>("Rival");
  ListsEveryField<StartView>("StartView");
  ListsEveryField<PeerView>("PeerView");
  ListsEveryField<ConfigsView>("ConfigsView");
  ListsEveryField<Signal>("Signal");
  ListsEveryField<Observation>("Observation");
}

TEST_CASE("an observation comes back as it was", "[replay]") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    Random random(seed);
    std::deque<Json> objects;
    Filler filler(random, objects);
    Observation observation;
    Fields(filler, observation);
    std::string text = TextOf(observation);
    CHECK(AgainOf(text) == text);
  }
}

TEST_CASE("each field of an observation makes a difference of its own", "[replay]") {
  const std::string plain = TextOf(Observation{});
  std::set<std::string> texts = {plain};
  Counter all;
  Observation none;
  Fields(all, none);
  for (size_t i = 0; i < all.count; ++i) {
    Random random(7);
    std::deque<Json> objects;
    Filler filler(random, objects);
    FillOne one{filler, i};
    Observation observation;
    Fields(one, observation);
    std::string text = TextOf(observation);
    INFO(text);
    CHECK(texts.insert(text).second);
    CHECK(AgainOf(text) == text);
  }
}

TEST_CASE("contents of Secrets and ConfigMaps are not kept, and still compare", "[replay]") {
  const std::string inner = R"([{"kind":"Secret","name":"db","data":{"password":"c2VjcmV0"}}])";
  Json secret = *ParseJson(
      R"({"kind":"Secret","metadata":{"name":"db"},"data":{"password":"c2VjcmV0","user":"bWU="}})");
  Json config =
      *ParseJson(R"({"kind":"ConfigMap","metadata":{"name":"c"},"data":{"also":"c2VjcmV0"}})");
  Json snapshot = Json::Obj({{"kind", "Secret"},
                             {"metadata", Json::Obj({{"name", "checkout-snapshot"}})},
                             {"data", Json::Obj({{"snapshot.json", Base64Encode(inner)}})}});
  ContentMask mask;
  Json kept_snapshot = mask.Object(snapshot), kept = mask.Object(secret);
  std::string text = StrCat(kept_snapshot.Dump(), kept.Dump(), mask.Object(config).Dump());
  for (const char* hidden : {"c2VjcmV0", "bWU=", "secret"}) {
    INFO(hidden);
    CHECK(text.find(hidden) == std::string::npos);
  }
  auto opened = ParseJson(*Base64Decode(kept_snapshot.At("data", "snapshot.json").Str()));
  REQUIRE(opened.ok());
  CHECK(opened->At(size_t{0}).At("data", "password") == kept.At("data", "password"));
  CHECK(kept.At("data", "password") != kept.At("data", "user"));
  CHECK(kept.At("metadata", "name").Str() == "db");
  // What is written because of it is hidden alike.
  Json patch = *ParseJson(R"([{"op":"replace","path":"/data/password","value":"c2VjcmV0"}])");
  CHECK(mask.Patch(patch).At(size_t{0}).At("value") == kept.At("data", "password"));
  Json create = Json::Obj({{"data", Json::Obj({{"snapshot.json", Base64Encode(inner)}})}});
  CHECK(mask.Patch(create).At("data", "snapshot.json") ==
        kept_snapshot.At("data", "snapshot.json"));
  // The same text elsewhere is something else.
  ContentMask version;
  version.Object(*ParseJson(R"({"kind":"ConfigMap","data":{"for":"v1","path":"replace"}})"));
  Json whole = *ParseJson(R"({"apiVersion":"v1","kind":"Secret","data":{"for":"v1"}})");
  CHECK(version.Patch(whole).At("apiVersion").Str() == "v1");
  CHECK(version.Patch(whole).At("data", "for").Str() == "content-1");
  Json operations = *ParseJson(
      R"([{"op":"replace","path":"/metadata/labels/for","value":"v1"},
          {"op":"replace","path":"/data","value":{"for":"v1"}}])");
  CHECK(version.Patch(operations).At(size_t{0}) == operations.At(size_t{0}));
  CHECK(version.Patch(operations).At(size_t{1}).At("value", "for").Str() == "content-1");
}

TEST_CASE("a forged answer does not replay", "[replay]") {
  rollguard::testing::Drive drive(kRolling);
  drive.Load(rollguard::testing::DeploymentJson("checkout", 3, "checkout:1"));
  REQUIRE(drive.RunToPhase(Phase::kIdle, std::chrono::minutes(5)));
  REQUIRE(drive.last_record.is_object());
  auto same = Replay(drive.last_record);
  REQUIRE(same.ok());
  CHECK(same->Same());
  struct Row {
    const char* name;
    const char* patch;
    const char* path;
  };
  const Row rows[] = {
      {"another reason", R"({"answer":{"reasons":["because"]}})", "/reasons"},
      {"another state", R"({"answer":{"state":{"phase":"Held"}}})", "/state/phase"},
      {"nothing done", R"({"answer":{"actions":[]}})", "/actions/0"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    Json forged = drive.last_record;
    // Merge patches replace arrays whole.
    const Json patch = *ParseJson(row.patch);
    for (const auto& [key, value] : patch.At("answer").members()) {
      if (value.is_object()) {
        for (const auto& [inner, leaf] : value.members()) forged["answer"][key].Set(inner, leaf);
      } else {
        forged["answer"].Set(key, value);
      }
    }
    auto replayed = Replay(forged);
    REQUIRE(replayed.ok());
    CHECK_FALSE(replayed->Same());
    bool found = false;
    for (const auto& d : replayed->differences) found = found || d.path.starts_with(row.path);
    CHECK(found);
  }
}

TEST_CASE("records that cannot be read are refused", "[replay]") {
  struct Row {
    const char* name;
    const char* text;
    const char* want;
  };
  const Row rows[] = {
      {"a newer version", R"({"version":99})", "has version 99"},
      {"no guard", R"({"version":1})", ""},
      {"nothing", "{}", "has version 0"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    auto replayed = Replay(*ParseJson(row.text));
    REQUIRE_FALSE(replayed.ok());
    CHECK(replayed.error().message.find(row.want) != std::string::npos);
  }
}

}  // namespace rollguard::release
