// SPDX-License-Identifier: Apache-2.0
#include "agent/expr/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "agent/base/text.h"

namespace rollguard::expr {
namespace {

bool AllFloats(const Value::List& list) {
  return std::all_of(list.begin(), list.end(), [](const Value& v) { return v.is_float(); });
}

bool SameMaps(const Value::Map& a, const Value::Map& b) {
  if (a.size() != b.size()) return false;
  return std::all_of(a.begin(), a.end(), [&](const auto& member) {
    auto found =
        std::find_if(b.begin(), b.end(), [&](const auto& m) { return m.first == member.first; });
    return found != b.end() && found->second == member.second;
  });
}

Value NumberOf(const Json& json) {
  if (json.is_string()) {
    const std::string text = json.Str();
    if (text == "NaN") return Value(std::nan(""));
    if (text == "+Inf" || text == "Inf") return Value(HUGE_VAL);
    if (text == "-Inf") return Value(-HUGE_VAL);
  }
  return FromJson(json);
}

}  // namespace

const Value* Value::Find(std::string_view key) const {
  if (!is_map()) return nullptr;
  for (const auto& [name, value] : AsMap()) {
    if (name == key) return &value;
  }
  return nullptr;
}

bool Value::IsEmpty() const {
  switch (type()) {
    case Type::kNil: return true;
    case Type::kString: return AsString().empty();
    case Type::kList: return AsList().empty();
    case Type::kMap: return AsMap().empty();
    case Type::kBool:
    case Type::kInt:
    case Type::kFloat:
    case Type::kDuration:
    case Type::kTime: return false;
  }
  return false;
}

bool operator==(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is_int() && b.is_int()) return a.AsInt() == b.AsInt();
    return a.AsNumber() == b.AsNumber();
  }
  if (a.type() != b.type()) return false;
  if (a.is_list()) return a.AsList() == b.AsList();
  if (a.is_map()) return SameMaps(a.AsMap(), b.AsMap());
  return a.data_ == b.data_;
}

std::string Value::TypeName() const {
  switch (type()) {
    case Type::kNil: return "nil";
    case Type::kBool: return "bool";
    case Type::kInt: return "int";
    case Type::kFloat: return "float64";
    case Type::kString: return "string";
    case Type::kList: return AllFloats(AsList()) ? "[]float64" : "[]interface {}";
    case Type::kMap: return "map[string]interface {}";
    case Type::kDuration: return "time.Duration";
    case Type::kTime: return "time.Time";
  }
  return "";
}

std::string Value::ToText() const {
  switch (type()) {
    case Type::kNil: return "null";
    case Type::kBool: return AsBool() ? "true" : "false";
    case Type::kInt: return std::to_string(AsInt());
    case Type::kFloat: return FormatSample(AsFloat());
    case Type::kString: return AsString();
    case Type::kDuration:
      return FormatGoDuration(std::chrono::duration_cast<rollguard::Duration>(AsDuration()));
    case Type::kTime: return FormatRfc3339(AsTime());
    case Type::kMap: return ToJson(*this).Dump();
    case Type::kList: break;
  }
  std::string text = "[";
  for (const Value& item : AsList()) {
    if (text.size() > 1) text += ',';
    text +=
        item.is_string() || item.is_map() || item.is_list() ? ToJson(item).Dump() : item.ToText();
  }
  return text + "]";
}

Value FromJson(const Json& json) {
  switch (json.type()) {
    case Json::Type::kNull: return {};
    case Json::Type::kBool: return Value(json.BoolOr(false));
    case Json::Type::kInt:
    case Json::Type::kDouble: return Value(json.DoubleOr(0));
    case Json::Type::kString: return Value(json.Str());
    case Json::Type::kArray: {
      Value::List list;
      list.reserve(json.size());
      for (const Json& item : json.items()) list.push_back(FromJson(item));
      return Value(std::move(list));
    }
    case Json::Type::kObject: {
      Value::Map map;
      map.reserve(json.size());
      for (const auto& [key, value] : json.members()) map.emplace_back(key, FromJson(value));
      return Value(std::move(map));
    }
  }
  return {};
}

Value FromResultJson(const Json& json) {
  if (!json.is_array()) return NumberOf(json);
  Value::List list;
  for (const Json& item : json.items()) list.push_back(NumberOf(item));
  return Value(std::move(list));
}

Json ToJson(const Value& value) {
  switch (value.type()) {
    case Value::Type::kNil: return {};
    case Value::Type::kBool: return Json(value.AsBool());
    case Value::Type::kInt: return Json(value.AsInt());
    case Value::Type::kFloat: return Json(value.AsFloat());
    case Value::Type::kString: return Json(value.AsString());
    case Value::Type::kDuration: return Json(static_cast<int64_t>(value.AsDuration().count()));
    case Value::Type::kTime: return Json(FormatRfc3339(value.AsTime()));
    case Value::Type::kList: {
      Json::Array array;
      for (const Value& item : value.AsList()) array.push_back(ToJson(item));
      return Json(std::move(array));
    }
    case Value::Type::kMap: {
      Json::Object object;
      for (const auto& [key, item] : value.AsMap()) object.emplace_back(key, ToJson(item));
      return Json(std::move(object));
    }
  }
  return {};
}

std::string FormatSample(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char buffer[400];
  auto [end, error] =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
  return error == std::errc() ? std::string(buffer, end) : FormatNumber(value);
}

}  // namespace rollguard::expr
