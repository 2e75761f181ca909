// SPDX-License-Identifier: Apache-2.0
// Type words are read by descent over their outermost mark; they come from the table in the
// program, so their depth is small.
#include "agent/api/schema.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/base/time.h"

namespace rollguard::api {
namespace {

constexpr size_t kMaxProblems = 8;
constexpr std::string_view kPrefix = "#/components/schemas/";

bool IsWordList(std::string_view type) { return type.find('|') != std::string_view::npos; }

struct Checker {
  std::vector<std::string> problems;

  void Say(std::string_view where, std::string_view what) {
    if (problems.size() < kMaxProblems) problems.push_back(StrCat(where, ": ", what));
  }

  void Check(const Json& value, std::string_view type, const std::string& where) {
    if (type.ends_with('?')) {
      if (value.is_null()) return;
      type.remove_suffix(1);
    }
    if (type == "any") return;
    if (type.starts_with('[')) return CheckList(value, type.substr(1, type.size() - 2), where);
    if (type.starts_with('{')) return CheckMap(value, type.substr(1, type.size() - 2), where);
    if (IsWordList(type)) return CheckWord(value, type, where);
    if (const Schema* schema = FindSchema(type)) return CheckObject(value, *schema, where);
    CheckPlain(value, type, where);
  }

  void CheckList(const Json& value, std::string_view item, const std::string& where) {
    if (!value.is_array()) return Say(where, "must be a list");
    for (size_t i = 0; i < value.size(); ++i) Check(value.At(i), item, StrCat(where, "[", i, "]"));
  }

  void CheckMap(const Json& value, std::string_view item, const std::string& where) {
    if (!value.is_object()) return Say(where, "must be an object");
    for (const auto& [key, member] : value.members()) Check(member, item, StrCat(where, ".", key));
  }

  void CheckWord(const Json& value, std::string_view type, const std::string& where) {
    std::vector<std::string_view> words = Split(type, '|');
    std::string got = value.Str();
    if (value.is_string() && std::find(words.begin(), words.end(), got) != words.end()) return;
    auto meant = DidYouMean(got, words);
    Say(where, StrCat("must be one of ", ReplaceAll(type, "|", ", "),
                      meant ? StrCat(" (did you mean ", Quote(*meant), "?)") : ""));
  }

  void CheckObject(const Json& value, const Schema& schema, const std::string& where) {
    if (!value.is_object()) return Say(where, "must be an object");
    std::vector<std::string_view> names;
    for (const Field& field : schema.fields) {
      names.emplace_back(field.name);
      const Json* member = value.Find(field.name);
      if (member != nullptr) {
        Check(*member, field.type, StrCat(where, ".", field.name));
      } else if (field.required) {
        Say(where, StrCat(Quote(field.name), " is missing"));
      }
    }
    for (const auto& [key, member] : value.members()) {
      if (std::find(names.begin(), names.end(), key) != names.end()) continue;
      auto meant = DidYouMean(key, names);
      Say(where, StrCat("unknown member ", Quote(key),
                        meant ? StrCat(" (did you mean ", Quote(*meant), "?)") : ""));
    }
  }

  void CheckPlain(const Json& value, std::string_view type, const std::string& where) {
    bool fits = (type == "string" && value.is_string()) || (type == "integer" && value.is_int()) ||
                (type == "number" && value.is_number()) || (type == "boolean" && value.is_bool()) ||
                (type == "object" && value.is_object()) ||
                (type == "time" && value.is_string() && ParseRfc3339(value.Str()).ok());
    if (!fits)
      Say(where,
          StrCat("must be ", type == "time" ? "an RFC 3339 time" : StrCat("of type ", type)));
  }
};

Json Nullable(Json json) {
  if (json.Find("$ref") != nullptr) json = Json::Obj({{"allOf", Json::Arr({std::move(json)})}});
  return json.Set("nullable", true);
}

}  // namespace

const Schema* FindSchema(std::string_view name) {
  const auto& all = Schemas();
  auto found = std::lower_bound(all.begin(), all.end(), name,
                                [](const Schema& s, std::string_view n) { return s.name < n; });
  return found != all.end() && found->name == name ? &*found : nullptr;
}

Json TypeJson(std::string_view type) {
  if (type.ends_with('?')) return Nullable(TypeJson(type.substr(0, type.size() - 1)));
  if (type == "any") return Json::Obj();
  if (type == "time") return Json::Obj({{"type", "string"}, {"format", "date-time"}});
  if (type.starts_with('['))
    return Json::Obj({{"type", "array"}, {"items", TypeJson(type.substr(1, type.size() - 2))}});
  if (type.starts_with('{'))
    return Json::Obj(
        {{"type", "object"}, {"additionalProperties", TypeJson(type.substr(1, type.size() - 2))}});
  if (IsWordList(type)) {
    Json words = Json::Arr();
    for (std::string_view word : Split(type, '|')) words.Push(word);
    return Json::Obj({{"type", "string"}, {"enum", std::move(words)}});
  }
  if (FindSchema(type) != nullptr) return Json::Obj({{"$ref", StrCat(kPrefix, type)}});
  return Json::Obj({{"type", type}});
}

Json SchemasJson() {
  Json out = Json::Obj();
  for (const Schema& schema : Schemas()) {
    Json properties = Json::Obj(), required = Json::Arr();
    for (const Field& field : schema.fields) {
      Json type = TypeJson(field.type);
      if (type.Find("$ref") != nullptr) type = Json::Obj({{"allOf", Json::Arr({std::move(type)})}});
      properties.Set(field.name, type.Set("description", field.about));
      if (field.required) required.Push(field.name);
    }
    Json one = Json::Obj({{"type", "object"},
                          {"description", schema.about},
                          {"additionalProperties", false},
                          {"properties", std::move(properties)}});
    if (required.size() > 0) one.Set("required", std::move(required));
    out.Set(schema.name, std::move(one));
  }
  return out;
}

std::vector<std::string> CheckType(const Json& value, std::string_view type,
                                   std::string_view where) {
  Checker checker;
  checker.Check(value, type, std::string(where));
  return std::move(checker.problems);
}

}  // namespace rollguard::api
