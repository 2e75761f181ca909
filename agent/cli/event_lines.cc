// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/event_lines.h"

namespace rollguard::cli {
namespace {

// The value of "field: value", with or without the space.
std::string_view ValueOf(std::string_view line, size_t colon) {
  std::string_view value = line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  return value;
}

}  // namespace

std::vector<RemoteEvent> EventLines::Take(std::string_view bytes) {
  std::vector<RemoteEvent> out;
  rest_.append(bytes);
  size_t from = 0;
  for (size_t end; (end = rest_.find('\n', from)) != std::string::npos; from = end + 1) {
    std::string_view line = std::string_view(rest_).substr(from, end - from);
    if (line.ends_with('\r')) line.remove_suffix(1);
    Line(line, out);
  }
  rest_.erase(0, from);
  return out;
}

void EventLines::Line(std::string_view line, std::vector<RemoteEvent>& out) {
  if (line.empty()) {
    auto data = ParseJson(data_);
    if (data) {
      open_.data = std::move(*data);
      out.push_back(std::move(open_));
    }
    open_ = {};
    data_.clear();
    return;
  }
  const size_t colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos) return;
  const std::string_view field = line.substr(0, colon);
  const std::string_view value = ValueOf(line, colon);
  if (field == "id") open_.id = value;
  if (field == "event") open_.type = value;
  if (field == "data") {
    if (!data_.empty()) data_ += '\n';
    data_ += value;
  }
}

}  // namespace rollguard::cli
