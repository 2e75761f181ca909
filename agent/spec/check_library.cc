// SPDX-License-Identifier: Apache-2.0
// What no single document can show. Everything is linear in what was read, apart from walks over
// nested templates, which visit each template once.
#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "agent/base/text.h"
#include "agent/spec/load.h"

namespace rollguard::spec {
namespace {

class Checker {
 public:
  Checker(const Library& library, bool complete, Diagnostics& diagnostics)
      : library_(library), complete_(complete && !library.left_out), diagnostics_(diagnostics) {}

  void Run() {
    Duplicates(library_.guards, "guard", [](const Guard& g) { return g.Id(); });
    Duplicates(library_.groups, "rule group",
               [](const RuleGroup& g) { return g.ns.empty() ? g.name : g.ns + "/" + g.name; });
    Duplicates(library_.policies, "policy", [](const auto& p) { return p.metadata.name; });
    Duplicates(library_.strategies, "strategy", [](const auto& s) { return s.metadata.name; });
    Duplicates(library_.templates, "template", [](const AnalysisTemplate& t) {
      return StrCat(t.cluster_scope ? "cluster" : t.metadata.ns, "/", t.metadata.name);
    });
    for (const Guard& guard : library_.guards) CheckGuardReferences(guard);
    for (const StrategyMatrix& matrix : library_.matrices) CheckMatrix(matrix);
    FindFamilies();
    for (const AnalysisTemplate& t : library_.templates) CheckTemplate(t);
    CheckVariables();
  }

 private:
  void Error(const Origin& origin, SourceSpan span, std::string message) {
    diagnostics_.Error(origin.file, span.line > 0 ? span : origin.span, std::move(message));
  }

  template <class T, class Key>
  void Duplicates(const std::vector<T>& list, std::string_view what, Key key) {
    std::map<std::string, const T*> seen;
    for (const T& item : list) {
      auto [at, fresh] = seen.emplace(key(item), &item);
      if (fresh) continue;
      const Origin& first = at->second->origin;
      Error(item.origin, item.origin.span,
            StrCat("the ", what, " ", Quote(Shown(at->first)), " is there twice, first in ",
                   first.file, first.span.line > 0 ? StrCat(":", first.span.line) : ""));
    }
  }

  static std::string_view Shown(std::string_view key) {
    return key.substr(0, 1) == "/" ? key.substr(1) : key;
  }

  // A name that is not there: an error when everything is there, or when it is nearly one that is.
  template <class T, class Name>
  void Missing(const Origin& origin, SourceSpan span, std::string_view what,
               const std::string& wanted, const std::vector<T>& list, Name name) {
    std::vector<std::string_view> names;
    for (const T& item : list) names.push_back(name(item));
    std::string hint = Suggestion(wanted, names);
    if (complete_ || (!hint.empty() && !library_.left_out))
      Error(origin, span, StrCat("there is no ", what, " ", Quote(wanted), hint));
  }

  void CheckTemplateRef(const Origin& origin, const TemplateRef& ref, std::string_view ns) {
    if (library_.FindTemplate(ref.name, ref.cluster_scope, ns)) return;
    Missing(origin, ref.span, ref.cluster_scope ? "ClusterAnalysisTemplate" : "AnalysisTemplate",
            ref.name, library_.templates,
            [](const AnalysisTemplate& t) -> std::string_view { return t.metadata.name; });
  }

  static std::vector<const AnalysisRef*> AnalysesOf(const Guard& guard) {
    std::vector<const AnalysisRef*> out;
    auto add = [&](const std::optional<AnalysisRef>& ref) {
      if (ref) out.push_back(&*ref);
    };
    auto add_steps = [&](const std::vector<Step>& steps) {
      for (const Step& step : steps) {
        if (const auto* run = std::get_if<RunAnalysis>(&step.action)) out.push_back(&run->analysis);
      }
    };
    if (const AnalysisRef* background = BackgroundAnalysis(guard.strategy))
      out.push_back(background);
    if (const auto* canary = std::get_if<CanaryStrategy>(&guard.strategy)) add_steps(canary->steps);
    if (const auto* mirror = std::get_if<MirrorStrategy>(&guard.strategy)) add_steps(mirror->steps);
    if (const auto* blue = std::get_if<BlueGreenStrategy>(&guard.strategy)) {
      add(blue->pre_promotion);
      add(blue->post_promotion);
    }
    return out;
  }

