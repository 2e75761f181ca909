// SPDX-License-Identifier: Apache-2.0
// A member is known when this version, had it written what it reads in the stored status, would
// have written it: so there is no second list of names to keep.
#include "agent/release/status_patch.h"

#include "agent/base/json_patch.h"
#include "agent/release/state.h"

namespace rollguard::release {
namespace {

// Written beside the state, by whoever decides on the guard.
bool WrittenBesides(std::string_view key) { return key == "owner" || key == "inbox"; }

// Takes removals out of `patch` that are about members which `known` does not have.
void KeepUnknown(Json& patch, const Json& known, bool top) {
  Json::Object kept;
  for (auto& [key, value] : patch.members()) {
    const Json* mine = known.Find(key);
    if (value.is_null() && mine == nullptr && !(top && WrittenBesides(key))) continue;
    if (value.is_object() && mine != nullptr && mine->is_object()) {
      KeepUnknown(value, *mine, false);
      if (value.size() == 0) continue;
    }
    kept.push_back({std::move(key), std::move(value)});
  }
  patch = Json(std::move(kept));
}

}  // namespace

Json StatusPatch(const Json& stored, const Json& wanted) {
  Json patch = MakeMergePatch(stored.is_object() ? stored : Json::Obj(), wanted);
  auto state = StateFromJson(stored);
  if (!state) return patch;
  Json known = ToJson(*state);
  // Another release has nothing of the one before.
  const Json& id = stored.At("release", "id");
  if (!(id == wanted.At("release", "id")) && stored.At("release").is_object())
    known.Set("release", stored.At("release"));
  KeepUnknown(patch, known, true);
  return patch;
}

}  // namespace rollguard::release
