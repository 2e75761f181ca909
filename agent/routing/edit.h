// SPDX-License-Identifier: Apache-2.0
// How an owner's object is changed and given back: minimal patches, and the memo of what was there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/expected.h"
#include "agent/base/json.h"
#include "agent/routing/routing.h"

namespace rollguard::routing {

// The RFC 6902 operations that turn `from` into `to`, as small as is easy: lists of one length are
// compared item by item, others are replaced whole.
Json DiffPatch(const Json& from, const Json& to);

// Appends a patch when `desired` differs from `current`; its first operation pins the
// resourceVersion.
void AppendPatch(const ObjectId& id, const Json& current, const Json& desired,
                 std::vector<Change>& out);
void AppendCreate(const ObjectId& id, Json body, std::vector<Change>& out);
void AppendDelete(const ObjectId& id, const Json& current, std::vector<Change>& out);

// The owner's content that was put away in the annotation; null when there is none.
Json ReadMemo(const Json& object);
void WriteMemo(Json& object, const Json& memo);
void DropMemo(Json& object);

// True when everything in `part` is in `whole` too: for objects the server has added defaults to.
bool Contains(const Json& whole, const Json& part);

// True when the object carries our label for this guard: we created it.
bool CreatedFor(const Json& object, std::string_view guard);

// The metadata of an object we create for `tracks.guard`.
Json NewMetadata(const ObjectId& id, const Tracks& tracks);

Error NotThere(const ObjectId& id);

}  // namespace rollguard::routing
