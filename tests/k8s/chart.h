// SPDX-License-Identifier: Apache-2.0
// Renders the Helm chart without Helm: its templates keep to a small part of the template language,
// and this reads that part and refuses the rest. Each tag stands alone between {{ and }}:
//   .Values.a.b   .Release.Namespace   .   toYaml .Values.a | indent N
//   if .Values.a ... end   range .Values.a ... end
#pragma once

#include <string>

#include "agent/base/expected.h"
#include "agent/base/json.h"

namespace rollguard::shipped {

// The error names what is not understood.
Expected<std::string> RenderTemplate(const std::string& text, const Json& values,
                                     const std::string& ns);

// What JSON schema (the part used in values.schema.json) says against the values, one line each.
std::string SchemaProblems(const Json& schema, const Json& value,
                           const std::string& path = "values");

}  // namespace rollguard::shipped
