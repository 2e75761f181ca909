// SPDX-License-Identifier: Apache-2.0
// Any bytes through the YAML loader: no crash, and every position lies inside the text.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/yaml/yaml.h"

namespace {

void Check(const rollguard::yaml::Node& node) {
  if (node.kind == rollguard::yaml::Kind::kScalar) {
    for (size_t offset :
         {size_t{0}, node.text.size() / 2, node.text.size(), node.text.size() + 9}) {
      rollguard::SourceSpan span = rollguard::yaml::SpanInside(node, offset, 3);
      if (span.line == 0 || span.column == 0 || span.length == 0) std::abort();
    }
    node.AsBool();
    node.AsInt();
    node.AsDouble();
  }
  for (const auto& item : node.items) Check(item);
  for (const auto& entry : node.entries) Check(entry.value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  rollguard::Diagnostics diagnostics;
  rollguard::yaml::Limits limits;
  limits.max_nodes = 100'000;
  for (const auto& root : rollguard::yaml::Parse("f", text, diagnostics, limits)) {
    Check(root);
    rollguard::yaml::ToJson(root).Dump();
  }
  for (const auto& d : diagnostics.Sorted()) Render(d, text);
  return 0;
}
