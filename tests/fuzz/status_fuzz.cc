// SPDX-License-Identifier: Apache-2.0
// What stands in a Guard's status, and records of decisions that somebody hands in: read or
// refused; what is read is written as itself, and a replay ends.
#include <cstdlib>
#include <string_view>

#include "agent/base/json_patch.h"
#include "agent/release/replay.h"
#include "agent/release/state.h"
#include "agent/release/status_patch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rollguard;
  auto json = ParseJson(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!json) return 0;
  if (auto state = release::StateFromJson(*json)) {
    const Json written = release::ToJson(*state);
    auto again = release::StateFromJson(written);
    if (!again || !(release::ToJson(*again) == written)) std::abort();
    Json patched = *json;
    ApplyMergePatch(patched, release::StatusPatch(*json, written));
    if (!release::StateFromJson(patched)) std::abort();
  }
  (void)release::DecisionFromJson(*json);
  (void)release::Replay(*json);
  return 0;
}
