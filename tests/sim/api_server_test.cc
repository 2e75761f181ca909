// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/api_server.h"

#include "tests/sim/fixtures.h"

namespace rollguard::sim {
namespace {

struct Server {
  Scheduler scheduler;
  ApiServer api{scheduler,
                {.seed = 1, .users = {}, .allow = {}, .track_all_fields = true, .admission = {}}};
};

TEST_CASE("create fills system fields and defaults, get reads them back") {
  Server s;
  Json made = MustCall(
      s.api, Request(Verb::kCreate, DeploymentType(), "", MakeDeployment("web", 2, "app:1")));
  CHECK(UidOf(made).size() == 36);
  CHECK(Meta(made).At("generation") == Json(1));
  CHECK(made.At("spec", "strategy", "rollingUpdate", "maxSurge") == Json("25%"));
  CHECK(made.At("spec", "template", "spec", "terminationGracePeriodSeconds") == Json(30));
  CHECK(MustCall(s.api, Request(Verb::kGet, DeploymentType(), "web")) == made);
  CHECK(MustFail(s.api,
                 Request(Verb::kCreate, DeploymentType(), "", MakeDeployment("web", 2, "app:1")))
            .code == ErrorCode::kAlreadyExists);
}

TEST_CASE("a lost update is refused") {
  Server s;
  Json first =
      MustCall(s.api, Request(Verb::kCreate, ConfigMapType(), "", MakeConfigMap("c", "1")));
  Json second = first;
  second["data"].Set("key", "2");
  MustCall(s.api, Request(Verb::kReplace, ConfigMapType(), "c", second));
  Json third = first;
  third["data"].Set("key", "3");
  Error error = MustFail(s.api, Request(Verb::kReplace, ConfigMapType(), "c", third));
  CHECK(error.code == ErrorCode::kConflict);
  CHECK(error.message.find(
            "replace configmaps default/c: Operation cannot be fulfilled on configmaps \"c\"") ==
        0);
}

TEST_CASE("a write that changes nothing keeps the version") {
  Server s;
  Json made = MustCall(s.api, Request(Verb::kCreate, ConfigMapType(), "", MakeConfigMap("c", "1")));
  Json again = MustCall(
      s.api, PatchRequest(ConfigMapType(), "c", PatchKind::kMerge, R"({"data":{"key":"1"}})"));
  CHECK(VersionOf(again) == VersionOf(made));
}

TEST_CASE("what is refused, and in which words") {
  struct Row {
    const char* name;
    const char* patch;  // merge patch over a good Deployment
    const char* want;
  };
  const Row rows[] = {
      {"selector does not match",
       R"({"spec":{"template":{"metadata":{"labels":{"app":"other"}}}}})",
       "`selector` does not match template `labels`"},
      {"no containers", R"({"spec":{"template":{"spec":{"containers":[]}}}})",
       "spec.template.spec.containers: Required value"},
      {"no image", R"({"spec":{"template":{"spec":{"containers":[{"name":"a"}]}}}})",
       "spec.template.spec.containers[0].image: Required value"},
      {"negative replicas", R"({"spec":{"replicas":-1}})", "must be greater than or equal to 0"},
      {"zero surge and unavailable",
       R"({"spec":{"strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":0}}}})",
       "may not be 0 when `maxSurge` is 0"},
      {"upper case name", R"({"metadata":{"name":"Web"}})", "lowercase RFC 1123 subdomain"},
      {"bad label", R"({"metadata":{"labels":{"a":"b c"}}})", "a valid label must be"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    Server s;
    Json object = MakeDeployment("web", 1, "app:1");
    auto patch = MustParse(row.patch);
    for (const auto& [key, value] : patch.members()) {
      std::function<void(Json&, const Json&)> merge = [&](Json& to, const Json& from) {
        if (!from.is_object()) {
          to = from;
          return;
        }
        for (const auto& [k, v] : from.members()) merge(to[k], v);
      };
      merge(object[key], value);
    }
    Error error = MustFail(s.api, Request(Verb::kCreate, DeploymentType(), "", object));
    CHECK(error.code == ErrorCode::kInvalid);
    INFO(error.message);
    CHECK(error.message.find(row.want) != std::string::npos);
  }
}

TEST_CASE("a Deployment's selector is immutable") {
  Server s;
  MustCall(s.api, Request(Verb::kCreate, DeploymentType(), "", MakeDeployment("web", 1, "app:1")));
  Error error = MustFail(
      s.api,
      PatchRequest(
          DeploymentType(), "web", PatchKind::kMerge,
          R"({"spec":{"selector":{"matchLabels":{"app":"x"}},"template":{"metadata":{"labels":{"app":"x"}}}}})"));
  CHECK(error.message.find("field is immutable") != std::string::npos);
}

TEST_CASE("strategic merge patches lists by their key") {
  Server s;
  MustCall(s.api, Request(Verb::kCreate, DeploymentType(), "", MakeDeployment("web", 1, "app:1")));
  Json after = MustCall(
      s.api,
      PatchRequest(
          DeploymentType(), "web", PatchKind::kStrategic,
          R"({"spec":{"template":{"spec":{"containers":[{"name":"app","image":"app:2","env":[{"name":"A","value":"1"}]},{"name":"side","image":"s:1"}]}}}})"));
  const Json& containers = after.At("spec", "template", "spec", "containers");
  REQUIRE(containers.size() == 2);
  CHECK(containers.At(size_t{0}).At("image") == Json("app:2"));
  CHECK(containers.At(size_t{0}).At("ports").size() == 1);
  CHECK(Meta(after).At("generation") == Json(2));
  after = MustCall(
      s.api,
      PatchRequest(
          DeploymentType(), "web", PatchKind::kStrategic,
          R"({"spec":{"template":{"spec":{"containers":[{"name":"side","$patch":"delete"}]}}}})"));
  CHECK(after.At("spec", "template", "spec", "containers").size() == 1);
}

TEST_CASE("server-side apply: conflicts, force, and fields left out go away") {
  Server s;
  auto apply = [](const char* manager, std::string_view body, bool force = false) {
    ClusterRequest r = PatchRequest(DeploymentType(), "web", PatchKind::kApply, body);
    r.field_manager = manager;
    r.force = force;
    return r;
  };
  Json base = MakeDeployment("web", 2, "app:1");
  base["metadata"].Set("labels", Json::Obj({{"team", "a"}}));
  MustCall(s.api, apply("git", base.Dump()));
  Error error = MustFail(
      s.api,
      apply(
          "ops",
          R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":5}})"));
  CHECK(error.code == ErrorCode::kConflict);
  CHECK(error.message.find(".spec.replicas (\"git\")") != std::string::npos);
  Json forced = MustCall(
      s.api,
      apply(
          "ops",
          R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":5}})",
          true));
  CHECK(forced.At("spec", "replicas") == Json(5));
  base["metadata"].Erase("labels");
  base["spec"].Erase("replicas");
  Json after = MustCall(s.api, apply("git", base.Dump()));
  CHECK(Meta(after).Find("labels") == nullptr);
  CHECK(after.At("spec", "replicas") == Json(5));
  Json scaled = MustCall(s.api, PatchRequest(DeploymentType(), "web", PatchKind::kMerge,
                                             R"({"spec":{"replicas":6}})"));
  error = MustFail(
      s.api,
      apply(
          "ops",
          R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":5}})"));
  CHECK(error.message.find("(\"test\")") != std::string::npos);
}

TEST_CASE("status is a subresource of its own") {
  Server s;
  MustCall(s.api, Request(Verb::kCreate, DeploymentType(), "", MakeDeployment("web", 1, "app:1")));
  Json main = MustCall(s.api, PatchRequest(DeploymentType(), "web", PatchKind::kMerge,
                                           R"({"status":{"replicas":9}})"));
  CHECK(main.At("status", "replicas").is_null());
  ClusterRequest r = PatchRequest(DeploymentType(), "web", PatchKind::kMerge,
                                  R"({"status":{"replicas":9},"spec":{"replicas":7}})");
  r.subresource = "status";
  Json after = MustCall(s.api, r);
  CHECK(after.At("status", "replicas") == Json(9));
  CHECK(after.At("spec", "replicas") == Json(1));
  CHECK(Meta(after).At("generation") == Json(1));
}

TEST_CASE("scale reads and writes replicas") {
  Server s;
  MustCall(s.api, Request(Verb::kCreate, DeploymentType(), "", MakeDeployment("web", 1, "app:1")));
  ClusterRequest r =
      PatchRequest(DeploymentType(), "web", PatchKind::kMerge, R"({"spec":{"replicas":4}})");
  r.subresource = "scale";
  Json scale = MustCall(s.api, r);
  CHECK(scale.At("kind") == Json("Scale"));
  CHECK(scale.At("spec", "replicas") == Json(4));
  CHECK(MustCall(s.api, Request(Verb::kGet, DeploymentType(), "web")).At("spec", "replicas") ==
        Json(4));
}

TEST_CASE("lists page over one snapshot, and a compacted page is gone") {
  Server s;
  for (int i = 0; i < 5; ++i)
    MustCall(s.api,
             Request(Verb::kCreate, ConfigMapType(), "", MakeConfigMap(StrCat("c", i), "1")));
  ClusterRequest r = Request(Verb::kList, ConfigMapType());
  r.limit = 2;
  Json page = MustCall(s.api, r);
  CHECK(page.At("items").size() == 2);
  CHECK(Meta(page).At("remainingItemCount") == Json(3));
  MustCall(s.api, Request(Verb::kDelete, ConfigMapType(), "c3"));
  MustCall(s.api, Request(Verb::kCreate, ConfigMapType(), "", MakeConfigMap("c9", "1")));
  r.continue_token = Meta(page).At("continue").Str();
  r.limit = 10;
  Json rest = MustCall(s.api, r);
  CHECK(rest.At("items").size() == 3);
  CHECK(Meta(rest).At("resourceVersion") == Meta(page).At("resourceVersion"));
  s.api.Compact();
  CHECK(MustFail(s.api, r).code == ErrorCode::kGone);
}

TEST_CASE("pages say the snapshot, whatever is made, changed and removed between them") {
  Server s;
  Random random(7);
  auto change = [&] {
    const std::string name = StrCat("c", random.Below(12));
    const std::string ns = random.Below(3) == 0 ? "kube-public" : "default";
    ClusterRequest r = Request(Verb::kDelete, ConfigMapType(), name);
    r.ns = ns;
    if (random.Below(3) == 0) return (void)s.api.Call(r);
    r = PatchRequest(ConfigMapType(), name, PatchKind::kMerge,
                     StrCat(R"({"data":{"key":")", random.Below(1000), R"("}})"));
    r.ns = ns;
    if (s.api.Call(r).ok()) return;
    r = Request(Verb::kCreate, ConfigMapType(), "", MakeConfigMap(name, "new"));
    r.ns = ns;
    MustCall(s.api, r);
  };
  for (const char* ns : {"", "default", "kube-public"}) {
    for (int round = 0; round < 100; ++round) {
      for (int i = 0; i < 5; ++i) change();
      ClusterRequest r = Request(Verb::kList, ConfigMapType());
      r.ns = ns;
      const Json whole = MustCall(s.api, r);
      r.limit = static_cast<int64_t>(1 + random.Below(4));
      Json paged = Json::Arr();
      do {
        const Json page = MustCall(s.api, r);
        CHECK(Meta(page).At("resourceVersion") == Meta(whole).At("resourceVersion"));
        for (const Json& item : page.At("items").items()) paged.Push(item);
        const auto remaining = Meta(page).At("remainingItemCount").IntOr(0);
        CHECK(paged.size() + static_cast<size_t>(remaining) == whole.At("items").size());
        r.continue_token = Meta(page).At("continue").Str();
        for (uint64_t i = random.Below(3); i > 0; --i) change();
      } while (!r.continue_token.empty());
      CHECK(paged == whole.At("items"));
    }
  }
}

TEST_CASE("watches replay history, follow selectors and are gone after compaction") {
  Server s;
  Json made = MustCall(s.api, Request(Verb::kCreate, ConfigMapType(), "", MakeConfigMap("c", "1")));
  std::string seen;
  WatchRequest w;
  w.type = ConfigMapType();
  w.label_selector = "on=yes";
  w.resource_version = Meta(made).At("resourceVersion").Str();
  auto sink = [&](WatchEvent::Type type, const ObjectPtr& object) {
    seen += StrCat("AMDB"[static_cast<int>(type)], NameOf(*object), " ");
  };
  MustCall(s.api, PatchRequest(ConfigMapType(), "c", PatchKind::kMerge,
                               R"({"metadata":{"labels":{"on":"yes"}}})"));
  REQUIRE(s.api.OpenWatch(w, sink).ok());
  MustCall(s.api, PatchRequest(ConfigMapType(), "c", PatchKind::kMerge, R"({"data":{"key":"2"}})"));
  MustCall(s.api, PatchRequest(ConfigMapType(), "c", PatchKind::kMerge,
                               R"({"metadata":{"labels":{"on":null}}})"));
  CHECK(seen == "Ac Mc Dc ");
  s.api.Compact();
  auto late = s.api.OpenWatch(w, sink);
  REQUIRE(!late.ok());
  CHECK(late.error().code == ErrorCode::kGone);
}

TEST_CASE("finalizers hold a deleted object") {
  Server s;
  Json map = MakeConfigMap("c", "1");
  map["metadata"].Set("finalizers", Json::Arr({"x/y"}));
  MustCall(s.api, Request(Verb::kCreate, ConfigMapType(), "", map));
  MustCall(s.api, Request(Verb::kDelete, ConfigMapType(), "c"));
  CHECK(IsTerminating(MustCall(s.api, Request(Verb::kGet, ConfigMapType(), "c"))));
  MustCall(s.api, PatchRequest(ConfigMapType(), "c", PatchKind::kMerge,
                               R"({"metadata":{"finalizers":null}})"));
  CHECK(MustFail(s.api, Request(Verb::kGet, ConfigMapType(), "c")).code == ErrorCode::kNotFound);
}

TEST_CASE("custom types: registered by a CRD, pruned, validated, with status and generation") {
  Server s;
  Json crd = MustParse(
      R"({"metadata":{"name":"guards.rollguard.dev"},"spec":{"group":"rollguard.dev","scope":"Namespaced",
    "names":{"plural":"guards","kind":"Guard"},"versions":[{"name":"v1alpha1","served":true,"storage":true,"subresources":{"status":{}},
    "schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","required":["mode"],"properties":{"mode":{"type":"string","enum":["enforce","observe"]},"n":{"type":"integer","default":3}}},"status":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}}}]}})");
  MustCall(s.api, Request(Verb::kCreate, CrdType(), "", crd));
  ResourceType guard{"rollguard.dev", "v1alpha1", "guards", "Guard", true};
  auto make = [](std::string_view spec) {
    return MustParse(StrCat(R"({"metadata":{"name":"g"},"spec":)", spec, "}"));
  };
  CHECK(MustFail(s.api, Request(Verb::kCreate, guard, "", make("{}")))
            .message.find("spec.mode: Required value") != std::string::npos);
  CHECK(MustFail(s.api, Request(Verb::kCreate, guard, "", make(R"({"mode":"x"})")))
            .message.find("supported values: \"enforce\", \"observe\"") != std::string::npos);
  Json made =
      MustCall(s.api, Request(Verb::kCreate, guard, "", make(R"({"mode":"observe","junk":1})")));
  CHECK(made.At("spec") == MustParse(R"({"mode":"observe","n":3})"));
  ClusterRequest status =
      PatchRequest(guard, "g", PatchKind::kMerge, R"({"status":{"phase":"x"}})");
  status.subresource = "status";
  CHECK(Meta(MustCall(s.api, status)).At("generation") == Json(1));
  CHECK(Meta(MustCall(s.api, PatchRequest(guard, "g", PatchKind::kMerge, R"({"spec":{"n":4}})")))
            .At("generation") == Json(2));
}

TEST_CASE("dry run writes nothing; preconditions and unknown namespaces refuse") {
  Server s;
  ClusterRequest dry = Request(Verb::kCreate, ConfigMapType(), "", MakeConfigMap("c", "1"));
  dry.dry_run = true;
  MustCall(s.api, dry);
  CHECK(MustFail(s.api, Request(Verb::kGet, ConfigMapType(), "c")).code == ErrorCode::kNotFound);
  dry.dry_run = false;
  MustCall(s.api, dry);
  ClusterRequest wrong = Request(Verb::kDelete, ConfigMapType(), "c");
  wrong.precondition_uid = "nope";
  CHECK(MustFail(s.api, wrong).code == ErrorCode::kConflict);
  ClusterRequest lost = Request(Verb::kCreate, ConfigMapType(), "", MakeConfigMap("c", "1"));
  lost.ns = "nowhere";
  CHECK(MustFail(s.api, lost).message.find("namespaces \"nowhere\" not found") !=
        std::string::npos);
}

}  // namespace
}  // namespace rollguard::sim
