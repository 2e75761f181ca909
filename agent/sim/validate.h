// SPDX-License-Identifier: Apache-2.0
// What the API server refuses: names, labels, selectors that do not match their template, fields
// that must not change. Every problem is reported, not the first.
#pragma once

#include <string>
#include <vector>

#include "agent/base/json.h"
#include "agent/sim/type_registry.h"

namespace rollguard::sim {

struct FieldProblem {
  std::string field;    // "spec.selector"
  std::string reason;   // FieldValueRequired, FieldValueInvalid, FieldValueForbidden, ...
  std::string message;  // "Required value: ..." as it is printed after the field
};

// `before` is null for a creation.
std::vector<FieldProblem> Validate(const TypeInfo& info, const Json& before, const Json& object);

// Types, required members, enums, bounds of a custom object against its schema.
void ValidateSchema(const Json& schema, const Json& value, const std::string& path,
                    std::vector<FieldProblem>& problems);

// What every kind is checked for: finalizers, owner references; leases and numbers.
void ValidateMeta(const TypeInfo& info, const Json& before, const Json& object,
                  std::vector<FieldProblem>& problems);

FieldProblem RequiredField(std::string field, std::string_view what = {});
FieldProblem InvalidField(std::string field, const Json& value, std::string_view why);
FieldProblem ForbiddenField(std::string field, std::string_view why);

}  // namespace rollguard::sim
