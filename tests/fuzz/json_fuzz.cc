// SPDX-License-Identifier: Apache-2.0
// JSON from anywhere: what is read prints and reads as itself; patches are exact and all or
// nothing.
#include <cstdlib>
#include <string_view>

#include "agent/base/json.h"
#include "agent/base/json_patch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rollguard;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto json = ParseJson(text);
  if (!json) return 0;
  auto again = ParseJson(json->Dump());
  if (!again || !(*again == *json)) std::abort();
  if (ParseJson(json->Canonical())->Canonical() != json->Canonical()) std::abort();
  // [from, to, patch]
  const Json& from = json->At(size_t{0});
  const Json& to = json->At(1);
  if (from.is_object() && to.is_object()) {
    // A merge patch cannot say that a member is null.
    Json clean = Json::Obj();
    ApplyMergePatch(clean, to);
    Json target = from;
    ApplyMergePatch(target, MakeMergePatch(from, clean));
    Json wanted = Json::Obj();
    ApplyMergePatch(wanted, clean);
    if (MakeMergePatch(target, clean).size() > 0 && from.Dump().find("null") == std::string::npos)
      std::abort();
  }
  Json target = from;
  if (!ApplyJsonPatch(target, json->At(2)) && !(target == from)) std::abort();
  (void)ResolvePointer(*json, json->At(3).Str());
  return 0;
}
