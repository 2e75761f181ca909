// SPDX-License-Identifier: Apache-2.0
// The template language of annotations, as much of Prometheus' as people use:
//   {{ $value | humanizePercentage }}   {{ $labels.pod }}   {{ printf "%.2f" $value }}
//   {{ if gt $value 0.5 }}..{{ else if ..}}..{{ else }}..{{ end }}   {{ range $k, $v := $labels
//   }}..{{ end }}
// Functions: humanize humanize1024 humanizePercentage humanizeDuration humanizeTimestamp printf
// print toUpper toLower title len index eq ne lt le gt ge and or not; {{- and -}} trim; {{/*
// comments */}}.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/expected.h"
#include "agent/spec/values.h"

namespace rollguard::analysis {

struct TemplateData {
  double value = 0;
  spec::StringMap labels;
  spec::StringMap vars{};             // further variables, "$guard" under "guard"
  spec::StringMap external_labels{};  // $externalLabels: the server's own
};

// Bounded: 64 KiB of output, nesting 20.
Expected<std::string> RenderTemplate(std::string_view text, const TemplateData& data);

std::string Humanize(double value);
std::string Humanize1024(double value);
std::string HumanizePercentage(double value);
std::string HumanizeDuration(double seconds);

}  // namespace rollguard::analysis
