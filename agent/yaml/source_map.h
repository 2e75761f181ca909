// SPDX-License-Identifier: Apache-2.0
// From byte offsets of a text to lines and columns, and from the text of a scalar back to where its
// characters stand. Private to agent/yaml.
#pragma once

#include <string_view>
#include <vector>

#include "agent/yaml/yaml.h"

namespace rollguard::yaml {

// Refers to the text it was made from. Cheap when offsets are asked in ascending order.
class SourceMap {
 public:
  explicit SourceMap(std::string_view text);

  std::string_view text() const { return text_; }
  size_t line_count() const { return line_starts_.size(); }
  // The offset of byte `column` of `line` (both from 0), cut to the text.
  size_t Offset(size_t line, size_t column) const;
  // 1-based line and column, in characters.
  SourceSpan At(size_t offset, size_t length_bytes = 1);

  // Skips what may stand before a node's own text: anchors, tags, blanks, comments.
  size_t SkipProperties(size_t offset) const;

 private:
  std::string_view text_;
  bool ascii_;
  std::vector<size_t> line_starts_;
  // The last answer, from which the next one is counted.
  size_t last_offset_ = 0;
  size_t last_line_ = 0;
  uint32_t last_column_ = 1;
};

// Fills in style, span and pieces of a scalar whose text is set and whose source begins at
// `offset`. False when a quote is never closed (yaml-cpp takes that for the end of the text).
bool LocateScalar(SourceMap& map, size_t offset, Node& node);

}  // namespace rollguard::yaml
