// SPDX-License-Identifier: Apache-2.0
// The tables of shapes and routes hold together, and the document and docs/api.md are made of them.
#include "agent/api/schema.h"

#include <algorithm>
#include <set>

#include "agent/api/api.h"
#include "agent/api/route.h"
#include "agent/base/text.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::api {
namespace {

// A type word is plain, or names a schema.
bool IsKnownType(std::string_view type) {
  if (type.ends_with('?')) type.remove_suffix(1);
  if (type.starts_with('[') || type.starts_with('{'))
    return IsKnownType(type.substr(1, type.size() - 2));
  if (type.find('|') != std::string_view::npos) return true;
  static const std::set<std::string_view> plain = {"string", "integer", "number", "boolean",
                                                   "time",   "object",  "any"};
  return plain.contains(type) || FindSchema(type) != nullptr;
}

// Every "$ref" of a document, wherever it stands.
void CollectRefs(const Json& json, std::set<std::string>& out, int depth = 0) {
  REQUIRE(depth < 30);
  for (const auto& [key, value] : json.members()) {
    if (key == "$ref") out.insert(value.Str());
    CollectRefs(value, out, depth + 1);
  }
  for (const Json& item : json.items()) CollectRefs(item, out, depth + 1);
}

}  // namespace

TEST_CASE("the table of shapes is sorted and every type it names exists", "[api]") {
  const auto& all = Schemas();
  CHECK(std::is_sorted(all.begin(), all.end(), [](const Schema& a, const Schema& b) {
    return std::string_view(a.name) < b.name;
  }));
  for (const Schema& schema : all) {
    std::set<std::string_view> names;
    for (const Field& field : schema.fields) {
      INFO(schema.name << "." << field.name << ": " << field.type);
      CHECK(IsKnownType(field.type));
      CHECK(names.insert(field.name).second);
    }
  }
}

TEST_CASE("the table of routes is well-formed", "[api]") {
  std::set<std::string> ids, paths;
  for (const Route& route : Routes()) {
    INFO(route.method << " " << route.pattern);
    CHECK(ids.insert(route.id).second);
    CHECK(paths.insert(StrCat(route.method, " ", route.pattern)).second);
    CHECK_FALSE(route.answers.empty());
    for (const Answer& answer : route.answers) {
      INFO(answer.status);
      CHECK((answer.type[0] == 0 || IsKnownType(answer.type)));
    }
    CHECK((route.body[0] == 0 || FindSchema(route.body) != nullptr));
    for (const Param& param : route.query) CHECK(IsKnownType(param.type));
    bool asks = route.access == Access::kNamespaces || route.access == Access::kGuard ||
                route.access == Access::kResolved;
    CHECK(asks == !route.verbs.empty());
    if (route.Changes()) CHECK(route.access != Access::kOpen);
  }
}

TEST_CASE("what takes traffic from a candidate at a person's word needs the verb rollback",
          "[api]") {
  for (const Route& route : Routes()) {
    std::string_view pattern = route.pattern;
    bool takes_back = pattern.ends_with("/rollback") || pattern.ends_with("/abort") ||
                      pattern.ends_with("/reject");
    bool asks = std::any_of(route.verbs.begin(), route.verbs.end(),
                            [](const char* verb) { return std::string_view(verb) == "rollback"; });
    INFO(route.pattern);
    CHECK(takes_back == asks);
  }
}

TEST_CASE("values are held against types, every problem with its place", "[api]") {
  struct Row {
    const char* json;
    const char* type;
    std::vector<std::string> want;
  };
  const Row rows[] = {
      {R"({"reason":"x"})", "CommandBody", {}},
      {R"({"reason":1,"full":"yes"})",
       "CommandBody",
       {"b.reason: must be of type string", "b.full: must be of type boolean"}},
      {R"({"raeson":"x"})",
       "CommandBody",
       {"b: unknown member \"raeson\" (did you mean \"reason\"?)"}},
      {R"([])", "CommandBody", {"b: must be an object"}},
      {R"({"name":"a","namespace":"b"})", "DeploymentBody", {"b: \"version\" is missing"}},
      {R"({"type":"canari"})",
       "DeploymentStrategy",
       {"b.type: must be one of canary, rolling, blueGreen (did you mean \"canary\"?)"}},
      {R"({"type":"canary","phases":[{"percentage":"5"}]})",
       "DeploymentStrategy",
       {"b.phases[0].percentage: must be of type integer"}},
      {R"(null)", "number?", {}},
      {R"(1.5)", "number?", {}},
      {R"("2026-01-01T00:00:00Z")", "time", {}},
      {R"("yesterday")", "time", {"b: must be an RFC 3339 time"}},
      {R"({"a":1,"b":"x"})", "{integer}", {"b.b: must be of type integer"}},
  };
  for (const Row& row : rows) {
    INFO(row.json << " as " << row.type);
    CHECK(CheckType(*ParseJson(row.json), row.type, "b") == row.want);
  }
}

TEST_CASE("the OpenAPI document refers to nothing it does not hold", "[api]") {
  Json document = Api::OpenApi("1.2.3");
  CHECK(document.At("openapi").Str() == "3.0.3");
  CHECK(document.At("info", "version").Str() == "1.2.3");
  std::set<std::string> refs;
  CollectRefs(document, refs);
  CHECK(refs.size() > 20);
  for (const std::string& ref : refs) {
    INFO(ref);
    std::string name = ref.substr(ref.rfind('/') + 1);
    CHECK(document.At("components", "schemas").Find(name) != nullptr);
  }
  size_t operations = 0;
  for (const auto& [path, item] : document.At("paths").members()) {
    for (const auto& [method, op] : item.members()) {
      INFO(method << " " << path);
      ++operations;
      std::vector<std::string> in_path;
      for (const Json& p : op.At("parameters").items()) {
        if (p.At("in").Str() == "path") in_path.push_back(p.At("name").Str());
      }
      CHECK(in_path == PathParams(path));
      CHECK(op.At("responses").size() > 0);
      CHECK_FALSE(op.At("summary").Str().empty());
    }
  }
  CHECK(operations == Routes().size());
}

TEST_CASE("docs/api.md is made from the tables", "[api]") {
  std::string path = StrCat(ROLLGUARD_SOURCE_DIR, "/docs/api.md");
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    FILE* file = std::fopen(path.c_str(), "w");
    REQUIRE(file != nullptr);
    std::string text = Api::Reference();
    std::fwrite(text.data(), 1, text.size(), file);
    std::fclose(file);
  }
  bool same = testing::ReadFile(path) == Api::Reference();
  INFO("run this test with UPDATE_GOLDEN=1 to write docs/api.md anew");
  CHECK(same);
}

}  // namespace rollguard::api
