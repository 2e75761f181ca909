// SPDX-License-Identifier: Apache-2.0
// The shapes of what is asked and answered, once: the OpenAPI document is printed from them,
// request bodies are checked against them before a handler runs, and tests hold answers to them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/json.h"

namespace rollguard::api {

// A member of an object. `type` is a word:
//   string integer number boolean time object any   `time` is RFC 3339
//   Name                                            a schema of the table
//   [T]  {T}  a|b|c                                 list, map, one of these words
// and `?` behind it allows null.
struct Field {
  const char* name;
  const char* type;
  const char* about;
  bool required = false;
};

struct Schema {
  const char* name;
  const char* about;
  std::vector<Field> fields;
};

// Sorted by name.
const std::vector<Schema>& Schemas();
const Schema* FindSchema(std::string_view name);

// "components.schemas" of the document.
Json SchemasJson();
// {"type": ...} or {"$ref": ...} of a type word.
Json TypeJson(std::string_view type);

// Everything in which `value` differs from `type`, each with its place: "body.strategy.type: ...".
// Unknown members are problems, with the nearest known name.
std::vector<std::string> CheckType(const Json& value, std::string_view type,
                                   std::string_view where);

}  // namespace rollguard::api