  void CheckGuardReferences(const Guard& guard) {
    auto group_name = [](const RuleGroup& g) -> std::string_view { return g.name; };
    for (const RuleRef& ref : guard.rollback.rules) {
      if (!ref.name.empty() && !library_.FindGroup(ref.name, guard.metadata.ns))
        Missing(guard.origin, ref.span, "rule group", ref.name, library_.groups, group_name);
    }
    for (const AnalysisRef* analysis : AnalysesOf(guard)) {
      for (const TemplateRef& ref : analysis->templates)
        CheckTemplateRef(guard.origin, ref, guard.metadata.ns);
    }
    bool policy = guard.policy.empty() || library_.FindPolicy(guard.policy);
    if (!policy)
      Missing(guard.origin, KeySpan(guard, "policy"), "policy", guard.policy, library_.policies,
              [](const auto& p) -> std::string_view { return p.metadata.name; });
    bool strategy =
        guard.strategy_ref.name.empty() || library_.FindStrategy(guard.strategy_ref.name);
    if (!strategy)
      Missing(guard.origin, KeySpan(guard, "strategy"), "strategy", guard.strategy_ref.name,
              library_.strategies,
              [](const auto& s) -> std::string_view { return s.metadata.name; });
    bool chosen = guard.strategy_ref.service_type.empty() || !library_.matrices.empty();
    if (policy && strategy && chosen && !library_.left_out) Resolve(guard, library_, diagnostics_);
  }

  static SourceSpan KeySpan(const Guard& guard, std::string_view key) {
    const yaml::Entry* entry = guard.raw.FindEntry(key);
    if (!entry) return guard.origin.span;
    return entry->value.kind == yaml::Kind::kScalar ? entry->value.span : entry->key_span;
  }

  void CheckMatrix(const StrategyMatrix& matrix) {
    for (const StrategyChoice& choice : matrix.choices) {
      if (!library_.FindStrategy(choice.strategy))
        Missing(matrix.origin, choice.span, "strategy", choice.strategy, library_.strategies,
                [](const auto& s) -> std::string_view { return s.metadata.name; });
    }
  }

  // Walks nested templates; reports a cycle once, at the template it was found from.
  void CheckTemplate(const AnalysisTemplate& t) {
    for (const TemplateRef& ref : t.templates) CheckTemplateRef(t.origin, ref, t.metadata.ns);
    std::vector<const AnalysisTemplate*> path;
    std::set<const AnalysisTemplate*> done;
    std::function<bool(const AnalysisTemplate&)> cycle = [&](const AnalysisTemplate& at) {
      if (&at == &t && !path.empty()) return true;
      if (path.size() > 64 || !done.insert(&at).second) return false;
      path.push_back(&at);
      for (const TemplateRef& ref : at.templates) {
        const auto* next = library_.FindTemplate(ref.name, ref.cluster_scope, t.metadata.ns);
        if (next && cycle(*next)) return true;
      }
      path.pop_back();
      return false;
    };
    if (cycle(t)) {
      std::string way;
      for (const auto* step : path) way += step->metadata.name + " -> ";
      Error(t.origin, t.origin.span,
            StrCat("nested templates go round in a circle: ", way, t.metadata.name));
      return;
    }
    CheckArguments(t);
  }

  // Templates that reach one another by nesting form a family; what one of them declares is known
  // to all. Found by merging families reference by reference.
  struct Family {
    size_t parent;
    bool open = false;  // includes a template that is not here, which may declare anything
    std::set<std::string, std::less<>> arguments;
  };

  size_t Root(size_t i) {
    while (families_[i].parent != i)
      i = families_[i].parent = families_[families_[i].parent].parent;
    return i;
  }

  void Join(size_t a, size_t b) {
    a = Root(a);
    b = Root(b);
    if (a == b) return;
    families_[b].parent = a;
    families_[a].open = families_[a].open || families_[b].open;
    families_[a].arguments.merge(families_[b].arguments);
  }

  void FindFamilies() {
    const auto& templates = library_.templates;
    for (size_t i = 0; i < templates.size(); ++i) {
      families_.push_back({i, false, {}});
      for (const ArgumentValue& arg : templates[i].args) families_[i].arguments.insert(arg.name);
    }
    for (size_t i = 0; i < templates.size(); ++i) {
      for (const TemplateRef& ref : templates[i].templates) {
        const AnalysisTemplate* next =
            library_.FindTemplate(ref.name, ref.cluster_scope, templates[i].metadata.ns);
        if (next) {
          Join(i, static_cast<size_t>(next - templates.data()));
        } else {
          families_[Root(i)].open = true;
        }
      }
    }
  }

