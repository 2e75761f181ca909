// SPDX-License-Identifier: Apache-2.0
// Which lists are maps in disguise: lists whose items are told apart by a key, for strategic merge
// patches and server-side apply. Built-in kinds follow Kubernetes' own schema by field name; custom
// kinds follow `x-kubernetes-list-type` of theirs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/json.h"

namespace rollguard::sim {

enum class ListKind { kAtomic, kSet, kMap };

struct ListRule {
  ListKind kind = ListKind::kAtomic;
  std::vector<std::string> keys;  // kMap: what identifies an item
};

// Where in an object a walk stands. Cheap to copy.
class SchemaPosition {
 public:
  // The root of a built-in object of that kind, or of a custom object with that schema (may be
  // null).
  static SchemaPosition BuiltIn(std::string_view kind);
  static SchemaPosition Custom(const Json& schema);

  SchemaPosition Field(std::string_view name) const;
  SchemaPosition Item() const;
  // Strategic merge: only one key identifies an item ("ports" by containerPort or port alone).
  ListRule Strategic() const;
  // Server-side apply: all keys.
  ListRule Applied() const;
  // An object that changes hands as a whole (label selectors, ...).
  bool AtomicObject() const;

 private:
  bool custom_ = false;
  const Json* schema_ = nullptr;
  std::string_view kind_;
  std::string_view parent_;
  std::string_view field_;
  bool item_ = false;
};

}  // namespace rollguard::sim
