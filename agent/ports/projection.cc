// SPDX-License-Identifier: Apache-2.0
#include "agent/ports/projection.h"

#include <algorithm>

namespace rollguard {

std::vector<std::string> SplitProjectionPath(std::string_view path) {
  std::vector<std::string> keys;
  std::string key;
  bool in_brackets = false;
  auto flush = [&] {
    if (!key.empty()) keys.push_back(std::exchange(key, {}));
  };
  for (char c : path) {
    if (in_brackets ? c == ']' : c == '[' || c == '.') {
      flush();
      in_brackets = c == '[';
    } else {
      key += c;
    }
  }
  flush();
  return keys;
}

ProjectionTree::ProjectionTree(const Projection& projection) {
  for (const std::string& path : projection.drop) {
    ProjectionTree* at = this;
    for (std::string& key : SplitProjectionPath(path)) at = &at->children_[std::move(key)];
    if (at != this) at->drop_ = true;
  }
}

const ProjectionTree* ProjectionTree::Child(std::string_view key) const {
  auto found = children_.find(key);
  return found != children_.end() ? &found->second : nullptr;
}

// The depth of the recursion is that of the tree's paths, which the program itself writes; arrays
// of arrays add no key and so are bounded by the parser's own depth.
void ApplyProjection(Json& object, const ProjectionTree& tree) {
  if (tree.empty()) return;
  if (object.is_array()) {
    for (Json& item : object.items()) ApplyProjection(item, tree);
    return;
  }
  if (!object.is_object()) return;
  std::erase_if(object.members(), [&](const Json::Member& member) {
    const ProjectionTree* child = tree.Child(member.first);
    return child != nullptr && child->dropped();
  });
  for (Json::Member& member : object.members()) {
    if (const ProjectionTree* child = tree.Child(member.first)) {
      ApplyProjection(member.second, *child);
    }
  }
}

}  // namespace rollguard
