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
  std::string initial;                   // what holds when the key is absent; "": nothing, or said
                                         // in the description
  std::vector<std::string> exactly_one;  // keys of an object of which one is needed
  std::vector<std::string> one_of;       // allowed words of a string
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

// A Markdown table of every field: "| `path` | type | what |".
std::string ReferenceTable(const Schema& schema);

// Sections for a reference page, one for each object that has more than a few keys; what is the
// same in several places stands once and is linked. `title` heads the first.
std::string ReferenceSections(const Schema& schema, const std::string& title);

}  // namespace rollguard::spec
