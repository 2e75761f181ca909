// SPDX-License-Identifier: Apache-2.0
// The shipped CRDs are what the loader's schema gives, and hold every key the loader knows and no
// other. UPDATE_GOLDEN=1 rewrites them.
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "agent/base/text.h"
#include "agent/spec/schema.h"
#include "agent/yaml/yaml.h"
#include "tests/support/catch.h"

using namespace rollguard;
using spec::Schema;

namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void KeysOf(const Schema& schema, const std::string& path, std::set<std::string>& out) {
  if (schema.type == Schema::Type::kStringOrObject) return;  // said in words in the CRD
  for (const auto& [key, field] : schema.fields) {
    std::string name = path + "." + key;
    out.insert(name);
    KeysOf(field.item.empty() ? field : field.item[0], name, out);
  }
}

void KeysOf(const yaml::Node& schema, const std::string& path, std::set<std::string>& out) {
  if (const yaml::Node* items = schema.Find("items")) return KeysOf(*items, path, out);
  const yaml::Node* properties = schema.Find("properties");
  if (!properties) return;
  for (const yaml::Entry& entry : properties->entries) {
    out.insert(path + "." + entry.key);
    KeysOf(entry.value, path + "." + entry.key, out);
  }
}

// Every node needs a type, or one of the two words that stand for one.
void CheckStructural(const yaml::Node& schema, const std::string& path) {
  INFO(path);
  bool typed = schema.Find("type") || schema.Find("x-kubernetes-int-or-string") ||
               schema.Find("x-kubernetes-preserve-unknown-fields");
  CHECK(typed);
  if (const yaml::Node* items = schema.Find("items")) CheckStructural(*items, path + "[]");
  if (const yaml::Node* properties = schema.Find("properties")) {
    for (const yaml::Entry& entry : properties->entries)
      CheckStructural(entry.value, path + "." + entry.key);
  }
}

// Keys below `spec` need a description.
void CheckDescribed(const yaml::Node& schema, const std::string& path) {
  const yaml::Node* properties = schema.Find("properties");
  if (const yaml::Node* items = schema.Find("items")) return CheckDescribed(*items, path);
  if (!properties) return;
  for (const yaml::Entry& entry : properties->entries) {
    INFO(path + "." + entry.key);
    const yaml::Node* description = entry.value.Find("description");
    CHECK((description && description->text.size() >= 5));
    CheckDescribed(entry.value, path + "." + entry.key);
  }
}

struct Case {
  std::string file;
  std::string text;
  Schema schema;
};

}  // namespace

TEST_CASE("crd: the shipped files are the loader's schema") {
  const Case cases[] = {
      {"rollguard.dev_guards.yaml", spec::GuardCrd(), spec::GuardSchema()},
      {"rollguard.dev_rollbackrules.yaml", spec::RollbackRulesCrd(), spec::RollbackRulesSchema()},
  };
  for (const Case& c : cases) {
    INFO(c.file);
    std::string path = std::string(ROLLGUARD_SOURCE_DIR) + "/k8s/crds/" + c.file;
    if (std::getenv("UPDATE_GOLDEN")) std::ofstream(path, std::ios::binary) << c.text;
    std::string shipped = ReadFile(path);
    CHECK(shipped == c.text);
    Diagnostics diagnostics;
    auto roots = yaml::Parse(c.file, shipped, diagnostics);
    REQUIRE(diagnostics.empty());
    REQUIRE(roots.size() == 1);
    const yaml::Node& version = roots[0].Find("spec")->Find("versions")->items.at(0);
    const yaml::Node* schema = version.Find("schema")->Find("openAPIV3Schema");
    REQUIRE(schema);
    CheckStructural(*schema, "");
    const yaml::Node* spec = schema->Find("properties")->Find("spec");
    CheckDescribed(*spec, "spec");
    std::set<std::string> in_loader;
    std::set<std::string> in_crd;
    KeysOf(c.schema, "spec", in_loader);
    KeysOf(*spec, "spec", in_crd);
    CHECK(in_loader == in_crd);
    CHECK(in_loader.size() > 20);
    CHECK(version.Find("subresources")->Find("status"));
  }
}

