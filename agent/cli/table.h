// SPDX-License-Identifier: Apache-2.0
// Aligned columns, colours and bars for people; plain text in a pipe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rollguard::cli {

enum class Tone { kPlain, kGood, kWarn, kBad, kDim, kStrong };

// Whether the standard output is a terminal that takes colours (and NO_COLOR is not set).
bool Colours();
// Columns of the terminal; 100 in a pipe.
size_t ScreenWidth();

// `text` in a colour when `colours`.
std::string Paint(std::string_view text, Tone tone, bool colours);
// Characters as they stand on a screen: UTF-8 counted once, colours not at all.
size_t Width(std::string_view text);
// At most `width` characters, an ellipsis in place of what is cut.
std::string Fit(std::string_view text, size_t width);
// "█████░░░░░" for a share of 0..1.
std::string Bar(double share, size_t width);
// The tone a guard's state is shown in.
Tone ToneOf(std::string_view state);

class Table {
 public:
  explicit Table(std::vector<std::string> heads) : rows_{std::move(heads)} {}
  void Add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  size_t rows() const { return rows_.size() - 1; }
  // The last column is cut at `width`; 0: never.
  std::string Text(size_t width) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace rollguard::cli
