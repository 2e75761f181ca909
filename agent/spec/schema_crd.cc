// SPDX-License-Identifier: Apache-2.0
// The CustomResourceDefinitions, written from the loader's own schema. What the API server lets in
// is then exactly what the loader reads, as far as a structural schema without CEL can say it; the
// rest (exactly one strategy, what a router can do) is the loader's.
#include "agent/base/text.h"
#include "agent/spec/guard.h"
#include "agent/spec/schema.h"

namespace rollguard::spec {
namespace {

constexpr std::string_view kDurationPattern = R"(^(0|([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h|d|w))+)$)";

std::string Indent(size_t depth) { return std::string(depth * 2, ' '); }

void Line(std::string& out, size_t depth, std::string_view text) {
  out += StrCat(Indent(depth), text, "\n");
}

void Describe(const Schema& schema, size_t depth, std::string& out) {
  if (!schema.description.empty())
    Line(out, depth, StrCat("description: ", Quote(schema.description)));
}

void AddBounds(const Schema& schema, size_t depth, std::string& out) {
  if (schema.min) Line(out, depth, StrCat("minimum: ", FormatNumber(*schema.min)));
  if (schema.max) Line(out, depth, StrCat("maximum: ", FormatNumber(*schema.max)));
}

void AddWords(const Schema& schema, size_t depth, std::string& out) {
  if (schema.one_of.empty()) return;
  Line(out, depth, "enum:");
  for (const std::string& word : schema.one_of) Line(out, depth, StrCat("- ", Quote(word)));
}

void Write(const Schema& schema, size_t depth, std::string& out);

void AddFields(const Schema& schema, size_t depth, std::string& out) {
  std::vector<std::string> required;
  for (const auto& [key, field] : schema.fields) {
    if (field.required) required.push_back(key);
  }
  if (!required.empty()) {
    Line(out, depth, "required:");
    for (const std::string& key : required) Line(out, depth, "- " + key);
  }
  if (schema.fields.empty()) return;
  Line(out, depth, "properties:");
  for (const auto& [key, field] : schema.fields) {
    Line(out, depth + 1, key + ":");
    Write(field, depth + 2, out);
  }
}

void Write(const Schema& schema, size_t depth, std::string& out) {
  Describe(schema, depth, out);
  switch (schema.type) {
    case Schema::Type::kObject:
      Line(out, depth, "type: object");
      AddFields(schema, depth, out);
      return;
    case Schema::Type::kList:
      Line(out, depth, "type: array");
      Line(out, depth, "items:");
      Write(schema.item.front(), depth + 1, out);
      return;
    case Schema::Type::kMap:
      Line(out, depth, "type: object");
      Line(out, depth, "additionalProperties: {type: string}");
      return;
    case Schema::Type::kString:
      Line(out, depth, "type: string");
      AddWords(schema, depth, out);
      return;
    case Schema::Type::kInteger:
      Line(out, depth, "type: integer");
      Line(out, depth, "format: int64");
      AddBounds(schema, depth, out);
      return;
    case Schema::Type::kNumber:
      Line(out, depth, "type: number");
      AddBounds(schema, depth, out);
      return;
    case Schema::Type::kBool: Line(out, depth, "type: boolean"); return;
    case Schema::Type::kDuration:
      Line(out, depth, "type: string");
      Line(out, depth, StrCat("pattern: \"", kDurationPattern, "\""));
      return;
    case Schema::Type::kIntOrString: Line(out, depth, "x-kubernetes-int-or-string: true"); return;
    case Schema::Type::kStringOrObject:
      Line(out, depth, "x-kubernetes-preserve-unknown-fields: true");
      return;
    case Schema::Type::kAny:
      Line(out, depth, "type: object");
      Line(out, depth, "x-kubernetes-preserve-unknown-fields: true");
      return;
  }
}

struct Column {
  std::string_view name;
  std::string_view type;
  std::string_view path;
  std::string_view description;
  bool wide = false;
};

struct Names {
  std::string_view kind;
  std::string_view plural;
  std::string_view singular;
  std::string_view short_name;
  bool in_all = false;
};

// The release engine writes it; its fields may grow without a new CRD.
constexpr std::string_view kGuardStatus =
    R"(description: What the agent knows and does. Written by the agent alone.
type: object
x-kubernetes-preserve-unknown-fields: true
properties:
  phase:
    description: "Where the guard is: Idle, Pending, Progressing, Baking, RollingBack, ..."
    type: string
  stable:
    description: The revision that holds production.
    type: string
  candidate:
    description: The revision that is being released.
    type: string
  reason:
    description: Why it is there, in a few words.
    type: string
  score:
    description: The candidate's health score, 0 to 1.
    x-kubernetes-preserve-unknown-fields: true
  observedGeneration:
    description: The generation of the spec this status is about.
    type: integer
    format: int64
  release:
    description: The release that is running.
    type: object
    x-kubernetes-preserve-unknown-fields: true
  quarantine:
    description: Revisions that were rejected and are not released again.
    type: array
    items:
      type: object
      x-kubernetes-preserve-unknown-fields: true
  decisions:
    description: The latest decisions with their reasons, newest last.
    type: array
    items:
      type: object
      x-kubernetes-preserve-unknown-fields: true
  conditions:
    description: Ready, RollbackReady, Paused, Blind, Conflict, Drift, OlderState.
    type: array
    items:
      type: object
      x-kubernetes-preserve-unknown-fields: true
)";

constexpr std::string_view kPlainStatus = R"(description: Written by the agent alone.
type: object
x-kubernetes-preserve-unknown-fields: true
)";

