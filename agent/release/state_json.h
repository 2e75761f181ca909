// SPDX-License-Identifier: Apache-2.0
// The release's part of the status, and times in it.
#pragma once

#include <optional>

#include "agent/release/state.h"

namespace rollguard::release {

void PutTime(Json& out, const char* key, const std::optional<Time>& time);
std::optional<Time> GetTime(const Json& json, const char* key);
Json ToJson(const ReleaseState& release);
Expected<ReleaseState> ReleaseFromJson(const Json& json);

}  // namespace rollguard::release
