// SPDX-License-Identifier: Apache-2.0
// A guard over its policy and named strategy. All are trees; mappings merge key by key, anything
// else is replaced, and the result is read like any guard. Order, later wins: policy, its
// environment, named strategy, guard.
#include <algorithm>

#include "agent/spec/load.h"
#include "agent/spec/readers.h"

namespace rollguard::spec {
namespace {

void Merge(yaml::Node& base, const yaml::Node& over) {
  if (!base.is_mapping() || !over.is_mapping()) {
    base = over;
    return;
  }
  for (const yaml::Entry& entry : over.entries) {
    if (entry.value.is_null()) continue;
    auto found = std::find_if(base.entries.begin(), base.entries.end(),
                              [&](const yaml::Entry& e) { return e.key == entry.key; });
    if (found == base.entries.end()) {
      base.entries.push_back(entry);
    } else {
      found->key_span = entry.key_span;
      Merge(found->value, entry.value);
    }
  }
}

yaml::Node* FindIn(yaml::Node& node, std::string_view key) {
  return const_cast<yaml::Node*>(node.Find(key));
}

void Erase(yaml::Node& node, std::string_view key) {
  auto& entries = node.entries;
  entries.erase(std::remove_if(entries.begin(), entries.end(),
                               [&](const yaml::Entry& e) { return e.key == key; }),
                entries.end());
}

// Which of the keys beside `ref` a kind of strategy takes.
bool Takes(std::string_view kind, std::string_view key) {
  bool splits = kind == "canary" || kind == "abTest" || kind == "mirror";
  if (key == "stableService" || key == "candidateService") return splits;
  if (key == "activeService" || key == "previewService") return kind == "blueGreen";
  return splits || kind == "blueGreen";  // routing, candidate
}

// Moves routing and Service names, which stand beside `ref`, into the one kind that is there.
void PlaceBesideRef(yaml::Node& strategy) {
  constexpr std::string_view kBeside[] = {"routing",       "stableService",  "candidateService",
                                          "activeService", "previewService", "candidate"};
  constexpr std::string_view kKinds[] = {"rolling", "canary", "blueGreen",
                                         "abTest",  "mirror", "external"};
  for (std::string_view kind : kKinds) {
    yaml::Node* into = FindIn(strategy, kind);
    if (!into) continue;
    for (std::string_view key : kBeside) {
      const yaml::Entry* entry = strategy.FindEntry(key);
      if (!entry || !Takes(kind, key)) continue;
      yaml::Node one;
      one.kind = yaml::Kind::kMapping;
      one.entries.push_back(*entry);
      yaml::Node merged = *into;
      Merge(merged, one);
      *FindIn(strategy, kind) = std::move(merged);
    }
    break;
  }
  for (std::string_view key : kBeside) Erase(strategy, key);
  Erase(strategy, "ref");
}

const ReleaseStrategy* FindNamed(const Guard& guard, const Library& library, Context& context) {
  std::string name = guard.strategy_ref.name;
  if (name.empty()) {
    for (const StrategyMatrix& matrix : library.matrices) {
      const StrategyChoice* choice =
          matrix.Choose(guard.strategy_ref.service_type, guard.strategy_ref.risk);
      if (!choice) continue;
      name = choice->strategy;
      break;
    }
    if (name.empty()) {
      context.Error(guard.origin.span, StrCat("no strategy is chosen for service type ",
                                              Quote(guard.strategy_ref.service_type), " and risk ",
                                              Quote(guard.strategy_ref.risk)));
      return nullptr;
    }
  }
  const ReleaseStrategy* found = library.FindStrategy(name);
  if (!found) context.Error(guard.origin.span, StrCat("there is no strategy ", Quote(name)));
  return found;
}

// The policy's tree with its environment; null and a problem when either is not there.
std::optional<yaml::Node> PolicyTree(const Guard& guard, const Library& library, Context& context) {
  const RollbackPolicy* policy = library.FindPolicy(guard.policy);
  if (!policy) {
    context.Error(guard.origin.span, StrCat("there is no policy ", Quote(guard.policy)));
    return std::nullopt;
  }
  yaml::Node tree = policy->spec;
  if (guard.environment.empty()) return tree;
  for (const auto& [name, node] : policy->environments) {
    if (name != guard.environment) continue;
    Merge(tree, node);
    return tree;
  }
  std::vector<std::string_view> names;
  for (const auto& [name, node] : policy->environments) names.push_back(name);
  context.Error(guard.origin.span,
                StrCat("the policy ", Quote(guard.policy), " has no environment ",
                       Quote(guard.environment), Suggestion(guard.environment, names)));
  return std::nullopt;
}

}  // namespace

std::optional<Guard> Resolve(const Guard& guard, const Library& library, Diagnostics& diagnostics) {
  if (guard.policy.empty() && guard.strategy_ref.empty()) return guard;
  Context context{guard.origin.file, diagnostics};
  yaml::Node tree;
  tree.kind = yaml::Kind::kMapping;
  tree.span = guard.raw.span;
  if (!guard.policy.empty()) {
    auto policy = PolicyTree(guard, library, context);
    if (!policy) return std::nullopt;
    tree = std::move(*policy);
  }
  if (!guard.strategy_ref.empty()) {
    const ReleaseStrategy* named = FindNamed(guard, library, context);
    if (!named) return std::nullopt;
    Merge(tree, named->spec);
  }
  Merge(tree, guard.raw);
  if (yaml::Node* strategy = FindIn(tree, "strategy"); strategy && !guard.strategy_ref.empty())
    PlaceBesideRef(*strategy);
  // What was merged was checked where it was written; what is wrong now is wrong with the whole.
  Diagnostics found;
  Context whole{guard.origin.file, found};
  Guard out;
  {
    Object o(whole, tree, guard.origin.span);
    ReadGuardSpec(o, out);
  }
  out.metadata = guard.metadata;
  out.origin = guard.origin;
  out.raw = std::move(tree);
  if (!found.has_errors()) CheckGuard(whole, out);
  for (const Diagnostic& d : found.Sorted()) {
    if (d.severity != Severity::kError) continue;
    std::string_view with = guard.policy.empty()         ? "its strategy"
                            : guard.strategy_ref.empty() ? "its policy"
                                                         : "its policy and strategy";
    context.Error(guard.origin.span, StrCat("together with ", with, ": ", d.message));
  }
  if (found.has_errors()) return std::nullopt;
  return out;
}

}  // namespace rollguard::spec
