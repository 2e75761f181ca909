// SPDX-License-Identifier: Apache-2.0
// How typed specs are read from trees. A reading function names each key once, with its type, its
// bounds and one sentence of description; from that one place come reading, every error with its
// position and "did you mean", and the schema (schema.h). Private to agent/spec.
//
// A key whose value is null counts as absent, as Kubernetes has it. A value that is wrong is
// reported and leaves the output as it was.
#pragma once

#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/base/diagnostic.h"
#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/base/time.h"
#include "agent/spec/schema.h"
#include "agent/spec/values.h"
#include "agent/yaml/yaml.h"

namespace rollguard::spec {

// What all readers of one document share.
struct Context {
  std::string_view file;
  Diagnostics& diagnostics;
  bool placeholders = false;  // scalars with {{...}} are not judged (templates before substitution)
  bool partial = false;       // a fragment that is merged into something else: nothing is required

  void Error(SourceSpan span, std::string message) {
    diagnostics.Error(file, span, std::move(message));
  }
  void Warning(SourceSpan span, std::string message) {
    diagnostics.Warning(file, span, std::move(message));
  }
};

inline constexpr double kNoBound = std::numeric_limits<double>::infinity();

template <class T>
using Words = std::span<const std::pair<std::string_view, T>>;

// "a string", "the number 5", "a list": what a node is, for messages.
std::string Describe(const yaml::Node& node);

// The keys of one mapping. Destroying it reports the keys nobody asked for.
class Object {
 public:
  Object(Context& context, const yaml::Node& node, SourceSpan span);
  // Describing instead of reading: `schema` gets a field for each key.
  Object(Context& context, Schema& schema);
  ~Object();
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  Context& context() { return context_; }
  const yaml::Node& node() const { return node_; }
  SourceSpan span() const { return span_; }
  bool describing() const { return schema_ != nullptr; }
  bool Has(std::string_view key) const;  // present and not null
  SourceSpan KeySpan(std::string_view key) const;
  SourceSpan ValueSpan(std::string_view key) const;
  void Error(std::string_view key, std::string message);  // at the key's value
  void AllowUnknown() { allow_unknown_ = true; }

  // What is needed. Each reports what is missing.
  void Require(std::string_view key);
  // Exactly one of `keys`; `what` names the thing in messages ("a strategy").
  void RequireOne(std::string_view what, std::initializer_list<std::string_view> keys);
  void AtMostOne(std::initializer_list<std::string_view> keys);

  // Each reads one key and returns whether there was a good value.
  bool Str(std::string_view key, std::string& out, std::string_view description);
  // A string, or a number as text: `status: 200`.
  bool Text(std::string_view key, std::string& out, std::string_view description);
  bool Texts(std::string_view key, std::vector<std::string>& out, std::string_view description);
  bool Name(std::string_view key, std::string& out, std::string_view description);
  bool Int(std::string_view key, int64_t& out, std::string_view description, double min = -kNoBound,
           double max = kNoBound);
  bool OptInt(std::string_view key, std::optional<int64_t>& out, std::string_view description,
              double min = -kNoBound, double max = kNoBound);
  // As Int, also from a string: IntOrString of Argo's templates.
  bool LooseInt(std::string_view key, int64_t& out, std::string_view description,
                double min = -kNoBound);
  bool Num(std::string_view key, double& out, std::string_view description, double min = -kNoBound,
           double max = kNoBound);
  bool OptNum(std::string_view key, std::optional<double>& out, std::string_view description,
              double min = -kNoBound, double max = kNoBound);
  bool Share(std::string_view key, double& out, std::string_view description);
  bool OptShare(std::string_view key, std::optional<double>& out, std::string_view description);
  bool Bool(std::string_view key, bool& out, std::string_view description);
  bool Dur(std::string_view key, Duration& out, std::string_view description,
           Duration min = Duration(0));
  bool OptDur(std::string_view key, std::optional<Duration>& out, std::string_view description,
              Duration min = Duration(0));
  bool Percent(std::string_view key, std::optional<IntOrPercent>& out,
               std::string_view description);
  bool Map(std::string_view key, StringMap& out, std::string_view description);
  bool Strings(std::string_view key, std::vector<std::string>& out, std::string_view description);
  bool Ints(std::string_view key, std::vector<int64_t>& out, std::string_view description,
            double min, double max);
  bool Any(std::string_view key, Json& out, std::string_view description);
  bool Ref(std::string_view key, ObjectRef& out, std::string_view description);
  bool Promql(std::string_view key, Query& out, std::string_view description);
  bool Expression(std::string_view key, Condition& out, std::string_view description);
  bool Matchers(std::string_view key, std::vector<Matcher>& out, std::string_view description);
  bool Url(std::string_view key, std::string& out, std::string_view description);
  bool Regex(std::string_view key, std::string& out, std::string_view description);
  // The node as it is; not looked into.
  bool Raw(std::string_view key, yaml::Node& out, std::string_view description);
  // Known, and of no interest.
  void Ignore(std::string_view key);

