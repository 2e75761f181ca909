// SPDX-License-Identifier: Apache-2.0
#include "agent/spec/schema.h"

#include "agent/spec/readers.h"

namespace rollguard::spec {
namespace {

template <class T>
Schema Of(void (*read)(Object&, T&)) {
  Schema schema;
  Diagnostics unused;
  Context context{"", unused};
  T value;
  {
    Object o(context, schema);
    read(o, value);
  }
  return schema;
}

}  // namespace

const Schema* Schema::Field(const std::string& name) const {
  for (const auto& [key, field] : fields) {
    if (key == name) return &field;
  }
  return nullptr;
}

Schema GuardSchema() { return Of(ReadGuardSpec); }
Schema RollbackRulesSchema() { return Of(ReadRuleGroups); }
Schema RollbackPolicySchema() { return Of(ReadRollbackPolicy); }
Schema ReleaseStrategySchema() { return Of(ReadReleaseStrategy); }
Schema AgentConfigSchema() { return Of(ReadAgentConfig); }
Schema MetricSchema() { return Of(ReadMetric); }

namespace {

const char* TypeWord(const Schema& schema) {
  switch (schema.type) {
    case Schema::Type::kObject: return "object";
    case Schema::Type::kList: return "list";
    case Schema::Type::kMap: return "map of strings";
    case Schema::Type::kString: return "string";
    case Schema::Type::kInteger: return "integer";
    case Schema::Type::kNumber: return "number";
    case Schema::Type::kBool: return "boolean";
    case Schema::Type::kDuration: return "duration";
    case Schema::Type::kIntOrString: return "number or string";
    case Schema::Type::kStringOrObject: return "string or object";
    case Schema::Type::kAny: return "object";
  }
  return "object";
}

void AddRows(const Schema& schema, const std::string& path, std::string& out) {
  for (const auto& [key, field] : schema.fields) {
    std::string name = path.empty() ? key : path + "." + key;
    std::string type = TypeWord(field);
    const Schema* inner = &field;
    if (!field.item.empty()) {
      inner = &field.item[0];
      name += "[]";
      type = StrCat("list of ", inner->type == Schema::Type::kObject   ? "objects"
                                : inner->type == Schema::Type::kString ? "strings"
                                                                       : "strings or objects");
    }
    std::string words;
    for (const std::string& word : field.one_of)
      words += (words.empty() ? " `" : ", `") + word + "`";
    std::string text = ReplaceAll(field.description, "|", "\\|");
    out += StrCat("| `", name, "`", field.required ? " *" : "", " | ", type,
                  words.empty() ? "" : ":" + words, " | ", text, " |\n");
    AddRows(*inner, name, out);
  }
}

}  // namespace

std::string ReferenceTable(const Schema& schema) {
  std::string out = "| key | type | what |\n| --- | --- | --- |\n";
  AddRows(schema, "", out);
  return out;
}

}  // namespace rollguard::spec
