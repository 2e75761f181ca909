// SPDX-License-Identifier: Apache-2.0
// RFC 7386 merge patches, RFC 6902 JSON patches and RFC 6901 pointers over Json values.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/json.h"

namespace rollguard {

// Applies an RFC 7386 merge patch in place: null removes, objects merge, everything else replaces.
void ApplyMergePatch(Json& target, const Json& patch);

// The merge patch that turns `from` into `to` (null when a member is gone). Empty object when
// equal.
Json MakeMergePatch(const Json& from, const Json& to);

// Applies an RFC 6902 patch (add remove replace move copy test). All or nothing: on error `target`
// is unchanged.
Status ApplyJsonPatch(Json& target, const Json& patch);

// "/spec/http/0/route"; nullptr when it points nowhere.
const Json* ResolvePointer(const Json& root, std::string_view pointer);
std::string EscapePointerToken(std::string_view token);

}  // namespace rollguard
