// SPDX-License-Identifier: Apache-2.0
// How the paths of a Projection are read: one tree that decoders walk beside the document.
//
// A path is keys joined by dots; a key that holds dots stands in brackets, and arrays are passed
// through: "metadata.managedFields", "spec.template.spec.containers.env",
// "metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]".
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/json.h"
#include "agent/ports/cluster.h"

namespace rollguard {

// Immutable once built; may be read from any thread.
class ProjectionTree {
 public:
  ProjectionTree() = default;
  explicit ProjectionTree(const Projection& projection);

  bool dropped() const { return drop_; }
  bool empty() const { return children_.empty() && !drop_; }
  // The subtree for a member, or nullptr when nothing below it is dropped. An array hands its own
  // tree on to each item.
  const ProjectionTree* Child(std::string_view key) const;

 private:
  bool drop_ = false;
  std::map<std::string, ProjectionTree, std::less<>> children_;
};

// The keys of a path, e.g. {"metadata", "annotations", "a.b/c"}.
std::vector<std::string> SplitProjectionPath(std::string_view path);

// Removes what is dropped from an object that is already in memory.
void ApplyProjection(Json& object, const ProjectionTree& tree);

}  // namespace rollguard
