// SPDX-License-Identifier: Apache-2.0
// The small types that guards, rules and templates are made of. All are plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/base/diagnostic.h"
#include "agent/base/expected.h"
#include "agent/base/time.h"
#include "agent/expr/expr.h"
#include "agent/promql/ast.h"
#include "agent/yaml/yaml.h"

namespace rollguard::spec {

using StringMap = std::vector<std::pair<std::string, std::string>>;  // in the order written

// The value under `key`, or nullptr.
const std::string* FindIn(const StringMap& map, std::string_view key);

// Where a thing was written. For API objects `file` is "Kind namespace/name" and the line is 0.
struct Origin {
  std::string file;
  SourceSpan span;
};

// A number or a share: `3` or `25%` (maxSurge, replicas).
struct IntOrPercent {
  int64_t value = 0;
  bool percent = false;

  // Of `total`; a share is rounded up when `up`, else down.
  int64_t Of(int64_t total, bool up) const;
  friend bool operator==(const IntOrPercent&, const IntOrPercent&) = default;
};

// "3", "25%". Shares must be 0..100.
Expected<IntOrPercent> ParseIntOrPercent(std::string_view text);
// "50%" or "0.5" -> 0.5; "5" is refused as ambiguous unless it is 0 or 1. Result in 0..1.
Expected<double> ParseShare(std::string_view text);
std::string ToString(const IntOrPercent& value);

// What happens when a query has nothing to say.
enum class NoData { kHold, kPass, kFail };

// What a trigger asks for.
enum class TriggerAction { kRollback, kPause, kObserve };

// critical 1.0, high 0.8, medium 0.6, low 0.4: the weight in the confidence.
enum class RuleSeverity { kCritical, kHigh, kMedium, kLow };
double WeightOf(RuleSeverity severity);

const char* ToString(NoData value);
const char* ToString(TriggerAction value);
const char* ToString(RuleSeverity value);

// A PromQL expression as written, and parsed with its variables left open. `at` maps offsets in
// `text` back to the file (yaml::SpanInside).
struct Query {
  std::string text;
  promql::Query parsed;
  yaml::Node at;

  bool empty() const { return text.empty(); }
};

// A condition as written, and compiled.
struct Condition {
  std::string text;
  expr::Program program;
  yaml::Node at;

  bool empty() const { return text.empty(); }
};

// One Alertmanager matcher: name="v", name!="v", name=~"re", name!~"re". Regular expressions are
// anchored at both ends.
struct Matcher {
  enum class Op { kEqual, kNotEqual, kRegex, kNotRegex };
  std::string name;
  Op op = Op::kEqual;
  std::string value;
  friend bool operator==(const Matcher&, const Matcher&) = default;
};
Expected<Matcher> ParseMatcher(std::string_view text);
std::string ToString(const Matcher& matcher);

// How a request value is compared (headers, cookies, query parameters).
struct StringMatch {
  enum class Kind { kExact, kPrefix, kRegex };
  Kind kind = Kind::kExact;
  std::string value;
  friend bool operator==(const StringMatch&, const StringMatch&) = default;
};

// Labels that an object must carry (a Kubernetes label selector's matchLabels).
struct Selector {
  StringMap match_labels;
  bool empty() const { return match_labels.empty(); }
  bool Matches(const StringMap& labels) const;
};

// A key of a Secret, read when it is needed. Its value is never shown.
struct SecretKeyRef {
  std::string name;
  std::string key;
};

// namespace/name, or a bare name in the referring object's namespace.
struct ObjectRef {
  std::string ns;  // empty: the guard's own
  std::string name;
  friend bool operator==(const ObjectRef&, const ObjectRef&) = default;
};

}  // namespace rollguard::spec
