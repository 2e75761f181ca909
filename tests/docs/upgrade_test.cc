// SPDX-License-Identifier: Apache-2.0
// docs/upgrade.md tells which versions of each kind are served and which one is stored: what the
// kinds' own definitions say. And what a newer agent wrote in a status, the API server keeps.
#include <algorithm>
#include <filesystem>
#include <map>

#include "agent/base/text.h"
#include "agent/yaml/yaml.h"
#include "tests/docs/pages.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::docs {
namespace {

// The project's own kinds by their full names.
std::map<std::string, Json> Definitions() {
  std::map<std::string, Json> definitions;
  for (const auto& file : std::filesystem::directory_iterator(Source("k8s/crds"))) {
    Diagnostics problems;
    for (const yaml::Node& document :
         yaml::Parse(file.path().string(), testing::ReadFile(file.path().string()), problems)) {
      Json definition = yaml::ToJson(document);
      definitions[definition.At("metadata", "name").Str()] = std::move(definition);
    }
    INFO(file.path());
    REQUIRE_FALSE(problems.has_errors());
  }
  return definitions;
}

// "v1, v2" of those versions that say yes to `what`.
std::string VersionsThatAre(const Json& definition, const char* what) {
  std::vector<std::string> names;
  for (const Json& version : definition.At("spec", "versions").items()) {
    if (version.At(what).BoolOr(false)) names.push_back(version.At("name").Str());
  }
  return Join(names, ", ");
}

TEST_CASE("docs/upgrade.md tells the versions of each kind that are served and stored") {
  std::vector<std::string> rows;
  for (std::string_view line : Split(testing::ReadFile(Source("docs/upgrade.md")), '\n')) {
    if (line.find(".rollguard.dev` |") != std::string_view::npos) rows.emplace_back(line);
  }
  const std::map<std::string, Json> definitions = Definitions();
  CHECK(definitions.size() >= 2);
  CHECK(rows.size() == definitions.size());
  for (const auto& [name, definition] : definitions) {
    const std::string row = StrCat("| `", name, "` | `", VersionsThatAre(definition, "served"),
                                   "` | `", VersionsThatAre(definition, "storage"), "` | ");
    INFO(row);
    CHECK(std::any_of(rows.begin(), rows.end(),
                      [&](const std::string& r) { return r.starts_with(row); }));
  }
}

TEST_CASE("the API server keeps what a newer agent writes in a status") {
  constexpr const char* kKeep = "x-kubernetes-preserve-unknown-fields";
  for (const auto& [name, definition] : Definitions()) {
    for (const Json& version : definition.At("spec", "versions").items()) {
      const Json& status = version.At("schema", "openAPIV3Schema", "properties").At("status");
      if (status.is_null()) continue;
      INFO(name << " " << version.At("name").Str());
      CHECK(status.At(kKeep).BoolOr(false));
      for (const auto& [member, schema] : status.At("properties").members()) {
        INFO(member);
        const bool object = schema.At("type").Str() == "object";
        if (object) CHECK(schema.At(kKeep).BoolOr(false));
        const Json& items = schema.At("items");
        if (items.At("type").Str() == "object") CHECK(items.At(kKeep).BoolOr(false));
      }
    }
  }
}

}  // namespace
}  // namespace rollguard::docs
