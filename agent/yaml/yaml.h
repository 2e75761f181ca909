// SPDX-License-Identifier: Apache-2.0
// YAML (and JSON, which is YAML) text as a tree of values with positions. Everything hostile or
// ambiguous is refused here, so that what reads the tree need not fear it: duplicate keys, merge
// keys (`<<`), content after the root, alias bombs and self references, deep nesting, NUL, invalid
// UTF-8, and files beyond the limits. Time and memory are bounded by the limits, not by the text.
//
// A Node owns everything it shows; it does not refer to the text it was read from. Nodes are plain
// values: copying is deep, reading from several threads is safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/diagnostic.h"
#include "agent/base/json.h"

namespace rollguard::yaml {

enum class Kind : uint8_t { kNull, kScalar, kMapping, kSequence };

enum class Style : uint8_t { kPlain, kSingleQuoted, kDoubleQuoted, kLiteral, kFolded };

// What a scalar means. Plain scalars follow the rules by which Kubernetes reads manifests
// (YAML 1.1 as Go's yaml.v2 has it): `yes no on off y n` are booleans, `017` and `0x10` integers,
// `~` and nothing are null, dates are strings. Quoted and block scalars are always strings.
enum class ScalarType : uint8_t { kNull, kBool, kInt, kFloat, kString };

const char* ToString(ScalarType type);

struct Entry;

// One value. `kNull` is an absent value (`key:` with nothing behind it); its span is the key's.
// The words `null` and `~` are scalars whose type is kNull; use is_null() to treat all alike.
struct Node {
  Kind kind = Kind::kNull;
  Style style = Style::kPlain;
  ScalarType type = ScalarType::kNull;  // of a scalar
  SourceSpan span;                      // line 0 when the node did not come from a file
  std::string text;            // of a scalar: raw for plain ones, unescaped for quoted ones
  std::vector<Entry> entries;  // of a mapping, in the order written; keys are unique
  std::vector<Node> items;     // of a sequence

  bool is_null() const {
    return kind == Kind::kNull || (kind == Kind::kScalar && type == ScalarType::kNull);
  }
  bool is_scalar() const { return kind == Kind::kScalar && type != ScalarType::kNull; }
  bool is_string() const { return kind == Kind::kScalar && type == ScalarType::kString; }
  bool is_mapping() const { return kind == Kind::kMapping; }
  bool is_sequence() const { return kind == Kind::kSequence; }

  // The value under `key`; nullptr when absent or when this is no mapping.
  const Node* Find(std::string_view key) const;
  const Entry* FindEntry(std::string_view key) const;

  // A scalar's value in its type, when it has that type (an integer also reads as a double).
  std::optional<bool> AsBool() const;
  std::optional<int64_t> AsInt() const;
  std::optional<double> AsDouble() const;

  // Where text[offset] stands in the file; see SpanInside.
  struct Piece {
    uint32_t offset;
    uint32_t line;
    uint32_t column;
  };
  std::vector<Piece> pieces;  // ascending offsets; empty: the text stands at `span` in one piece
};

struct Entry {
  std::string key;
  SourceSpan key_span;
  Node value;
};

// The place of `length` bytes at `offset` of a scalar's text, in any style: literal and folded
// blocks, quoted strings with escapes, plain text over several lines. Cut at the line's end.
// For a node that did not come from a file, the node's own span.
SourceSpan SpanInside(const Node& node, size_t offset, size_t length);

struct Limits {
  size_t max_bytes = 16U << 20;
  size_t max_nodes = 500'000;  // after aliases are expanded
  size_t max_depth = 64;
};

// Every document of `text`, without empty ones. Problems go to `diagnostics` under the name `file`;
// documents before the first problem of syntax are returned all the same. Never throws.
std::vector<Node> Parse(std::string_view file, std::string_view text, Diagnostics& diagnostics,
                        const Limits& limits = {});

// The same tree from a JSON value, without positions.
Node FromJson(const Json& json);

// The tree as Kubernetes would see it. NaN and infinities become strings; keys are taken as
// written, whatever type they would have as a value.
Json ToJson(const Node& node);

// How YAML resolves a plain scalar.
ScalarType ResolvePlain(std::string_view text);

}  // namespace rollguard::yaml
