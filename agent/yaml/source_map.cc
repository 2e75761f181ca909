// SPDX-License-Identifier: Apache-2.0
// Where a scalar's text stands is found by walking the source and the text side by side: in both,
// the characters that are not blank come in the same order, and only blanks, indentation and
// escapes differ. A new piece begins wherever the distance between the two changes. Literal blocks
// need one piece only: each line of text is a line of the source at the same indentation.
#include "agent/yaml/source_map.h"

#include <algorithm>

namespace rollguard::yaml {
namespace {

constexpr size_t kMaxPieces = 4096;

bool StartsCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }
bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

uint32_t CountCharacters(std::string_view text) {
  return static_cast<uint32_t>(std::count_if(text.begin(), text.end(), StartsCharacter));
}

size_t CharacterBytes(std::string_view text, size_t at) {
  size_t end = at + 1;
  while (end < text.size() && !StartsCharacter(text[end])) ++end;
  return end - at;
}

size_t EscapeBytes(char kind) {
  switch (kind) {
    case 'x': return 4;
    case 'u': return 6;
    case 'U': return 10;
    default: return 2;
  }
}

// The source while it is walked, with line and column kept along.
class Walker {
 public:
  Walker(std::string_view text, size_t offset, SourceSpan start)
      : text_(text), offset_(offset), line_(start.line), column_(start.column) {}

  bool done() const { return offset_ >= text_.size(); }
  char peek(size_t ahead = 0) const {
    return offset_ + ahead < text_.size() ? text_[offset_ + ahead] : '\0';
  }
  size_t offset() const { return offset_; }
  uint32_t line() const { return line_; }
  uint32_t column() const { return column_; }

  void Advance(size_t bytes = 1) {
    for (; bytes > 0 && !done(); --bytes, ++offset_) {
      if (text_[offset_] == '\n') {
        ++line_;
        column_ = 1;
      } else if (StartsCharacter(text_[offset_])) {
        ++column_;
      }
    }
    while (!done() && !StartsCharacter(text_[offset_])) ++offset_;
  }
  void SkipBlanks() {
    while (!done() && IsBlank(text_[offset_])) Advance();
  }

 private:
  std::string_view text_;
  size_t offset_;
  uint32_t line_;
  uint32_t column_;
};

// Records that text[offset] stands where `at` is, when that does not follow from the last piece.
void AddPiece(Node& node, size_t offset, const Walker& at, bool& broken) {
  if (!broken || node.pieces.size() >= kMaxPieces) return;
  node.pieces.push_back({static_cast<uint32_t>(offset), at.line(), at.column()});
  broken = false;
}

void AlignText(Walker source, Node& node) {
  const std::string_view text = node.text;
  bool broken = true;
  size_t at = 0;
  while (at < text.size() && !source.done()) {
    if (node.style == Style::kDoubleQuoted && source.peek() == '\\') {
      if (source.peek(1) == '\n' || source.peek(1) == '\r') {  // a line that goes on
        source.Advance();
        source.SkipBlanks();
        broken = true;
        continue;
      }
      broken = true;
      AddPiece(node, at, source, broken);
      source.Advance(EscapeBytes(source.peek(1)));
      at += CharacterBytes(text, at);
      broken = true;
      continue;
    }
    if (IsBlank(source.peek()) || IsBlank(text[at])) {
      size_t before_text = at;
      size_t before_source = source.offset();
      uint32_t before_line = source.line();
      while (at < text.size() && IsBlank(text[at])) ++at;
      source.SkipBlanks();
      if (source.line() != before_line || at - before_text != source.offset() - before_source)
        broken = true;
      if (at == before_text && source.offset() == before_source) return;
      continue;
    }
    if (text[at] != source.peek()) return;  // cannot be; the pieces so far stay good
    AddPiece(node, at, source, broken);
    if (node.style == Style::kSingleQuoted && text[at] == '\'') {
      source.Advance(2);
      ++at;
      broken = true;
      continue;
    }
    size_t bytes = CharacterBytes(text, at);
    source.Advance();
    at += bytes;
  }
}

// The one piece of a literal block: the first line behind the indicator, at its indentation.
void LocateLiteral(SourceMap& map, size_t offset, Node& node) {
  std::string_view source = map.text();
  size_t line_end = source.find('\n', offset);
  if (line_end == std::string_view::npos) return;
  uint32_t first_line = node.span.line + 1;
  // Blanks in front of the first line that is not empty, in the source and in the text.
  size_t in_text = node.text.find_first_not_of('\n');
  if (in_text == std::string::npos) return;
  size_t line = line_end + 1;
  for (size_t i = 0; i < in_text; ++i) {
    size_t next = source.find('\n', line);
    if (next == std::string_view::npos) return;
    line = next + 1;
  }
  size_t source_blanks = 0;
  while (line + source_blanks < source.size() && source[line + source_blanks] == ' ')
    ++source_blanks;
  size_t text_blanks = 0;
  while (in_text + text_blanks < node.text.size() && node.text[in_text + text_blanks] == ' ')
    ++text_blanks;
  size_t indent = source_blanks >= text_blanks ? source_blanks - text_blanks : 0;
  node.pieces.push_back({0, first_line, static_cast<uint32_t>(indent + 1)});
}

Style StyleAt(std::string_view text, size_t offset) {
  switch (offset < text.size() ? text[offset] : '\0') {
    case '\'': return Style::kSingleQuoted;
    case '"': return Style::kDoubleQuoted;
    case '|': return Style::kLiteral;
    case '>': return Style::kFolded;
    default: return Style::kPlain;
  }
}

// The offset behind the quote that closes the one at `offset`, or npos.
size_t ClosingQuote(std::string_view source, size_t offset) {
  char quote = source[offset];
  for (size_t i = offset + 1; i < source.size(); ++i) {
    if (quote == '"' && source[i] == '\\') {
      ++i;
    } else if (source[i] == quote) {
      if (quote == '"' || i + 1 >= source.size() || source[i + 1] != quote) return i + 1;
      ++i;
    }
  }
  return std::string_view::npos;
}

}  // namespace

