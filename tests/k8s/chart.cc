// SPDX-License-Identifier: Apache-2.0
#include "tests/k8s/chart.h"

#include <regex.h>

#include <set>
#include <vector>

#include "agent/base/text.h"

namespace rollguard::shipped {
namespace {

bool True(const Json& value) {
  if (value.is_bool()) return value.BoolOr(false);
  if (value.is_string()) return !value.Str().empty();
  if (value.is_number()) return value.DoubleOr(0) != 0;
  return value.size() > 0;
}

std::string Plain(const Json& value) { return value.is_string() ? value.Str() : value.Dump(); }

// One rendering: a cursor over the text, and what `.` is.
class Renderer {
 public:
  Renderer(const std::string& text, const Json& values, const std::string& ns)
      : text_(text), values_(values), ns_(ns) {}

  Expected<std::string> All() {
    std::string out = Block(Json(), true);
    if (error_.empty() && (ended_ || at_ != text_.size())) error_ = "an end too many";
    if (!error_.empty()) return Error(ErrorCode::kInvalid, error_);
    return out;
  }

 private:
  // Up to the matching end, or the text's end. What is not `shown` is read and dropped.
  std::string Block(const Json& dot, bool shown) {
    std::string out;
    while (error_.empty() && at_ < text_.size()) {
      const size_t open = text_.find("{{", at_);
      if (shown) out += text_.substr(at_, open - at_);
      if (open == std::string::npos) {
        at_ = text_.size();
        return out;
      }
      const size_t close = text_.find("}}", open);
      if (close == std::string::npos) {
        error_ = "a tag is not closed";
        return out;
      }
      at_ = close + 2;
      const std::string tag(Trim(text_.substr(open + 2, close - open - 2)));
      if (tag == "end") {
        ended_ = true;
        return out;
      }
      out += Tag(tag, dot, shown);
    }
    return out;
  }

  std::string Inner(const Json& dot, bool shown) {
    ended_ = false;
    std::string out = Block(dot, shown);
    if (!ended_) error_ = "an if or range without an end";
    ended_ = false;
    return out;
  }

  std::string Tag(const std::string& tag, const Json& dot, bool shown) {
    if (tag.starts_with("if ")) return Inner(dot, shown && True(Value(tag.substr(3), dot)));
    if (tag.starts_with("range ")) {
      const Json list = Value(tag.substr(6), dot);
      const size_t begin = at_;
      std::string out;
      if (list.size() == 0) return Inner(dot, false);
      for (const Json& item : list.items()) {
        at_ = begin;
        out += Inner(item, shown);
      }
      return out;
    }
    if (tag.starts_with("toYaml ")) {
      const size_t pipe = tag.find(" | indent ");
      if (pipe == std::string::npos) return Refuse(tag);
      const auto indent = ParseInt(tag.substr(pipe + 10)).value_or(0);
      // JSON is YAML.
      return shown
                 ? std::string(static_cast<size_t>(indent), ' ') +
                       JsonAsYaml(Value(tag.substr(7, pipe - 7), dot), static_cast<size_t>(indent))
                 : "";
    }
    return shown ? Plain(Value(tag, dot)) : "";
  }

  // A mapping's members on lines of their own, each value as JSON.
  static std::string JsonAsYaml(const Json& value, size_t indent) {
    std::vector<std::string> lines;
    for (const auto& [key, member] : value.members())
      lines.push_back(StrCat(key, ": ", member.Dump()));
    return Join(lines, StrCat("\n", std::string(indent, ' ')));
  }

  Json Value(const std::string& name, const Json& dot) {
    if (name == ".") return dot;
    if (name == ".Release.Namespace") return ns_;
    if (!name.starts_with(".Values.")) {
      Refuse(name);
      return {};
    }
    const Json* value = &values_;
    for (std::string_view part : Split(std::string_view(name).substr(8), '.')) {
      value = value->Find(part);
      if (value == nullptr) {
        error_ = StrCat(name, " is not in values.yaml");
        return {};
      }
    }
    return *value;
  }

  std::string Refuse(const std::string& tag) {
    error_ = StrCat("{{ ", tag, " }} is not in the part of the language this chart uses");
    return {};
  }

  const std::string& text_;
  const Json& values_;
  const std::string ns_;
  size_t at_ = 0;
  bool ended_ = false;
  std::string error_;
};

bool Matches(const std::string& text, const std::string& pattern) {
  regex_t compiled;
  if (regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return false;
  const bool matches = regexec(&compiled, text.c_str(), 0, nullptr, 0) == 0;
  regfree(&compiled);
  return matches;
}

// The keywords that bound a single value; one that is not known here would go unread.
std::string Bounds(const Json& schema, const Json& value, const std::string& path) {
  static const std::set<std::string> kKnown = {
      "$schema",  "title",      "description", "type",    "additionalProperties",
      "required", "properties", "minLength",   "pattern", "minimum",
      "maximum",  "items",      "enum"};
  std::string out;
  for (const auto& [word, unused] : schema.members()) {
    if (!kKnown.contains(word)) out += StrCat(path, ": the keyword ", word, " is not held\n");
  }
  const std::string text = value.Str();
  if (text.size() < static_cast<size_t>(schema.At("minLength").IntOr(0)))
    out += StrCat(path, " is too short\n");
  if (schema.Find("pattern") != nullptr && !Matches(text, schema.At("pattern").Str()))
    out += StrCat(path, " does not match ", schema.At("pattern").Str(), "\n");
  if (value.DoubleOr(0) < schema.At("minimum").DoubleOr(-1e300) ||
      value.DoubleOr(0) > schema.At("maximum").DoubleOr(1e300))
    out += StrCat(path, " is out of bounds\n");
  return out;
}

bool IsOfType(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_bool();
  return type == "integer" && value.is_int();
}

}  // namespace

Expected<std::string> RenderTemplate(const std::string& text, const Json& values,
                                     const std::string& ns) {
  return Renderer(text, values, ns).All();
}

std::string SchemaProblems(const Json& schema, const Json& value, const std::string& path) {
  std::string out;
  const std::string type = schema.At("type").Str();
  if (!type.empty() && !IsOfType(value, type)) return StrCat(path, " is not of type ", type, "\n");
  for (const Json& key : schema.At("required").items()) {
    if (value.Find(key.Str()) == nullptr) out += StrCat(path, ".", key.Str(), " is missing\n");
  }
  out += Bounds(schema, value, path);
  const Json& properties = schema.At("properties");
  for (const auto& [key, member] : value.members()) {
    const Json* known = properties.Find(key);
    if (known != nullptr) {
      out += SchemaProblems(*known, member, StrCat(path, ".", key));
    } else if (!schema.At("additionalProperties").BoolOr(true)) {
      out += StrCat(path, ".", key, " is unknown\n");
    }
  }
  for (const Json& item : value.items()) {
    if (schema.Find("items") != nullptr) out += SchemaProblems(schema.At("items"), item, path);
  }
  if (schema.Find("enum") != nullptr) {
    bool found = false;
    for (const Json& word : schema.At("enum").items()) found = found || word == value;
    if (!found) out += StrCat(path, " is none of ", schema.At("enum").Dump(), "\n");
  }
  return out;
}

}  // namespace rollguard::shipped
