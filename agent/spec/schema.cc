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

}  // namespace rollguard::spec
