// SPDX-License-Identifier: Apache-2.0
#include "agent/spec/reader.h"

#include <algorithm>

namespace rollguard::spec {
namespace {

const yaml::Node& NoNode() {
  static const yaml::Node node;
  return node;
}

// Whether some key is nearly `key`: then telling that it is unknown says it all.
bool NearlyThere(const yaml::Node& node, std::span<const std::string_view> keys) {
  for (const yaml::Entry& entry : node.entries) {
    if (std::find(keys.begin(), keys.end(), entry.key) != keys.end()) continue;
    if (DidYouMean(entry.key, keys)) return true;
  }
  return false;
}

bool HasPlaceholder(const yaml::Node& node) { return node.text.find("{{") != std::string::npos; }

}  // namespace

std::string Describe(const yaml::Node& node) {
  switch (node.kind) {
    case yaml::Kind::kNull: return "nothing";
    case yaml::Kind::kMapping: return "a mapping";
    case yaml::Kind::kSequence: return "a list";
    case yaml::Kind::kScalar: break;
  }
  std::string shown = Abbreviate(node.text, 60);
  switch (node.type) {
    case yaml::ScalarType::kNull: return "null";
    case yaml::ScalarType::kBool: return "the boolean " + shown;
    case yaml::ScalarType::kInt:
    case yaml::ScalarType::kFloat: return "the number " + shown;
    case yaml::ScalarType::kString: return Quote(shown);
  }
  return shown;
}

Object::Object(Context& context, const yaml::Node& node, SourceSpan span)
    : context_(context), node_(node), span_(span) {
  known_.reserve(16);
}

Object::Object(Context& context, Schema& schema)
    : context_(context), node_(NoNode()), schema_(&schema) {}

Object::~Object() {
  if (describing() || allow_unknown_) return;
  for (const yaml::Entry& entry : node_.entries) {
    if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
    std::string hint = Suggestion(entry.key, known_);
    if (hint.empty() && known_.size() <= 12) {
      std::vector<std::string> names(known_.begin(), known_.end());
      hint = StrCat(" (known here: ", Join(names, ", "), ")");
    }
    context_.Error(entry.key_span, StrCat("unknown key ", Quote(Abbreviate(entry.key, 60)), hint));
  }
}

bool Object::Has(std::string_view key) const {
  const yaml::Node* found = node_.Find(key);
  return found && !found->is_null();
}

SourceSpan Object::KeySpan(std::string_view key) const {
  const yaml::Entry* entry = node_.FindEntry(key);
  return entry ? entry->key_span : span_;
}

SourceSpan Object::ValueSpan(std::string_view key) const {
  const yaml::Entry* entry = node_.FindEntry(key);
  if (!entry) return span_;
  return entry->value.kind == yaml::Kind::kScalar ? entry->value.span : entry->key_span;
}

void Object::Error(std::string_view key, std::string message) {
  context_.Error(ValueSpan(key), std::move(message));
}

void Object::Require(std::string_view key) {
  if (describing()) {
    for (auto& [name, field] : schema_->fields) {
      if (name == key) field.required = true;
    }
    return;
  }
  if (context_.partial || Has(key) || NearlyThere(node_, {&key, 1})) return;
  context_.Error(node_.FindEntry(key) ? KeySpan(key) : span_, StrCat("missing ", Quote(key)));
}

void Object::RequireOne(std::string_view what, std::initializer_list<std::string_view> keys) {
  std::vector<std::string> names(keys.begin(), keys.end());
  if (describing()) {
    schema_->exactly_one = std::move(names);
    return;
  }
  for (std::string_view key : keys) {
    if (node_.FindEntry(key) && !Has(key)) {
      context_.Error(KeySpan(key), StrCat(Quote(key), " has no value (write \"", key,
                                          ": {}\" when it needs none)"));
      return;
    }
  }
  AtMostOne(keys);
  bool any = std::any_of(keys.begin(), keys.end(), [&](auto key) { return Has(key); });
  std::vector<std::string_view> wanted(keys);
  if (any || context_.partial || NearlyThere(node_, wanted)) return;
  context_.Error(span_, StrCat(what, " needs one of ", Join(names, ", ")));
}

void Object::AtMostOne(std::initializer_list<std::string_view> keys) {
  if (describing()) return;
  std::string_view first;
  for (const yaml::Entry& entry : node_.entries) {
    if (entry.value.is_null() || std::find(keys.begin(), keys.end(), entry.key) == keys.end())
      continue;
    if (first.empty()) {
      first = entry.key;
    } else {
      context_.Error(entry.key_span,
                     StrCat(Quote(entry.key), " cannot stand beside ", Quote(first)));
    }
  }
}

const yaml::Node* Object::Take(std::string_view key) {
  known_.push_back(key);
  const yaml::Node* found = node_.Find(key);
  return found && !found->is_null() ? found : nullptr;
}

const yaml::Node* Object::TakeMapping(std::string_view key) {
  const yaml::Node* found = Take(key);
  if (!found) return nullptr;
  if (found->is_mapping()) return found;
  if (context_.placeholders && found->is_string() && HasPlaceholder(*found)) return nullptr;
  Error(key, StrCat(Quote(key), " must be a mapping, not ", Describe(*found)));
  return nullptr;
}

const yaml::Node* Object::TakeList(std::string_view key) {
  const yaml::Node* found = Take(key);
  if (!found) return nullptr;
  if (found->is_sequence()) return found;
  Error(key, StrCat(Quote(key), " must be a list, not ", Describe(*found)));
  return nullptr;
}

bool Object::CheckItem(std::string_view key, const yaml::Node& item, bool mapping) {
  if (mapping ? item.is_mapping() : item.is_string()) return true;
  if (!mapping && context_.placeholders && item.is_scalar()) return true;
  context_.Error(item.span, StrCat("an item of ", Quote(key), " must be a ",
                                   mapping ? "mapping" : "string", ", not ", Describe(item),
                                   !mapping && item.is_scalar() ? " (quote it)" : ""));
  return false;
}

Schema& Object::AddField(std::string_view key, Schema::Type type, std::string_view description) {
  Schema field;
  field.type = type;
  field.description = std::string(description);
  return schema_->fields.emplace_back(SchemaField{std::string(key), std::move(field)}).schema;
}

const yaml::Node* Object::TakeScalar(std::string_view key, std::string_view wanted) {
  const yaml::Node* found = Take(key);
  if (!found) return nullptr;
  if (!found->is_scalar()) {
    Error(key, StrCat(Quote(key), " must be ", wanted, ", not ", Describe(*found)));
    return nullptr;
  }
  if (context_.placeholders && HasPlaceholder(*found)) return nullptr;
  return found;
}

const yaml::Node* Object::TakeString(std::string_view key) {
  const yaml::Node* found = TakeScalar(key, "a string");
  if (!found || found->is_string()) return found;
  Error(key, StrCat(Quote(key), " must be a string, not ", Describe(*found), " (quote it)"));
  return nullptr;
}

}  // namespace rollguard::spec