void AddColumns(const std::vector<Column>& columns, std::string& out) {
  Line(out, 2, "additionalPrinterColumns:");
  for (const Column& column : columns) {
    Line(out, 2, StrCat("- name: ", column.name));
    Line(out, 3, StrCat("type: ", column.type));
    Line(out, 3, StrCat("jsonPath: ", column.path));
    if (!column.description.empty())
      Line(out, 3, StrCat("description: ", Quote(column.description)));
    if (column.wide) Line(out, 3, "priority: 1");
  }
}

std::string Crd(const Names& names, const std::vector<Column>& columns, Schema spec,
                std::string_view description, std::string_view status) {
  std::string out =
      "# Written by `rollguard schema crd` from the loader's own schema; do not edit.\n";
  out += "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n";
  Line(out, 1, StrCat("name: ", names.plural, ".", kGroup));
  Line(out, 0, "spec:");
  Line(out, 1, StrCat("group: ", kGroup));
  Line(out, 1, "scope: Namespaced");
  Line(out, 1, "names:");
  Line(out, 2, StrCat("kind: ", names.kind));
  Line(out, 2, StrCat("listKind: ", names.kind, "List"));
  Line(out, 2, StrCat("plural: ", names.plural));
  Line(out, 2, StrCat("singular: ", names.singular));
  Line(out, 2, StrCat("shortNames: [", names.short_name, "]"));
  Line(out, 2, StrCat("categories: [", names.in_all ? "all, " : "", "rollguard]"));
  Line(out, 1, "versions:");
  Line(out, 1, "- name: v1alpha1");
  Line(out, 2, "served: true");
  Line(out, 2, "storage: true");
  Line(out, 2, "subresources:");
  Line(out, 3, "status: {}");
  AddColumns(columns, out);
  Line(out, 2, "schema:");
  Line(out, 3, "openAPIV3Schema:");
  Line(out, 4, StrCat("description: ", Quote(description)));
  Line(out, 4, "type: object");
  Line(out, 4, "required:");
  Line(out, 4, "- spec");
  Line(out, 4, "properties:");
  for (std::string_view key : {"apiVersion", "kind"}) {
    Line(out, 5, StrCat(key, ":"));
    Line(out, 6, "type: string");
  }
  Line(out, 5, "metadata:");
  Line(out, 6, "type: object");
  Line(out, 5, "spec:");
  Write(spec, 6, out);
  Line(out, 5, "status:");
  for (std::string_view line : Split(status, '\n')) {
    if (!line.empty()) Line(out, 6, line);
  }
  return out;
}

}  // namespace

std::string GuardCrd() {
  Schema spec = GuardSchema();
  spec.description = "What is watched, how it is released, what takes it back.";
  return Crd({"Guard", "guards", "guard", "grd", true},
             {{"Phase", "string", ".status.phase", "Where the guard is."},
              {"Step", "string", ".status.release.step", "The running release's step."},
              {"Weight", "string", ".status.release.weight", "The candidate's share of traffic."},
              {"Score", "string", ".status.score", "The candidate's health score."},
              {"Age", "date", ".metadata.creationTimestamp", ""},
              {"Reason", "string", ".status.reason", "Why it is there."},
              {"Stable", "string", ".status.stable", "The revision in production.", true},
              {"Candidate", "string", ".status.candidate", "The revision being released.", true}},
             std::move(spec),
             "A Guard watches every new revision of a workload, releases it step by step and takes "
             "it back when it is bad.",
             kGuardStatus);
}

std::string RollbackRulesCrd() {
  Schema spec = RollbackRulesSchema();
  spec.description = "Rule groups, as in rule files.";
  return Crd({"RollbackRules", "rollbackrules", "rollbackrules", "rbr", false},
             {{"Groups", "string", ".spec.groups[*].name", "Names of the groups."},
              {"Age", "date", ".metadata.creationTimestamp", ""}},
             std::move(spec),
             "RollbackRules hold rule groups that guards of the namespace refer to.", kPlainStatus);
}

}  // namespace rollguard::spec
