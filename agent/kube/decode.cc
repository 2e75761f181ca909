// SPDX-License-Identifier: Apache-2.0
// simdjson's on-demand front end walks the text once; this walk builds Json beside it and holds the
// same tree of dropped paths. Depth is bounded here, keys are checked for duplicates as ParseJson
// does, and what follows the document is refused.
#include "agent/kube/decode.h"

#include <simdjson.h>

#include <cstdlib>
#include <unordered_set>

#include "agent/base/text.h"

namespace rollguard::kube {
namespace {

namespace od = simdjson::ondemand;

constexpr int kMaxDepth = 128;
constexpr size_t kKeepCapacity = 64U << 10;
constexpr size_t kLinearKeys = 16;

// Thrown nowhere: the walk returns simdjson's codes, and these words go with our own refusals.
struct Walk {
  const ProjectionTree* list_tree = nullptr;
  std::string refusal;

  simdjson::error_code Refuse(std::string why) {
    refusal = std::move(why);
    return simdjson::UNEXPECTED_ERROR;
  }

  template <class V>
  simdjson::error_code Value(V& value, const ProjectionTree* tree, int depth, Json& out) {
    if (depth > kMaxDepth) return Refuse("nested too deeply");
    od::json_type type;
    if (auto error = value.type().get(type)) return error;
    switch (type) {
      case od::json_type::array: return Array(value, tree, depth, out);
      case od::json_type::object: return Object(value, tree, depth, out);
      case od::json_type::number: return Number(value, out);
      case od::json_type::string: return String(value, out);
      case od::json_type::boolean: return Bool(value, out);
      case od::json_type::null: out = Json(); return IsNull(value);
    }
    return Refuse("a value of no known type");
  }

 private:
  template <class V>
  simdjson::error_code IsNull(V& value) {
    bool null = false;
    if (auto error = value.is_null().get(null)) return error;
    return null ? simdjson::SUCCESS : Refuse("a word that is not null");
  }

  template <class V>
  simdjson::error_code Bool(V& value, Json& out) {
    bool truth = false;
    if (auto error = value.get_bool().get(truth)) return error;
    out = Json(truth);
    return simdjson::SUCCESS;
  }

  template <class V>
  simdjson::error_code String(V& value, Json& out) {
    std::string_view text;
    if (auto error = value.get_string().get(text)) return error;
    out = Json(text);
    return simdjson::SUCCESS;
  }

  template <class V>
  simdjson::error_code Number(V& value, Json& out) {
    std::string_view token;
    if (auto error = simdjson::simdjson_result<std::string_view>(value.raw_json_token()).get(token))
      return error;
    od::number number;
    if (auto error = value.get_number().get(number)) return error;
    if (number.is_int64()) {
      out = Json(number.get_int64());
    } else {
      // Of more than 19 digits simdjson's last bit may be another than strtod's.
      out = Json(std::strtod(std::string(token).c_str(), nullptr));
    }
    return simdjson::SUCCESS;
  }

  template <class V>
  simdjson::error_code Array(V& value, const ProjectionTree* tree, int depth, Json& out) {
    od::array array;
    if (auto error = value.get_array().get(array)) return error;
    Json::Array items;
    for (auto item : array) {
      od::value element;
      if (auto error = std::move(item).get(element)) return error;
      if (auto error = Value(element, tree, depth + 1, items.emplace_back())) return error;
    }
    items.shrink_to_fit();
    out = Json(std::move(items));
    return simdjson::SUCCESS;
  }

  static const ProjectionTree* Below(const ProjectionTree* tree, std::string_view key) {
    return tree != nullptr ? tree->Child(key) : nullptr;
  }

  template <class V>
  simdjson::error_code Object(V& value, const ProjectionTree* tree, int depth, Json& out) {
    od::object object;
    if (auto error = value.get_object().get(object)) return error;
    Json::Object members;
    for (auto field : object) {
      std::string_view key;
      if (auto error = field.unescaped_key().get(key)) return error;
      const ProjectionTree* below = Below(tree, key);
      if (depth == 0 && list_tree != nullptr && key == list_key) below = list_tree;
      if (below != nullptr && below->dropped()) continue;
      Json& slot = members.emplace_back(std::string(key), Json()).second;
      od::value element;
      if (auto error = field.value().get(element)) return error;
      if (auto error = Value(element, below, depth + 1, slot)) return error;
    }
    if (HasDuplicate(members)) return Refuse("the same key twice in one object");
    members.shrink_to_fit();
    out = Json(std::move(members));
    return simdjson::SUCCESS;
  }

  static bool HasDuplicate(const Json::Object& members) {
    if (members.size() <= kLinearKeys) {
      for (size_t i = 1; i < members.size(); ++i) {
        for (size_t j = 0; j < i; ++j) {
          if (members[i].first == members[j].first) return true;
        }
      }
      return false;
    }
    std::unordered_set<std::string_view> keys;
    for (const Json::Member& member : members) {
      if (!keys.insert(member.first).second) return true;
    }
    return false;
  }

 public:
  std::string_view list_key = "items";
};

}  // namespace

struct JsonDecoder::Impl {
  od::parser parser;
};

JsonDecoder::JsonDecoder() : impl_(std::make_unique<Impl>()) {}
JsonDecoder::~JsonDecoder() = default;

Expected<Json> JsonDecoder::Decode(std::string_view text, Shape shape, const ProjectionTree* tree) {
  static_assert(kPadding >= simdjson::SIMDJSON_PADDING);
  Walk walk;
  if (shape != Shape::kObject) {
    walk.list_tree = tree;
    if (shape == Shape::kWatchEvent) walk.list_key = "object";
    tree = nullptr;
  }
  od::document document;
  Json out;
  auto error =
      impl_->parser.iterate(text.data(), text.size(), text.size() + kPadding).get(document);
  if (!error) error = walk.Value(document, tree, 0, out);
  if (!error && document.current_location().error() == simdjson::SUCCESS) {
    error = walk.Refuse("more text after the value");
  }
  if (impl_->parser.capacity() > kKeepCapacity) impl_->parser = od::parser();
  if (!error) return out;
  std::string why = walk.refusal.empty() ? simdjson::error_message(error) : walk.refusal;
  return Error(ErrorCode::kInternal, StrCat("not valid JSON: ", why));
}

}  // namespace rollguard::kube
