// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "agent/base/text.h"
#include "agent/cli/surroundings.h"

namespace rollguard::cli {
namespace {

// The bytes of the character or colour sequence that begins at `at`.
size_t PieceAt(std::string_view text, size_t at) {
  if (text[at] == '\x1b') {
    const size_t end = text.find('m', at);
    return end == std::string_view::npos ? text.size() - at : end - at + 1;
  }
  size_t end = at + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) ++end;
  return end - at;
}

}  // namespace

bool Colours() {
  return isatty(STDOUT_FILENO) == 1 && EnvironmentVariable("NO_COLOR").empty() &&
         EnvironmentVariable("TERM") != "dumb";
}

size_t ScreenWidth() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) return size.ws_col;
  return static_cast<size_t>(ParseInt(EnvironmentVariable("COLUMNS")).value_or(100));
}

std::string Paint(std::string_view text, Tone tone, bool colours) {
  static constexpr const char* kCodes[] = {"", "32", "33", "31", "2", "1"};
  const char* code = kCodes[static_cast<size_t>(tone)];
  if (!colours || *code == 0) return std::string(text);
  return StrCat("\x1b[", code, "m", text, "\x1b[0m");
}

size_t Width(std::string_view text) {
  size_t width = 0;
  for (size_t at = 0; at < text.size(); at += PieceAt(text, at))
    width += text[at] == '\x1b' ? 0 : 1;
  return width;
}

std::string Fit(std::string_view text, size_t width) {
  if (Width(text) <= width) return std::string(text);
  std::string out;
  size_t used = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t piece = PieceAt(text, at);
    const bool colour = text[at] == '\x1b';
    if (!colour && used + 1 >= width) break;
    out.append(text.substr(at, piece));
    used += colour ? 0 : 1;
    at += piece;
  }
  if (width > 0) out += "…";
  if (text.find('\x1b') != std::string_view::npos) out += "\x1b[0m";
  return out;
}

std::string Bar(double share, size_t width) {
  const double bounded = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0.0;
  const auto full = static_cast<size_t>(std::lround(bounded * static_cast<double>(width)));
  std::string out;
  for (size_t i = 0; i < width; ++i) out += i < full ? "█" : "░";
  return out;
}

Tone ToneOf(std::string_view state) {
  if (state == "problem" || state == "rolledBack" || state == "rollingBack" || state == "held")
    return Tone::kBad;
  if (state == "waiting" || state == "paused" || state == "blocked" || state == "verifying" ||
      state == "suspended")
    return Tone::kWarn;
  if (state == "stable") return Tone::kGood;
  return Tone::kStrong;
}

std::string Table::Text(size_t width) const {
  std::vector<size_t> widths(rows_[0].size(), 0);
  for (const auto& row : rows_)
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], Width(row[c]));
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      line += row[c];
      if (c + 1 < row.size()) line.append(widths[c] - Width(row[c]) + 3, ' ');
    }
    const size_t end = line.find_last_not_of(' ');
    line.resize(end == std::string::npos ? 0 : end + 1);
    out += StrCat(width > 0 ? Fit(line, width) : line, "\n");
  }
  return out;
}

}  // namespace rollguard::cli