  template <class T>
  bool Enum(std::string_view key, T& out, std::type_identity_t<Words<T>> words,
            std::string_view description) {
    std::vector<std::string_view> names;
    if (describing() || Has(key)) {
      for (const auto& [name, value] : words) names.push_back(name);
    }
    std::optional<size_t> at = Choice(key, names, description);
    if (at) out = words[*at].second;
    if (describing()) {
      for (const auto& [name, value] : words)
        if (value == out) SetInitial(std::string(name));
    }
    return at.has_value();
  }

  // A mapping under `key`: `read(Object&)`.
  template <class Read>
  bool Obj(std::string_view key, std::string_view description, Read read) {
    if (describing()) {
      Schema& field = AddField(key, Schema::Type::kObject, description);
      Object inner(context_, field);
      read(inner);
      return false;
    }
    const yaml::Node* found = TakeMapping(key);
    if (!found) return false;
    Object inner(context_, *found, KeySpan(key));
    read(inner);
    return true;
  }

  // A string under `key`, or a mapping.
  template <class ReadText, class ReadObject>
  bool TextOrObj(std::string_view key, std::string_view description, ReadText read_text,
                 ReadObject read_object) {
    if (describing()) {
      Schema& field = AddField(key, Schema::Type::kStringOrObject, description);
      Object inner(context_, field);
      read_object(inner);
      return false;
    }
    const yaml::Node* found = Take(key);
    if (!found) return false;
    if (found->is_mapping()) {
      Object inner(context_, *found, KeySpan(key));
      read_object(inner);
    } else if (found->is_string()) {
      read_text(*found);
    } else {
      Error(key, StrCat(Quote(key), " must be a string or a mapping, not ", Describe(*found)));
      return false;
    }
    return true;
  }

  // A list of mappings under `key`: `read(Object&)` for each.
  template <class Read>
  bool List(std::string_view key, std::string_view description, Read read) {
    if (describing()) {
      Schema& field = AddField(key, Schema::Type::kList, description);
      field.item.emplace_back();
      Object inner(context_, field.item[0]);
      read(inner);
      return false;
    }
    const yaml::Node* found = TakeList(key);
    if (!found) return false;
    for (const yaml::Node& item : found->items) {
      if (!CheckItem(key, item, true)) continue;
      Object inner(context_, item, item.span);
      read(inner);
    }
    return true;
  }

  // A list whose items are strings or mappings.
  template <class ReadText, class ReadObject>
  bool MixedList(std::string_view key, std::string_view description, ReadText read_text,
                 ReadObject read_object) {
    if (describing()) {
      Schema& field = AddField(key, Schema::Type::kList, description);
      field.item.emplace_back();
      field.item[0].type = Schema::Type::kStringOrObject;
      Object inner(context_, field.item[0]);
      read_object(inner);
      return false;
    }
    const yaml::Node* found = TakeList(key);
    if (!found) return false;
    for (const yaml::Node& item : found->items) {
      if (item.is_string()) {
        read_text(item);
      } else if (CheckItem(key, item, true)) {
        Object inner(context_, item, item.span);
        read_object(inner);
      }
    }
    return true;
  }

 private:
  const yaml::Node* Take(std::string_view key);
  const yaml::Node* TakeMapping(std::string_view key);
  const yaml::Node* TakeList(std::string_view key);
  // The same for a list of such scalars; null too while describing.
  const yaml::Node* TakeScalars(std::string_view key, Schema::Type item,
                                std::string_view description, std::optional<double> min = {},
                                std::optional<double> max = {});
  bool CheckItem(std::string_view key, const yaml::Node& item, bool mapping);
  Schema& AddField(std::string_view key, Schema::Type type, std::string_view description);
  // Of the field added last.
  void SetInitial(std::string text) { schema_->fields.back().schema.initial = std::move(text); }
  // Take for scalars: null when absent, of the wrong kind (reported), or a placeholder.
  const yaml::Node* TakeScalar(std::string_view key, std::string_view wanted);
  const yaml::Node* TakeString(std::string_view key);
  std::optional<size_t> Choice(std::string_view key, std::span<const std::string_view> words,
                               std::string_view description);
  std::optional<double> Number(std::string_view key, bool integer, bool loose, double min,
                               double max);
  std::optional<Duration> ReadDuration(std::string_view key, Duration min);

  Context& context_;
  const yaml::Node& node_;
  SourceSpan span_;
  Schema* schema_ = nullptr;
  bool allow_unknown_ = false;
  std::vector<std::string_view> known_;
};

// Checks that several readers share. All report at `at`.
void CheckRegex(Context& context, const yaml::Node& at, std::string_view text);
bool CheckDnsName(Context& context, SourceSpan at, std::string_view key, std::string_view text);
void CheckUrl(Context& context, SourceSpan at, std::string_view key, std::string_view text);
// A database's URL; `instead`: the key to name the secret with.
void CheckNoPassword(Context& context, SourceSpan at, std::string_view url,
                     std::string_view instead);
// A problem of a line that holds a secret, which is not shown.
void SecretError(Context& context, SourceSpan at, std::string message);
// Parses PromQL with its variables left open and reports problems inside `node`.
void CheckPromql(Context& context, const yaml::Node& node, Query& out);
void CheckExpression(Context& context, const yaml::Node& node, Condition& out);
// {{ ... }} must be closed.
void CheckTemplateText(Context& context, const yaml::Node& node);

}  // namespace rollguard::spec
