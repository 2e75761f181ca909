// SPDX-License-Identifier: Apache-2.0
// Times read by Go's layouts: the reference time Mon Jan 2 15:04:05 MST 2006 written as the text
// is. Private to agent/expr.
#pragma once

#include <optional>
#include <string_view>

#include "agent/base/time.h"

namespace rollguard::expr {

// "UTC" or a fixed offset, "+01:00"; nothing for other zones, whose rules are not known here.
std::optional<Duration> ParseZone(std::string_view zone);

// Nothing when the text does not fit the layout or is no date. A text without a zone is in `zone`
// (minutes east of UTC). Abbreviations of zones count as UTC, as they do in Go elsewhere.
std::optional<Time> ParseLayout(std::string_view layout, std::string_view text, Duration zone);

// Without a layout: dates, times, both, RFC 3339, 822, 850 and 1123.
std::optional<Time> ParseAnyDate(std::string_view text);

}  // namespace rollguard::expr
