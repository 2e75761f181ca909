// SPDX-License-Identifier: Apache-2.0
// Where a bucket's query is cut: what is asked, and what is evaluated per member.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/promql/fold_class.h"

namespace rollguard::promql::internal {

// One asked part. `query` is what the first member asks; `keys` are the bucket's keys that it
// carries (none: the same for every member).
struct Leaf {
  std::string text;  // blanked, with the keys' names: equal texts are one request
  Query query;
  std::vector<std::string> keys;
  std::vector<bool> visible;
  std::string buckets;  // histogram_quantile(constant, V): V's blanked text
};

// A text in `local` that holds a key's value: absent() names it in its answer.
struct KeyText {
  NodeId node = kNoNode;
  size_t key = 0;  // of the bucket's keys
};

struct Cut {
  bool foldable = false;  // false: ask each member's query as it is written
  Query local;            // placeholder i is leaf i
  std::vector<Leaf> leaves;
  std::vector<KeyText> key_texts;
};

// `peel(text)`: whether histogram_quantile over bucket vectors of this text is evaluated here,
// because several quantiles share the vector.
Cut CutQuery(const Query& query, const std::vector<std::string>& keys,
             const std::function<bool(const std::string& text)>& peel);

}  // namespace rollguard::promql::internal
