// SPDX-License-Identifier: Apache-2.0
// The charts of a release from what the history kept of it. Pure.
#pragma once

#include <string>
#include <vector>

#include "agent/base/json.h"
#include "agent/ports/history.h"

namespace rollguard::api {

// SeriesSet without marks, from rows that app::Measurements wrote, oldest first.
Json KeptSeries(const std::string& release, const std::vector<MeasurementRow>& rows);

}  // namespace rollguard::api
