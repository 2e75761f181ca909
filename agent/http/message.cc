// SPDX-License-Identifier: Apache-2.0
#include "agent/http/message.h"

namespace rollguard::http {

std::string_view Request::Header(std::string_view lower_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_name) return value;
  }
  return {};
}

std::string Request::Param(std::string_view name, std::string_view fallback) const {
  auto found = params.find(std::string(name));
  return found != params.end() ? found->second : std::string(fallback);
}

}  // namespace rollguard::http
