// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/text_sink.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::sim {

SeriesRef TextSink::Series(const MetricLabels& labels) {
  MetricLabels sorted = labels;
  std::sort(sorted.begin(), sorted.end());
  std::string name, rest;
  for (const auto& [key, value] : sorted) {
    if (key == "__name__")
      name = value;
    else
      rest += StrCat(rest.empty() ? "{" : ",", key, "=", Quote(value));
  }
  std::string key = name + rest + (rest.empty() ? "" : "}");
  auto [it, added] = by_key_.emplace(key, series_.size());
  if (added) series_.push_back({key, 0, false});
  return it->second;
}

void TextSink::Append(SeriesRef series, Time, double value) {
  series_[series].value = value;
  series_[series].live = true;
}

void TextSink::End(SeriesRef series, Time) { series_[series].live = false; }

std::string TextSink::Page() const {
  std::string out;
  for (const auto& [key, ref] : by_key_) {
    if (series_[ref].live) out += StrCat(key, " ", FormatNumber(series_[ref].value), "\n");
  }
  return out;
}

}  // namespace rollguard::sim