  void CheckArguments(const AnalysisTemplate& t) {
    const Family& family = families_[Root(static_cast<size_t>(&t - library_.templates.data()))];
    if (family.open) return;
    const auto& known = family.arguments;
    ArgumentLookup lookup = [&](std::string_view name) -> std::optional<std::string> {
      return known.count(name) ? std::optional<std::string>("x") : std::nullopt;
    };
    for (const yaml::Node& metric : t.metrics)
      Substitute(metric, lookup, t.origin.file, diagnostics_);
  }

  // The guards with their policies, in the library's order; as written where that fails.
  const std::vector<Guard>& Resolved() {
    if (!resolved_.empty()) return resolved_;
    Diagnostics unused;  // told where references are checked
    for (const Guard& guard : library_.guards)
      resolved_.push_back(Resolve(guard, library_, unused).value_or(guard));
    return resolved_;
  }

  bool Uses(const Guard& guard, const RuleGroup& group) {
    const auto& rules = guard.rollback.rules;
    return std::any_of(rules.begin(), rules.end(), [&](const RuleRef& ref) {
      if (!ref.name.empty()) return library_.FindGroup(ref.name, guard.metadata.ns) == &group;
      return ref.selector.Matches(group.labels) &&
             (group.ns.empty() || group.ns == guard.metadata.ns);
    });
  }

  void CheckVariables() {
    for (const RuleGroup& group : library_.groups) {
      for (const Rule& rule : group.rules) {
        if (const auto* query = std::get_if<Query>(&rule.what)) {
          CheckQuery(group, rule, *query);
          continue;
        }
        const Compare& compare = std::get<Compare>(rule.what);
        if (const auto* p = std::get_if<CompareProportion>(&compare.what)) {
          CheckQuery(group, rule, p->bad);
          CheckQuery(group, rule, p->total);
        } else if (const auto* h = std::get_if<CompareHistogram>(&compare.what)) {
          CheckQuery(group, rule, h->buckets);
        } else if (const auto* m = std::get_if<CompareMean>(&compare.what)) {
          CheckQuery(group, rule, m->query);
        }
      }
    }
    for (size_t i = 0; i < library_.guards.size(); ++i) {
      const Guard& guard = library_.guards[i];  // a policy's own checks have other positions
      for (const HealthCheck& check : guard.health.checks) {
        const auto* promql = std::get_if<PromqlCheck>(&check.kind);
        if (!promql) continue;
        for (const promql::Variable& v : promql->query.parsed.variables) {
          if (!IsBuiltInVariable(v.name) && !FindIn(Resolved()[i].vars, v.name))
            ReportUnknown(guard.origin, promql->query, v, "the guard's");
        }
      }
    }
  }

  void CheckQuery(const RuleGroup& group, const Rule& rule, const Query& query) {
    for (const promql::Variable& v : query.parsed.variables) {
      if (IsBuiltInVariable(v.name) || FindIn(group.vars, v.name)) continue;
      bool used = false;
      for (const Guard& guard : Resolved()) {
        if (!Uses(guard, group)) continue;
        used = true;
        if (!FindIn(guard.vars, v.name))
          Error(guard.origin, guard.origin.span,
                StrCat("the rule ", Quote(rule.name), " of the group ", Quote(group.name),
                       " needs $", v.name, ": set it under \"vars\""));
      }
      if (!used) ReportUnknown(group.origin, query, v, "the group's");
    }
  }

  void ReportUnknown(const Origin& origin, const Query& query, const promql::Variable& v,
                     std::string_view whose) {
    std::string hint = Suggestion(v.name, {"namespace", "workload", "service", "guard", "revision",
                                           "candidate_pods", "stable_pods", "pods", "window"});
    if (hint.empty()) hint = StrCat(" (set it under ", whose, " \"vars\")");
    Error(origin, yaml::SpanInside(query.at, v.span.begin, v.span.end - v.span.begin),
          StrCat("unknown variable $", v.name, hint));
  }

  std::vector<Family> families_;
  std::vector<Guard> resolved_;
  const Library& library_;
  bool complete_;
  Diagnostics& diagnostics_;
};

}  // namespace

void CheckLibrary(const Library& library, bool complete, Diagnostics& diagnostics) {
  Checker(library, complete, diagnostics).Run();
}

}  // namespace rollguard::spec
