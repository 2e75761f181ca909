// SPDX-License-Identifier: Apache-2.0
// Values and functions of the annotations' template language. Private to agent/analysis.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/base/expected.h"
#include "agent/spec/values.h"

namespace rollguard::analysis {

using TemplateValue = std::variant<std::string, double, bool, spec::StringMap>;

bool IsTemplateFunction(std::string_view name);
std::vector<std::string_view> TemplateFunctionNames();
Expected<TemplateValue> CallTemplateFunction(std::string_view name,
                                             std::span<const TemplateValue> args);

bool IsTrue(const TemplateValue& value);
std::string TextOf(const TemplateValue& value);

}  // namespace rollguard::analysis
