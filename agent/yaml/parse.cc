// SPDX-License-Identifier: Apache-2.0
// Builds the tree from yaml-cpp's events. Events, not its own tree: aliases come as they are
// written, so expanding them is ours to bound; duplicate keys and marks are seen; and nothing is
// built twice. The builder stops yaml-cpp by throwing Refused, which never leaves this file.
#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <streambuf>
#include <unordered_map>
#include <unordered_set>

#include "agent/base/text.h"
#include "agent/yaml/source_map.h"
#include "agent/yaml/text_checks.h"
#include "agent/yaml/yaml.h"

namespace rollguard::yaml {
namespace {

constexpr size_t kLinearKeys = 12;  // mappings up to this size are searched without a set

constexpr size_t kMaxDuplicates = 100;  // then reading stops

struct Refused {};

class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // only read
    setg(begin, begin, begin + text.size());
  }
};

// A collection that is still open, with the anchor it will be known by.
struct Open {
  Node node;
  YAML::anchor_t anchor = 0;
  bool has_key = false;
  std::string key;
  SourceSpan key_span;
  std::unordered_set<std::string> keys;  // once there are many
  size_t nodes_before = 0;
  size_t bytes_before = 0;
};

struct Anchored {
  bool open = true;  // still being read: an alias to it is a self reference
  Node node;
  size_t nodes = 0;
  size_t bytes = 0;
};

class Builder : public YAML::EventHandler {
 public:
  Builder(std::string_view file, SourceMap& map, Diagnostics& diagnostics, const Limits& limits)
      : file_(file), map_(map), diagnostics_(diagnostics), limits_(limits) {}

  std::vector<Node> TakeDocuments() { return std::move(documents_); }

