// SPDX-License-Identifier: Apache-2.0
// Server-side apply and the record of who owns which field (metadata.managedFields).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/json.h"
#include "agent/base/time.h"
#include "agent/sim/lists.h"

namespace rollguard::sim {

struct FieldWriter {
  std::string manager;
  std::string api_version;
  std::string subresource;
  Time now;
};

struct ApplyConflict {
  std::string manager;  // who owns the field now
  std::string field;    // ".spec.replicas"
};

struct ApplyResult {
  Json object;                           // live with the configuration applied
  std::vector<ApplyConflict> conflicts;  // not empty: refused (never with `force`)
};

// Applies `config` to `live` (null: the object is created). Fields this manager applied before and
// leaves out now are removed unless somebody else owns them too.
ApplyResult ServerSideApply(const Json& live, const Json& config, const FieldWriter& writer,
                            bool force, const SchemaPosition& root);

// Records that an ordinary write turned `before` (null: created) into `after`.
void TrackUpdate(const Json& before, Json& after, const FieldWriter& writer,
                 const SchemaPosition& root);

// Whether some manager owns fields of the object by applying them.
bool HasAppliers(const Json& object);

}  // namespace rollguard::sim
