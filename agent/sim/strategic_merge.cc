// SPDX-License-Identifier: Apache-2.0
// Depth of recursion is the patch's depth, which ParseJson bounds.
#include "agent/sim/strategic_merge.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/sim/object.h"

namespace rollguard::sim {
namespace {

constexpr std::string_view kDeleteFrom = "$deleteFromPrimitiveList/";
constexpr std::string_view kOrder = "$setElementOrder/";

// A patch's value as it stands when there is nothing to merge it with: directives left out.
Json Plain(const Json& value) {
  if (value.is_array()) {
    Json out = Json::Arr();
    for (const Json& item : value.items()) {
      if (Text(item.At("$patch")) != "delete" && Text(item.At("$patch")) != "replace")
        out.Push(Plain(item));
    }
    return out;
  }
  if (!value.is_object()) return value;
  Json out = Json::Obj();
  for (const auto& [key, member] : value.members()) {
    if (key.starts_with('$') || member.is_null()) continue;
    out.Set(key, Plain(member));
  }
  return out;
}

Json* FindItem(Json& list, const std::string& key, const Json& value) {
  for (Json& item : list.items()) {
    if (item.At(key) == value) return &item;
  }
  return nullptr;
}

Status MergeKeyed(Json& list, const Json& patch, const std::string& key, const SchemaPosition& at) {
  if (!list.is_array()) list = Json::Arr();
  for (const Json& item : patch.items()) {
    if (Text(item.At("$patch")) == "replace") {
      list = Plain(patch);
      return {};
    }
  }
  for (const Json& item : patch.items()) {
    const Json* id = item.Find(key);
    if (id == nullptr) {
      return Error(ErrorCode::kInvalid, StrCat("map: ", Abbreviate(item.Dump(), 200),
                                               " does not contain declared merge key: ", key));
    }
    Json* known = FindItem(list, key, *id);
    if (Text(item.At("$patch")) == "delete") {
      std::erase_if(list.items(), [&](const Json& i) { return i.At(key) == *id; });
    } else if (known != nullptr) {
      if (Status s = ApplyStrategicMerge(*known, item, at.Item()); !s) return s;
    } else {
      list.Push(Plain(item));
    }
  }
  return {};
}

void MergeSet(Json& list, const Json& patch) {
  if (!list.is_array()) list = Json::Arr();
  for (const Json& item : patch.items()) {
    auto& items = list.items();
    if (std::find(items.begin(), items.end(), item) == items.end()) list.Push(item);
  }
}

// Items that the order names come in that order; the others keep their place behind them.
void Reorder(Json& list, const Json& order, const ListRule& rule) {
  if (!list.is_array()) return;
  auto rank = [&](const Json& item) {
    for (size_t i = 0; i < order.size(); ++i) {
      const Json& wanted = order.At(i);
      bool same = rule.kind == ListKind::kMap ? wanted.At(rule.keys[0]) == item.At(rule.keys[0])
                                              : wanted == item;
      if (same) return i;
    }
    return order.size();
  };
  std::stable_sort(list.items().begin(), list.items().end(),
                   [&](const Json& a, const Json& b) { return rank(a) < rank(b); });
}

void RetainKeys(Json& target, const Json& keep) {
  std::erase_if(target.members(), [&](const Json::Member& m) {
    return std::none_of(keep.items().begin(), keep.items().end(),
                        [&](const Json& k) { return Text(k) == m.first; });
  });
}

void ApplyDirective(Json& target, std::string_view key, const Json& value,
                    const SchemaPosition& at) {
  if (key.starts_with(kDeleteFrom)) {
    Json* list = target.Find(key.substr(kDeleteFrom.size()));
    if (list == nullptr || !list->is_array()) return;
    std::erase_if(list->items(), [&](const Json& item) {
      return std::find(value.items().begin(), value.items().end(), item) != value.items().end();
    });
  } else if (key.starts_with(kOrder)) {
    std::string_view field = key.substr(kOrder.size());
    Json* list = target.Find(field);
    ListRule rule = at.Field(field).Strategic();
    if (list != nullptr && rule.kind != ListKind::kAtomic) Reorder(*list, value, rule);
  }
}

Status MergeField(Json& target, const std::string& key, const Json& value,
                  const SchemaPosition& at) {
  Json* known = target.Find(key);
  if (known == nullptr) {
    target.Set(key, Plain(value));
    return {};
  }
  SchemaPosition field = at.Field(key);
  if (value.is_object() && known->is_object()) return ApplyStrategicMerge(*known, value, field);
  if (value.is_array() && known->is_array()) {
    ListRule rule = field.Strategic();
    if (rule.kind == ListKind::kMap) return MergeKeyed(*known, value, rule.keys[0], field);
    if (rule.kind == ListKind::kSet) {
      MergeSet(*known, value);
      return {};
    }
  }
  *known = Plain(value);
  return {};
}

}  // namespace

Status ApplyStrategicMerge(Json& target, const Json& patch, const SchemaPosition& at) {
  if (!patch.is_object())
    return Error(ErrorCode::kInvalid, "a strategic merge patch must be an object");
  std::string_view mode = Text(patch.At("$patch"));
  if (mode == "replace") {
    target = Plain(patch);
    return {};
  }
  if (mode == "delete") {
    target = Json::Obj();
    return {};
  }
  if (!target.is_object()) target = Json::Obj();
  if (const Json* keep = patch.Find("$retainKeys")) RetainKeys(target, *keep);
  for (const auto& [key, value] : patch.members()) {
    if (key.starts_with('$')) continue;
    if (value.is_null()) {
      target.Erase(key);
    } else if (Status s = MergeField(target, key, value, at); !s) {
      return s;
    }
  }
  for (const auto& [key, value] : patch.members()) {
    if (key.starts_with('$')) ApplyDirective(target, key, value, at);
  }
  return {};
}

}  // namespace rollguard::sim
