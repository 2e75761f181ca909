// SPDX-License-Identifier: Apache-2.0
// Templates outside a cluster: what one or several files hold, run together.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "agent/analysis/run.h"
#include "agent/spec/load.h"

namespace rollguard::analysis {

// The templates that no other one of the library includes, or the one called `name`. When they all
// include each other in a circle, the first.
std::vector<spec::TemplateRef> RootTemplates(const spec::Library& library, std::string_view name);

// The options of a run of those templates. `library` must outlive them.
RunOptions OfflineOptions(const spec::Library& library, std::string_view name,
                          const std::vector<std::pair<std::string, std::string>>& args);

}  // namespace rollguard::analysis
