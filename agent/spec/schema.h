// SPDX-License-Identifier: Apache-2.0
// What the loader accepts, as data. It is produced by the very functions that read (reader.h): the
// Kubernetes CRDs and the reference pages are written from it, so they cannot drift.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace rollguard::spec {

struct SchemaField;

struct Schema {
  enum class Type {
    kObject,
    kList,
    kMap,  // string to string
    kString,
    kInteger,
    kNumber,
    kBool,
    kDuration,
    kIntOrString,
    kStringOrObject,
    kAny,  // anything Kubernetes has a schema for elsewhere (a Job's spec)
  };
  Type type = Type::kObject;
  std::string description;
  bool required = false;
  std::vector<std::string> one_of;  // allowed words of a string
  std::optional<double> min;
  std::optional<double> max;
  std::vector<SchemaField> fields;  // of an object, in the order of reading
  std::vector<Schema> item;         // of a list: exactly one

  const Schema* Field(const std::string& name) const;
};

// One key of an object.
struct SchemaField {
  std::string key;
  Schema schema;
};

// The schema of a document's `spec`.
Schema GuardSchema();
Schema RollbackRulesSchema();
Schema RollbackPolicySchema();
Schema ReleaseStrategySchema();
Schema AgentConfigSchema();  // of the whole document
Schema MetricSchema();       // one metric of an AnalysisTemplate

// The complete CustomResourceDefinition as YAML, ending with a newline.
std::string GuardCrd();
std::string RollbackRulesCrd();

// A Markdown table of every field, for the reference pages: "| `path` | type | what |".
std::string ReferenceTable(const Schema& schema);

}  // namespace rollguard::spec
