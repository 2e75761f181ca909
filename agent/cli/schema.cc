// SPDX-License-Identifier: Apache-2.0
// `rollguard schema`: what the loader accepts, for Kubernetes and for the reference pages.
#include "agent/spec/schema.h"

#include <cstdio>
#include <string>

#include "agent/base/diagnostic.h"
#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/manual.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kHelp =
    R"(usage: rollguard schema crd|reference|page KIND

Prints what the loader accepts, written from the code that reads it.

  rollguard schema crd guard            the CustomResourceDefinition of Guard
  rollguard schema crd rollbackrules    ... of RollbackRules
  rollguard schema reference KIND       a Markdown table of every key; KIND is guard, rollbackrules,
                                        rollbackpolicy, releasestrategy, agentconfig or metric
  rollguard schema page PAGE            a whole reference page: guard, rules or configuration
                                        (docs/guard.md, docs/rule-reference.md,
                                        docs/configuration.md)

example:
  rollguard schema crd guard | kubectl apply -f -
)";

int Usage(const std::string& problem) {
  std::fprintf(stderr, "rollguard schema: %s (see rollguard schema --help)\n", problem.c_str());
  return kUsage;
}

int Print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  return kOk;
}

int Run(std::span<const std::string_view> args) {
  if (args.size() != 2) return Usage("say what and of which kind");
  std::string kind = ToLower(args[1]);
  if (args[0] == "crd") {
    if (kind == "guard") return Print(spec::GuardCrd());
    if (kind == "rollbackrules") return Print(spec::RollbackRulesCrd());
    return Usage(StrCat("there is no CRD of ", Quote(args[1]),
                        Suggestion(kind, {"guard", "rollbackrules"})));
  }
  if (args[0] == "page") {
    if (kind == "guard") return Print(GuardPage());
    if (kind == "rules") return Print(RulesPage());
    if (kind == "configuration") return Print(ConfigurationPage());
    return Usage(StrCat("there is no page of ", Quote(args[1]),
                        Suggestion(kind, {"guard", "rules", "configuration"})));
  }
  if (args[0] != "reference")
    return Usage(
        StrCat("unknown word ", Quote(args[0]), Suggestion(args[0], {"crd", "reference", "page"})));
  if (kind == "guard") return Print(ReferenceTable(spec::GuardSchema()));
  if (kind == "rollbackrules") return Print(ReferenceTable(spec::RollbackRulesSchema()));
  if (kind == "rollbackpolicy") return Print(ReferenceTable(spec::RollbackPolicySchema()));
  if (kind == "releasestrategy") return Print(ReferenceTable(spec::ReleaseStrategySchema()));
  if (kind == "agentconfig") return Print(ReferenceTable(spec::AgentConfigSchema()));
  if (kind == "metric") return Print(ReferenceTable(spec::MetricSchema()));
  return Usage(StrCat("unknown kind ", Quote(args[1])));
}

}  // namespace

extern const Command kSchemaCommand;
const Command kSchemaCommand = {"schema", "print CRDs and reference tables", kHelp, Run};

}  // namespace rollguard::cli
