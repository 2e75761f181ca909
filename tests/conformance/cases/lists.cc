// SPDX-License-Identifier: Apache-2.0
// Lists: selectors, pages, versions.
#include <algorithm>

#include "agent/base/text.h"
#include "tests/conformance/api.h"
#include "tests/support/catch.h"

namespace rollguard::conformance {
namespace {

Json Labelled(const std::string& name, const std::string& tier, const std::string& env) {
  Json body = ConfigMap(name);
  body["metadata"]["labels"] = Json::Obj({{"tier", tier}, {"all", "yes"}});
  if (!env.empty()) body["metadata"]["labels"]["env"] = env;
  return body;
}

std::string Names(const std::vector<Json>& items) {
  std::string names;
  for (const Json& item : items) names += item.At("metadata", "name").Str() + " ";
  return names;
}

TEST_CASE("label selectors choose what is listed") {
  const Space space;
  space.MustCreate(ConfigMaps(), Labelled("a", "web", "prod"));
  space.MustCreate(ConfigMaps(), Labelled("b", "web", "dev"));
  space.MustCreate(ConfigMaps(), Labelled("c", "db", "prod"));
  space.MustCreate(ConfigMaps(), Labelled("d", "db", ""));
  struct Row {
    const char* selector;
    const char* want;
  };
  const std::vector<Row> rows = {
      {"all=yes", "a b c d "},
      {"tier=web", "a b "},
      {"tier==db", "c d "},
      {"all,tier!=web", "c d "},
      {"all,env!=prod", "b d "},  // absent counts as different
      {"env", "a b c "},
      {"all,!env", "d "},
      {"tier in (web,db),env in (dev)", "b "},
      {"all,env notin (prod)", "b d "},
      {"tier=web,env=prod", "a "},
      {"tier=none", ""},
  };
  for (const Row& row : rows) {
    INFO(row.selector);
    CHECK(Names(space.Items(ConfigMaps(), row.selector)) == row.want);
  }
}

TEST_CASE("a label selector that cannot be read is refused") {
  const Space space;
  CHECK(Outcome(space.List(ConfigMaps(), "tier in web")) == "invalid");
}

TEST_CASE("field selectors by name, and on pods by phase") {
  const Space space;
  space.MustCreate(ConfigMaps(), ConfigMap("a"));
  space.MustCreate(ConfigMaps(), ConfigMap("b"));
  ClusterRequest request = space.Request(Verb::kList, ConfigMaps());
  request.field_selector = "metadata.name=b";
  Expected<Json> got = Call(request);
  REQUIRE(got.ok());
  CHECK(Names(got.value().At("items").items()) == "b ");
  request.field_selector = "metadata.name!=b,metadata.name=a";
  got = Call(request);
  REQUIRE(got.ok());
  CHECK(Names(got.value().At("items").items()) == "a ");

  space.MustCreate(Pods(),
                   J("{'metadata': {'name': 'p'}, 'spec': {'containers': [{'name': 'c', 'image': "
                     "'shop:v1'}]}}"));
  CHECK(space.Becomes(Pods(), "p",
                      [](const Json& p) { return p.At("status", "phase").Str() == "Running"; }));
  ClusterRequest pods = space.Request(Verb::kList, Pods());
  pods.field_selector = "status.phase=Running";
  got = Call(pods);
  REQUIRE(got.ok());
  CHECK(Names(got.value().At("items").items()) == "p ");
  pods.field_selector = "status.phase=Failed";
  got = Call(pods);
  REQUIRE(got.ok());
  CHECK(got.value().At("items").size() == 0);
}

TEST_CASE("a field that cannot be selected by is refused") {
  const Space space;
  ClusterRequest request = space.Request(Verb::kList, ConfigMaps());
  request.field_selector = "data.key=1";
  CHECK(Outcome(Call(request)) == "invalid");
}

TEST_CASE("a list says its kind and a version not older than its items") {
  const Space space;
  const Json made = space.MustCreate(ConfigMaps(), ConfigMap("a"));
  const Expected<Json> list = space.List(ConfigMaps());
  REQUIRE(list.ok());
  CHECK(list.value().At("kind").Str() == "ConfigMapList");
  CHECK(list.value().At("apiVersion").Str() == "v1");
  CHECK(ParseInt(VersionOf(list.value())).value_or(0) >= ParseInt(VersionOf(made)).value_or(1));
}

TEST_CASE("an empty list is a list") {
  const Space space;
  const Expected<Json> list = space.List(Deployments());
  REQUIRE(list.ok());
  CHECK(list.value().At("items").is_array());
  CHECK(list.value().At("items").size() == 0);
  CHECK_FALSE(VersionOf(list.value()).empty());
}

TEST_CASE("pages together are the list as it was at the first page") {
  const Space space;
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    space.MustCreate(Secrets(), J(StrCat("{'metadata': {'name': '", name, "'}}")));
  }
  ClusterRequest request = space.Request(Verb::kList, Secrets());
  request.limit = 2;
  std::string names;
  std::string version;
  int pages = 0;
  do {
    const Expected<Json> page = Call(request);
    REQUIRE(page.ok());
    CHECK(page.value().At("items").size() <= 2);
    names += Names(page.value().At("items").items());
    if (++pages == 1) {
      version = VersionOf(page.value());
      CHECK(page.value().At("metadata", "remainingItemCount").IntOr(0) == 3);
      space.MustCreate(Secrets(), J("{'metadata': {'name': 'd2'}}"));
    }
    CHECK(VersionOf(page.value()) == version);
    request.continue_token = page.value().At("metadata", "continue").Str();
  } while (!request.continue_token.empty() && pages < 10);
  CHECK(pages == 3);
  CHECK(names == "a b c d e ");
}

TEST_CASE("a page token that was not given out is refused") {
  const Space space;
  ClusterRequest request = space.Request(Verb::kList, Secrets());
  request.limit = 2;
  request.continue_token = "bm90IGEgdG9rZW4";
  CHECK(Outcome(Call(request)) == "invalid");
}

TEST_CASE("a page token from before a compaction is gone") {
  const Space space;
  for (const char* name : {"a", "b", "c"}) {
    space.MustCreate(Secrets(), J(StrCat("{'metadata': {'name': '", name, "'}}")));
  }
  ClusterRequest request = space.Request(Verb::kList, Secrets());
  request.limit = 1;
  const Expected<Json> page = Call(request);
  REQUIRE(page.ok());
  space.MustCreate(Secrets(), J("{'metadata': {'name': 'd'}}"));
  if (!TheApi().ForgetHistory()) {
    WARN("this server cannot be asked to compact its history");
    return;
  }
  request.continue_token = page.value().At("metadata", "continue").Str();
  CHECK(Outcome(Call(request)) == "gone");
}

TEST_CASE("a list without a namespace spans all of them") {
  const Space one;
  const Space two;
  Json body = ConfigMap("a");
  body["metadata"]["labels"]["span"] = one.name();
  one.MustCreate(ConfigMaps(), body);
  two.MustCreate(ConfigMaps(), body);
  ClusterRequest request;
  request.verb = Verb::kList;
  request.type = ConfigMaps();
  request.label_selector = "span=" + one.name();
  const Expected<Json> got = Call(request);
  REQUIRE(got.ok());
  CHECK(got.value().At("items").size() == 2);
}

TEST_CASE("a projection drops what nobody reads, managedFields by default") {
  const Space space;
  space.MustCreate(ConfigMaps(), ConfigMap("a"));
  ClusterRequest request = space.Request(Verb::kGet, ConfigMaps(), "a");
  Projection projection;
  projection.drop.emplace_back("data");
  request.projection = std::make_shared<const Projection>(projection);
  const Expected<Json> got = Call(request);
  REQUIRE(got.ok());
  CHECK(got.value().Find("data") == nullptr);
  CHECK(got.value().At("metadata").Find("managedFields") == nullptr);
  CHECK(got.value().At("metadata", "name").Str() == "a");
}

}  // namespace
}  // namespace rollguard::conformance
