// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "agent/base/text.h"
#include "agent/yaml/yaml.h"

namespace rollguard::yaml {

const Entry* Node::FindEntry(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

const Node* Node::Find(std::string_view key) const {
  const Entry* entry = FindEntry(key);
  return entry ? &entry->value : nullptr;
}

namespace {

Node Scalar(ScalarType type, std::string text) {
  Node node;
  node.kind = Kind::kScalar;
  node.type = type;
  node.text = std::move(text);
  node.style = type == ScalarType::kString ? Style::kDoubleQuoted : Style::kPlain;
  return node;
}

Node FromDouble(double value) {
  if (!std::isfinite(value))
    return Scalar(ScalarType::kFloat, std::isnan(value) ? ".nan" : value > 0 ? ".inf" : "-.inf");
  std::string text = FormatNumber(value);
  if (ResolvePlain(text) == ScalarType::kInt) text += ".0";
  return Scalar(ScalarType::kFloat, std::move(text));
}

Json ScalarToJson(const Node& node) {
  switch (node.type) {
    case ScalarType::kNull: return nullptr;
    case ScalarType::kBool: return node.AsBool().value_or(false);
    case ScalarType::kInt:
      if (auto value = node.AsInt()) return *value;
      break;
    case ScalarType::kFloat:
      if (auto value = node.AsDouble()) {
        if (std::isfinite(*value)) return *value;
        return FormatNumber(*value);
      }
      break;
    case ScalarType::kString: break;
  }
  return node.text;
}

}  // namespace

Node FromJson(const Json& json) {
  Node node;
  switch (json.type()) {
    case Json::Type::kNull: return node;
    case Json::Type::kBool: return Scalar(ScalarType::kBool, json.BoolOr(false) ? "true" : "false");
    case Json::Type::kInt: return Scalar(ScalarType::kInt, std::to_string(json.IntOr(0)));
    case Json::Type::kDouble: return FromDouble(json.DoubleOr(0));
    case Json::Type::kString: return Scalar(ScalarType::kString, json.Str());
    case Json::Type::kArray:
      node.kind = Kind::kSequence;
      for (const Json& item : json.items()) node.items.push_back(FromJson(item));
      return node;
    case Json::Type::kObject:
      node.kind = Kind::kMapping;
      for (const auto& [key, value] : json.members())
        node.entries.push_back({key, {}, FromJson(value)});
      return node;
  }
  return node;
}

Json ToJson(const Node& node) {
  switch (node.kind) {
    case Kind::kNull: return nullptr;
    case Kind::kScalar: return ScalarToJson(node);
    case Kind::kSequence: {
      Json::Array items;
      items.reserve(node.items.size());
      for (const Node& item : node.items) items.push_back(ToJson(item));
      return items;
    }
    case Kind::kMapping: {
      Json::Object members;
      members.reserve(node.entries.size());
      for (const Entry& entry : node.entries) members.emplace_back(entry.key, ToJson(entry.value));
      return members;
    }
  }
  return nullptr;
}

}  // namespace rollguard::yaml