TEST_CASE("crd: reference tables name every key once") {
  std::string table = spec::ReferenceTable(spec::GuardSchema());
  CHECK(table.find("| `target.name` * | string | Its name. |") != std::string::npos);
  CHECK(table.find("| `mode` | string: `enforce`, `observe` |") != std::string::npos);
  CHECK(table.find("`strategy.canary.steps[].pause.duration`") != std::string::npos);
  CHECK(spec::ReferenceTable(spec::AgentConfigSchema()).find("`metrics[].prometheus.url` *") !=
        std::string::npos);
}

namespace {

// "30s" and "0.5h", "50%" and "0.5", "4 MiB" and "4194304", "0: off" and "0" are the same.
std::string Plain(std::string_view text) {
  if (const size_t colon = text.find(": "); colon != std::string_view::npos)
    text = text.substr(0, colon);
  if (text == "7 years") return "2555d";
  if (text == "0ms") return "0s";
  if (text.ends_with(" MiB"))
    return StrCat(ParseInt(text.substr(0, text.size() - 4)).value_or(-1) << 20);
  if (text.ends_with("%"))
    return FormatNumber(ParseDouble(text.substr(0, text.size() - 1)).value_or(-1) / 100);
  return std::string(text);
}

// Fields whose description ends with a default, "(5m).", that is not what the loader begins with.
void WrongDefaults(const Schema& schema, const std::string& path, size_t& held, std::string& out) {
  for (const auto& [key, field] : schema.fields) {
    const std::string name = path + "." + key;
    const std::string_view text = field.description;
    const size_t open = text.rfind(" (");
    if (text.ends_with(").") && open != std::string_view::npos && !field.initial.empty()) {
      const std::string_view said = text.substr(open + 2, text.size() - open - 4);
      ++held;
      if (Plain(said) != Plain(field.initial))
        out += StrCat(name, " says ", said, " and is ", field.initial, "\n");
    }
    WrongDefaults(field, name, held, out);
    for (const Schema& item : field.item) WrongDefaults(item, name + "[]", held, out);
  }
}

}  // namespace

TEST_CASE("reference: the defaults in the descriptions are those of the loader") {
  size_t held = 0;
  std::string wrong;
  WrongDefaults(spec::GuardSchema(), "guard", held, wrong);
  WrongDefaults(spec::RollbackRulesSchema(), "rules", held, wrong);
  WrongDefaults(spec::AgentConfigSchema(), "agent", held, wrong);
  WrongDefaults(spec::MetricSchema(), "metric", held, wrong);
  CHECK(wrong == "");
  CHECK(held > 100);
}

TEST_CASE("reference: every key stands on the page, large objects in sections of their own") {
  const std::string page = spec::ReferenceSections(spec::GuardSchema(), "spec");
  CHECK(page.find("| `bake` | duration | 0s | The watch goes on") != std::string::npos);
  CHECK(page.find("| `target.name` | string | required | Its name. |") != std::string::npos);
  CHECK(page.find("See [spec.strategy.canary](#specstrategycanary).") != std::string::npos);
  CHECK(page.find("\n## spec.strategy.canary\n") != std::string::npos);
  CHECK(page.find("Exactly one of `rolling`, `canary`,") != std::string::npos);
  std::set<std::string> keys;
  KeysOf(spec::GuardSchema(), "", keys);
  for (const std::string& key : keys) {
    INFO(key);
    const std::string last = key.substr(key.rfind('.') + 1);
    const bool there = page.find(StrCat(last, "`")) != std::string::npos ||
                       page.find(StrCat(last, "[]`")) != std::string::npos;
    CHECK(there);
  }
}
