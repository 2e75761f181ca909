// SPDX-License-Identifier: Apache-2.0
#include "agent/promql/fold_report.h"

#include "agent/base/text.h"
#include "agent/promql/printer.h"

namespace rollguard::promql {
namespace {

// `request 2`, with the member it is for when it folds.
std::string PartName(const FoldPlan& plan, const FoldPart& part) {
  const FoldRequest& request = plan.requests[part.request];
  std::string out = StrCat("request ", part.request + 1);
  if (!request.folded()) return out;
  for (size_t k = 0; k < request.shape->keys.size(); ++k) {
    out += StrCat(k == 0 ? " {" : ", ", request.shape->keys[k], "=",
                  Quote(request.slots[part.slot][k]));
  }
  return out + "}";
}

}  // namespace

std::string DescribePlan(const FoldPlan& plan) {
  std::string out =
      StrCat(plan.recipes.size(), plan.recipes.size() == 1 ? " query, " : " queries, ",
             plan.requests.size(), plan.requests.size() == 1 ? " request\n" : " requests\n");
  for (size_t i = 0; i < plan.requests.size(); ++i) {
    const FoldRequest& request = plan.requests[i];
    out += StrCat("\nrequest ", i + 1);
    if (request.folded()) {
      out += StrCat(", folds ", request.slots.size(), " members by ",
                    Join(request.shape->keys, " and "));
    }
    out += StrCat("\n  ", request.expr, "\n");
  }
  for (size_t i = 0; i < plan.recipes.size(); ++i) {
    const FoldRecipe& recipe = plan.recipes[i];
    out += StrCat("\nquery ", i + 1, "\n  ", Print(*recipe.local), "\n");
    for (size_t p = 0; p < recipe.parts.size(); ++p) {
      out += StrCat("  <result ", p, "> is ", PartName(plan, recipe.parts[p]), "\n");
    }
  }
  return out;
}

Json PlanToJson(const FoldPlan& plan) {
  Json requests = Json::Arr(), queries = Json::Arr();
  for (const FoldRequest& request : plan.requests) {
    Json keys = Json::Arr(), members = Json::Arr();
    for (const std::string& key : request.shape->keys) keys.Push(key);
    for (const auto& slot : request.slots) {
      Json values = Json::Arr();
      for (const std::string& value : slot) values.Push(value);
      members.Push(std::move(values));
    }
    requests.Push(Json::Obj({{"query", request.expr},
                             {"folded", request.folded()},
                             {"keys", std::move(keys)},
                             {"members", std::move(members)}}));
  }
  for (const FoldRecipe& recipe : plan.recipes) {
    Json parts = Json::Arr();
    for (const FoldPart& part : recipe.parts) parts.Push(Json::Arr({part.request, part.slot}));
    queries.Push(Json::Obj({{"local", Print(*recipe.local)}, {"parts", std::move(parts)}}));
  }
  return Json::Obj({{"requests", std::move(requests)}, {"queries", std::move(queries)}});
}

}  // namespace rollguard::promql
