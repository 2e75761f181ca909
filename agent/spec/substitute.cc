// SPDX-License-Identifier: Apache-2.0
// {{args.NAME}} over a metric's tree. The new text gets pieces of its own, so that a problem found
// in it later is still shown where it was written (a substituted value at its placeholder).
#include "agent/base/text.h"
#include "agent/spec/analysis_template.h"

namespace rollguard::spec {
namespace {

class Substituter {
 public:
  Substituter(const ArgumentLookup& lookup, std::string_view file, Diagnostics& diagnostics)
      : lookup_(lookup), file_(file), diagnostics_(diagnostics) {}

  void Apply(yaml::Node& node) {
    if (node.kind == yaml::Kind::kScalar) return Replace(node);
    for (yaml::Node& item : node.items) Apply(item);
    for (yaml::Entry& entry : node.entries) Apply(entry.value);
  }

 private:
  void Replace(yaml::Node& node) {
    if (node.text.find("{{") == std::string::npos) return;
    yaml::Node out = node;
    out.text.clear();
    out.pieces.clear();
    size_t at = 0;
    bool changed = false;
    while (at < node.text.size()) {
      size_t open = node.text.find("{{", at);
      Copy(node, at, std::min(open, node.text.size()), out);
      if (open == std::string::npos) break;
      size_t close = node.text.find("}}", open);
      if (close == std::string::npos) {
        diagnostics_.Error(file_, yaml::SpanInside(node, open, 2), "{{ is never closed with }}");
        return;
      }
      at = close + 2;
      auto value = Value(std::string_view(node.text).substr(open + 2, close - open - 2));
      if (!value) {
        std::string shown = node.text.substr(open, at - open);
        diagnostics_.Error(file_, yaml::SpanInside(node, open, at - open),
                           StrCat("failed to resolve ", Abbreviate(shown, 80)));
        Copy(node, open, at, out);
        continue;
      }
      changed = true;
      AddPiece(node, open, out);
      out.text += *value;
    }
    if (!changed) return;
    out.style = yaml::Style::kDoubleQuoted;
    out.type = yaml::ScalarType::kString;
    node = std::move(out);
  }

  std::optional<std::string> Value(std::string_view inner) {
    constexpr std::string_view kPrefix = "args.";
    inner = Trim(inner);
    if (inner.substr(0, kPrefix.size()) != kPrefix) return std::nullopt;
    return lookup_(inner.substr(kPrefix.size()));
  }

  static void AddPiece(const yaml::Node& from, size_t offset, yaml::Node& out) {
    if (from.span.line == 0) return;
    SourceSpan span = yaml::SpanInside(from, offset, 1);
    out.pieces.push_back({static_cast<uint32_t>(out.text.size()), span.line, span.column});
  }

  // node.text[begin, end), with a piece at its start and at each line's.
  static void Copy(const yaml::Node& from, size_t begin, size_t end, yaml::Node& out) {
    while (begin < end) {
      size_t next = std::min(from.text.find('\n', begin), end);
      if (next < end) ++next;
      AddPiece(from, begin, out);
      out.text.append(from.text, begin, next - begin);
      begin = next;
    }
  }

  const ArgumentLookup& lookup_;
  std::string_view file_;
  Diagnostics& diagnostics_;
};

}  // namespace

yaml::Node Substitute(const yaml::Node& node, const ArgumentLookup& lookup, std::string_view file,
                      Diagnostics& diagnostics) {
  yaml::Node out = node;
  Substituter(lookup, file, diagnostics).Apply(out);
  return out;
}

}  // namespace rollguard::spec