SourceMap::SourceMap(std::string_view text)
    : text_(text), ascii_(std::all_of(text.begin(), text.end(), [](char c) { return c >= 0; })) {
  line_starts_.push_back(0);
  for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
    line_starts_.push_back(at + 1);
}

size_t SourceMap::Offset(size_t line, size_t column) const {
  if (line >= line_starts_.size()) return text_.size();
  return std::min(line_starts_[line] + column, text_.size());
}

SourceSpan SourceMap::At(size_t offset, size_t length_bytes) {
  offset = std::min(offset, text_.size());
  if (offset < last_offset_) {
    auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
    last_line_ = static_cast<size_t>(after - line_starts_.begin()) - 1;
    last_offset_ = line_starts_[last_line_];
    last_column_ = 1;
  }
  while (last_line_ + 1 < line_starts_.size() && line_starts_[last_line_ + 1] <= offset) {
    last_offset_ = line_starts_[++last_line_];
    last_column_ = 1;
  }
  std::string_view between = text_.substr(last_offset_, offset - last_offset_);
  last_column_ += ascii_ ? static_cast<uint32_t>(between.size()) : CountCharacters(between);
  last_offset_ = offset;
  std::string_view shown = text_.substr(offset, length_bytes);
  shown = shown.substr(0, shown.find('\n'));
  uint32_t length = ascii_ ? static_cast<uint32_t>(shown.size()) : CountCharacters(shown);
  return {static_cast<uint32_t>(last_line_ + 1), last_column_, std::max<uint32_t>(1, length)};
}

size_t SourceMap::SkipProperties(size_t offset) const {
  while (offset < text_.size()) {
    char c = text_[offset];
    if (IsBlank(c)) {
      ++offset;
    } else if (c == '#') {
      offset = std::min(text_.find('\n', offset), text_.size());
    } else if (c == '&' || c == '!') {
      while (offset < text_.size() && !IsBlank(text_[offset]) && text_[offset] != ',') ++offset;
    } else {
      break;
    }
  }
  return offset;
}

bool LocateScalar(SourceMap& map, size_t offset, Node& node) {
  std::string_view source = map.text();
  bool quoted = node.style != Style::kPlain;  // set by the caller from the event
  node.style = quoted ? StyleAt(source, offset) : Style::kPlain;
  if (node.style == Style::kLiteral || node.style == Style::kFolded) {
    node.span = map.At(offset, 1);
    if (node.style == Style::kLiteral) {
      LocateLiteral(map, offset, node);
    } else {
      size_t body = std::min(source.find('\n', offset), source.size());
      size_t content = source.find_first_not_of(" \r\n", body);
      if (content != std::string_view::npos)
        AlignText(Walker(source, content, map.At(content)), node);
    }
    return true;
  }
  size_t inner = offset + (quoted ? 1 : 0);
  std::string_view same = source.substr(std::min(inner, source.size()), node.text.size());
  bool one_piece = same == node.text && node.text.find('\n') == std::string::npos;
  if (one_piece && (!quoted || (inner + same.size() < source.size() &&
                                source[inner + same.size()] == source[offset]))) {
    node.span = map.At(offset, node.text.size() + (quoted ? 2 : 0));
    return true;
  }
  size_t end = quoted ? ClosingQuote(source, offset) : offset + node.text.size();
  bool closed = end != std::string_view::npos;
  node.span = map.At(offset, closed ? end - offset : 1);
  SourceSpan start = node.span;
  if (quoted) ++start.column;
  if (closed) AlignText(Walker(source, inner, start), node);
  return closed;
}

SourceSpan SpanInside(const Node& node, size_t offset, size_t length) {
  if (node.span.line == 0) return node.span;
  const std::string_view text = node.text;
  // The end of a block is the end of its last line, not the beginning of what follows it.
  size_t end = text.find_last_not_of('\n') + 1;
  offset = std::min(offset, offset >= text.size() ? end : text.size());
  size_t from = 0;
  SourceSpan span = node.span;
  if (node.pieces.empty()) {
    if (node.style == Style::kFolded || node.style == Style::kLiteral) return node.span;
    if (node.style != Style::kPlain) ++span.column;
  } else {
    auto after = std::upper_bound(node.pieces.begin(), node.pieces.end(), offset,
                                  [](size_t o, const Node::Piece& p) { return o < p.offset; });
    const Node::Piece& piece = after == node.pieces.begin() ? *after : *(after - 1);
    from = std::min<size_t>(piece.offset, offset);
    span.line = piece.line;
    span.column = piece.column;
  }
  std::string_view between = text.substr(from, offset - from);
  if (node.style == Style::kLiteral) {
    span.line += static_cast<uint32_t>(std::count(between.begin(), between.end(), '\n'));
    size_t last = between.rfind('\n');
    if (last != std::string_view::npos) between.remove_prefix(last + 1);
  } else {
    between = between.substr(0, between.find('\n'));  // behind the last line: its end
  }
  span.column += CountCharacters(between);
  std::string_view shown = text.substr(offset, length);
  shown = shown.substr(0, shown.find('\n'));
  span.length = std::max<uint32_t>(1, CountCharacters(shown));
  return span;
}

}  // namespace rollguard::yaml
