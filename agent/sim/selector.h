// SPDX-License-Identifier: Apache-2.0
// Label and field selectors: the text of `?labelSelector=`, `spec.selector` objects and plain maps.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/expected.h"
#include "agent/base/json.h"
#include "agent/ports/cluster.h"

namespace rollguard::sim {

// A conjunction of requirements on labels. The empty selector matches everything.
class LabelSelector {
 public:
  // "a=b,c!=d,e in (f,g),h notin (i),j,!k"
  static Expected<LabelSelector> Parse(std::string_view text);
  // {matchLabels: {...}, matchExpressions: [...]}
  static Expected<LabelSelector> FromObject(const Json& selector);
  // A plain map, as in Service and ReplicationController selectors.
  static LabelSelector FromMap(const Json& labels);

  bool Matches(const Json& labels) const;
  bool empty() const { return requirements_.empty(); }

 private:
  enum class Op { kIn, kNotIn, kExists, kAbsent };
  struct Requirement {
    std::string key;
    Op op;
    std::vector<std::string> values;
  };
  static Expected<Requirement> ParseOne(std::string_view text);
  std::vector<Requirement> requirements_;
};

// "metadata.name=x,status.phase!=Running": any scalar path of the object.
class FieldSelector {
 public:
  static Expected<FieldSelector> Parse(std::string_view text);
  bool Matches(const Json& object) const;
  bool empty() const { return terms_.empty(); }
  // The first path that objects of that kind cannot be selected by; empty when all can.
  std::string Unsupported(const ResourceType& type, bool custom) const;

 private:
  struct Term {
    std::vector<std::string> path;
    std::string value;
    bool equal;
  };
  std::vector<Term> terms_;
};

}  // namespace rollguard::sim