  void OnDocumentStart(const YAML::Mark&) override {
    stack_.clear();
    anchors_.clear();
    root_line_ = 0;
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node;
    size_t offset = Place(mark);
    // The words null and ~ have a text of their own; an absent value stands where its key does.
    std::string_view word = map_.text().substr(std::min(offset, map_.text().size()), 4);
    if (!word.empty() && word[0] == '~') word = word.substr(0, 1);
    if (EqualsIgnoreCase(word, "null") || word == "~") {
      node.kind = Kind::kScalar;
      node.text = std::string(word);
      node.span = map_.At(offset, word.size());
    } else {
      node.span = stack_.empty()          ? map_.At(offset)
                  : stack_.back().has_key ? stack_.back().key_span
                                          : Inside(mark);
    }
    Charge(node.span, 1, 0);
    Complete(std::move(node), anchor, 1, 0);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    SourceSpan span = map_.At(Place(mark));
    auto found = anchors_.find(anchor);
    if (found == anchors_.end() || found->second.open)
      Refuse(span, "an alias refers to the value it stands in");
    const Anchored& anchored = found->second;
    Charge(span, anchored.nodes, anchored.bytes);
    if (stack_.size() + Depth(anchored.node) > limits_.max_depth) RefuseDepth(span);
    Complete(anchored.node, 0, anchored.nodes, anchored.bytes);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node;
    node.kind = Kind::kScalar;
    size_t offset = map_.SkipProperties(Place(mark));
    char first = offset < map_.text().size() ? map_.text()[offset] : '\0';
    bool quoted = tag != "?" && std::string_view("'\"|>").find(first) != std::string_view::npos;
    node.style = quoted ? Style::kDoubleQuoted : Style::kPlain;
    node.text = value;
    if (!LocateScalar(map_, offset, node)) Refuse(node.span, "the quote is never closed");
    node.type = TypeOf(node, tag, quoted);
    Charge(node.span, 1, value.size());
    Complete(std::move(node), anchor, 1, value.size());
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Start(Kind::kSequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { End(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Start(Kind::kMapping, mark, tag, anchor);
  }
  void OnMapEnd() override { End(); }

 private:
  size_t Place(const YAML::Mark& mark) {
    if (mark.line < 0 || mark.column < 0) return map_.text().size();
    return map_.Offset(static_cast<size_t>(mark.line), static_cast<size_t>(mark.column));
  }

  // For marks that may lie past their line: the start of the enclosing collection instead.
  SourceSpan Inside(const YAML::Mark& mark) {
    SourceSpan span = map_.At(Place(mark));
    return span.line == static_cast<uint32_t>(mark.line + 1) ? span : stack_.back().node.span;
  }

  [[noreturn]] void Refuse(SourceSpan span, std::string message) {
    diagnostics_.Error(file_, span, std::move(message));
    throw Refused{};
  }
  [[noreturn]] void RefuseDepth(SourceSpan span) {
    Refuse(span, StrCat("nested more than ", limits_.max_depth, " levels deep"));
  }

  void Charge(SourceSpan span, size_t nodes, size_t bytes) {
    nodes_ += nodes;
    bytes_ += bytes;
    if (nodes_ > limits_.max_nodes)
      Refuse(span, StrCat("more than ", limits_.max_nodes, " values after aliases are expanded"));
    if (bytes_ > 2 * limits_.max_bytes)
      Refuse(span, StrCat("more than ", 2 * limits_.max_bytes,
                          " bytes of text after aliases are expanded"));
  }

  static size_t Depth(const Node& node) {
    size_t deepest = 0;
    for (const Node& item : node.items) deepest = std::max(deepest, Depth(item));
    for (const Entry& entry : node.entries) deepest = std::max(deepest, Depth(entry.value));
    return deepest + 1;
  }

  ScalarType TypeOf(const Node& node, const std::string& tag, bool quoted) {
    constexpr std::string_view kCore = "tag:yaml.org,2002:";
    if (tag == "?" || tag.empty()) return ResolvePlain(node.text);
    if (tag == "!") return quoted ? ScalarType::kString : ResolvePlain(node.text);
    std::string_view name = tag;
    if (name.substr(0, kCore.size()) == kCore) {
      name.remove_prefix(kCore.size());
      if (name == "str") return ScalarType::kString;
      ScalarType type = ResolvePlain(node.text);
      if (name == ToString(type)) return type;
      if (name == "float" && type == ScalarType::kInt) return ScalarType::kFloat;
    }
    Refuse(node.span, StrCat("the tag ", Quote(tag), " is not supported here"));
  }

  void Start(Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    SourceSpan span = map_.At(map_.SkipProperties(Place(mark)));
    if (stack_.size() >= limits_.max_depth) RefuseDepth(span);
    if (!tag.empty() && tag != "?" && tag != "!" && tag != "tag:yaml.org,2002:map" &&
        tag != "tag:yaml.org,2002:seq")
      Refuse(span, StrCat("the tag ", Quote(tag), " is not supported here"));
    if (!stack_.empty() && stack_.back().node.is_mapping() && !stack_.back().has_key)
      Refuse(span, "a key must be a single word or a quoted string");
    Charge(span, 1, 0);
    CheckRoot(span);
    if (anchor) anchors_[anchor] = Anchored{};
    Open open;
    open.node.kind = kind;
    open.node.span = span;
    open.anchor = anchor;
    open.nodes_before = nodes_ - 1;
    open.bytes_before = bytes_;
    stack_.push_back(std::move(open));
  }

  void End() {
    Open open = std::move(stack_.back());
    stack_.pop_back();
    Complete(std::move(open.node), open.anchor, nodes_ - open.nodes_before,
             bytes_ - open.bytes_before);
  }

  // A node is whole: remember it under its anchor and hand it to what it stands in.
  void Complete(Node node, YAML::anchor_t anchor, size_t nodes, size_t bytes) {
    if (anchor) {
      Charge(node.span, nodes, bytes);  // the copy that is kept
      anchors_[anchor] = Anchored{false, node, nodes, bytes};
    }
    if (stack_.empty()) {
      CheckRoot(node.span);
      if (!node.is_null()) documents_.push_back(std::move(node));
      return;
    }
    Open& parent = stack_.back();
    last_line_ = std::max(last_line_, node.span.line);
    if (parent.node.is_sequence()) {
      parent.node.items.push_back(std::move(node));
    } else if (parent.has_key) {
      parent.has_key = false;
      parent.node.entries.push_back({std::move(parent.key), parent.key_span, std::move(node)});
    } else {
      TakeKey(parent, std::move(node));
    }
  }

  void TakeKey(Open& parent, Node key) {
    if (key.kind != Kind::kScalar || key.type == ScalarType::kNull)
      Refuse(key.span, "a key must be a single word or a quoted string");
    if (key.text == "<<" && key.style == Style::kPlain)
      Refuse(key.span, "merge keys (<<) are not supported; write the fields out");
    if (parent.node.entries.empty()) parent.node.span = key.span;
    if (!IsNewKey(parent, key.text)) {
      diagnostics_.Error(file_, key.span,
                         StrCat("the key ", Quote(Abbreviate(key.text, 80)), " is there twice"));
      if (++duplicates_ >= kMaxDuplicates) throw Refused{};
    }
    parent.has_key = true;
    parent.key = std::move(key.text);
    parent.key_span = key.span;
  }

  static bool IsNewKey(Open& parent, const std::string& key) {
    const auto& entries = parent.node.entries;
    if (entries.size() < kLinearKeys) return parent.node.FindEntry(key) == nullptr;
    if (parent.keys.empty()) {
      for (const Entry& entry : entries) parent.keys.insert(entry.key);
    }
    return parent.keys.insert(key).second;
  }

  // yaml-cpp takes content behind the root for another document, markers or not.
  void CheckRoot(SourceSpan span) {
    if (!stack_.empty() || root_line_ != 0) return;
    root_line_ = span.line;
    // Behind an end marker it may also stand where it is and find documents without end.
    bool stuck = span.line == last_root_.line && span.column == last_root_.column;
    if (++roots_ > 1 && (stuck || !MarkerBetween(last_line_, span.line)))
      Refuse(span, "content after the end of the document (a new document begins with ---)");
    last_line_ = std::max(last_line_, span.line);
    last_root_ = span;
  }

  bool MarkerBetween(uint32_t after, uint32_t up_to) const {
    for (uint32_t line = after; line <= up_to; ++line) {
      std::string_view text = map_.text().substr(map_.Offset(line > 0 ? line - 1 : 0, 0), 3);
      if (text == "---" || text == "...") return true;
    }
    return false;
  }

  std::string_view file_;
  SourceMap& map_;
  Diagnostics& diagnostics_;
  const Limits& limits_;
  std::vector<Node> documents_;
  std::vector<Open> stack_;
  std::unordered_map<YAML::anchor_t, Anchored> anchors_;
  size_t nodes_ = 0;
  size_t bytes_ = 0;
  size_t roots_ = 0;
  size_t duplicates_ = 0;
  uint32_t root_line_ = 0;
  uint32_t last_line_ = 0;
  SourceSpan last_root_;
};

// What yaml-cpp says, in words that help.
void ReportSyntax(std::string_view file, SourceMap& map, const YAML::ParserException& e,
                  Diagnostics& diagnostics) {
  size_t line = e.mark.line < 0 ? 0 : static_cast<size_t>(e.mark.line);
  size_t column = e.mark.column < 0 ? 0 : static_cast<size_t>(e.mark.column);
  size_t start = map.Offset(line, 0);
  std::string_view text = map.text().substr(start);
  text = text.substr(0, text.find('\n'));
  size_t tab = text.find_first_not_of(' ');
  if (tab != std::string_view::npos && text[tab] == '\t') {
    diagnostics.Error(file, map.At(start + tab), "a tab cannot indent YAML; use spaces");
    return;
  }
  std::string message = e.msg;
  if (!message.empty() && message[0] >= 'A' && message[0] <= 'Z')
    message[0] = static_cast<char>(message[0] - 'A' + 'a');
  if (message.rfind("invalid unicode", 0) == 0) message = "not a character: half of a \\u pair";
  if (message == "end of map not found" || message == "end of sequence not found")
    message += " (is this line indented as its neighbours are?)";
  if (message == "illegal map value")
    message += " (a value that holds \": \" must be quoted, and keys of one mapping must align)";
  size_t offset = map.Offset(line, std::min(column, text.size()));
  diagnostics.Error(file, map.At(offset), std::move(message));
}

void ParseInto(std::string_view file, SourceMap& map, Builder& builder, Diagnostics& diagnostics) {
  ViewBuffer buffer(map.text());
  std::istream stream(&buffer);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refused&) {
    return;  // already told
  } catch (const YAML::ParserException& e) {
    ReportSyntax(file, map, e, diagnostics);
  } catch (const std::exception& e) {
    diagnostics.Error(file, {}, StrCat("cannot be read as YAML: ", e.what()));
  }
}

}  // namespace

std::vector<Node> Parse(std::string_view file, std::string_view text, Diagnostics& diagnostics,
                        const Limits& limits) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.substr(0, 3) == kByteOrderMark) text.remove_prefix(3);
  if (!CheckText(file, text, diagnostics, limits)) return {};
  std::string joined;
  if (LooksLikeJson(text) && text.find("\\u") != std::string_view::npos) {
    joined = JoinSurrogates(text);
    text = joined;
  }
  SourceMap map(text);
  Builder builder(file, map, diagnostics, limits);
  ParseInto(file, map, builder, diagnostics);
  return builder.TakeDocuments();
}

}  // namespace rollguard::yaml
