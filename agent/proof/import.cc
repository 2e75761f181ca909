// SPDX-License-Identifier: Apache-2.0
#include "agent/proof/import.h"

#include <algorithm>

#include "agent/proof/import_source.h"

namespace rollguard::proof {
namespace {

void ImportOne(const yaml::Node& node, Imported& out) {
  const yaml::Node* version = node.Find("apiVersion");
  const yaml::Node* kind = node.Find("kind");
  if (version == nullptr || kind == nullptr) return;
  const yaml::Node* items = node.Find("items");
  // What kubectl prints of several objects.
  if (kind->text.ends_with("List") && items != nullptr)
    for (const yaml::Node& item : items->items) ImportOne(item, out);
  if (kind->text == "Rollout" && version->text.starts_with("argoproj.io/"))
    ImportRollout(node, out);
  if (kind->text == "Canary" && version->text.starts_with("flagger.app/")) ImportCanary(node, out);
}

}  // namespace

Imported Import(std::string_view file, std::string_view text, Diagnostics& diagnostics) {
  Imported out;
  for (const yaml::Node& node : yaml::Parse(file, text, diagnostics)) ImportOne(node, out);
  std::stable_sort(
      out.notes.begin(), out.notes.end(),
      [](const ImportNote& a, const ImportNote& b) { return a.span.line < b.span.line; });
  return out;
}

}  // namespace rollguard::proof
