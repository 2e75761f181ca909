// SPDX-License-Identifier: Apache-2.0
// Policies, named strategies and the matrix. Their content is kept as a tree and merged under a
// guard's own (resolve.cc); here it is read once to report what is wrong with it.
#include <algorithm>

#include "agent/spec/readers.h"

namespace rollguard::spec {
namespace {

// Keeps the keys of `from` that are in `keys`.
yaml::Node Pick(const yaml::Node& from, std::initializer_list<std::string_view> leave_out) {
  yaml::Node out;
  out.kind = yaml::Kind::kMapping;
  out.span = from.span;
  for (const yaml::Entry& entry : from.entries) {
    if (std::find(leave_out.begin(), leave_out.end(), entry.key) == leave_out.end())
      out.entries.push_back(entry);
  }
  return out;
}

}  // namespace

void ReadRollbackPolicy(Object& o, RollbackPolicy& out) {
  Guard unused;
  bool partial = o.context().partial;
  o.context().partial = true;
  o.Str("description", unused.service, "Shown to people.");
  ReadPolicyKeys(o, unused);
  if (o.describing()) {
    o.Obj("environments", "The same keys by environment, merged over the ones above.",
          [](Object&) {});
  } else {
    yaml::Node environments;
    if (o.Raw("environments", environments, "")) {
      if (!environments.is_mapping()) o.Error("environments", "\"environments\" must be a mapping");
      for (const yaml::Entry& entry : environments.entries) {
        if (!entry.value.is_mapping()) {
          o.context().Error(entry.key_span,
                            StrCat("the environment ", Quote(entry.key), " must be a mapping, not ",
                                   Describe(entry.value)));
          continue;
        }
        Guard own;
        Object inner(o.context(), entry.value, entry.key_span);
        ReadPolicyKeys(inner, own);
        out.environments.emplace_back(entry.key, entry.value);
      }
    }
    out.spec = Pick(o.node(), {"environments", "description"});
  }
  o.context().partial = partial;
}

void ReadReleaseStrategy(Object& o, ReleaseStrategy& out) {
  Guard guard;
  o.Str("description", guard.service, "Shown to people.");
  bool partial = o.context().partial;
  o.context().partial = true;
  o.Obj("strategy", "As in a guard, without routers and Services.",
        [&](Object& s) { ReadStrategy(s, guard.strategy, guard.strategy_ref); });
  o.Dur("bake", guard.bake, "The watch goes on this long after promotion (0s).");
  o.Dur("progressDeadline", guard.progress_deadline, "New pods must be ready within this time.",
        std::chrono::seconds(1));
  o.context().partial = partial;
  o.Require("strategy");
  if (o.describing()) return;
  if (!guard.strategy_ref.empty())
    o.Error("strategy", "a named strategy cannot refer to another one");
  if (const yaml::Node* node = o.node().Find("strategy"); node && node->entries.empty())
    o.Error("strategy",
            "a named strategy needs one of rolling, canary, blueGreen, abTest, mirror, "
            "external");
  out.spec = Pick(o.node(), {"description"});
}

void ReadStrategyMatrix(Object& o, StrategyMatrix& out) {
  static constexpr std::pair<std::string_view, int> kRisks[] = {
      {"low", 0}, {"medium", 1}, {"high", 2}, {"critical", 3}, {"*", 4}};
  o.List("choices", "The first that matches holds.", [&](Object& c) {
    StrategyChoice choice;
    choice.span = c.span();
    c.Str("serviceType", choice.service_type, "Kind of service; *: any.");
    c.Require("serviceType");
    int risk = 4;
    c.Enum<int>("risk", risk, kRisks, "Risk of a change; *: any (*).");
    choice.risk = std::string(kRisks[risk].first);
    c.Name("strategy", choice.strategy, "A ReleaseStrategy's name.");
    c.Require("strategy");
    c.Str("reason", choice.reason, "Shown to people.");
    for (const StrategyChoice& other : out.choices) {
      bool shadowed = (other.service_type == "*" || other.service_type == choice.service_type) &&
                      (other.risk == "*" || other.risk == choice.risk);
      if (shadowed && !choice.service_type.empty()) {
        c.context().Error(c.span(), StrCat("this choice is never reached: line ", other.span.line,
                                           " matches before"));
        break;
      }
    }
    out.choices.push_back(std::move(choice));
  });
  o.Require("choices");
}

const StrategyChoice* StrategyMatrix::Choose(std::string_view service_type,
                                             std::string_view risk) const {
  for (const StrategyChoice& choice : choices) {
    if ((choice.service_type == "*" || choice.service_type == service_type) &&
        (choice.risk == "*" || choice.risk == risk))
      return &choice;
  }
  return nullptr;
}

}  // namespace rollguard::spec
