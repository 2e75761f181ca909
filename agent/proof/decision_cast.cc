// SPDX-License-Identifier: Apache-2.0
// The guard of a decision test: from its file, or made up from what the test and its series say.
#include <algorithm>
#include <set>

#include "agent/base/text.h"
#include "agent/promql/bind.h"
#include "agent/proof/decision_test.h"
#include "agent/proof/expectation.h"
#include "agent/proof/trial_guard.h"

namespace rollguard::proof {
namespace {

// The one value that a label has in all series; empty when there are several or none.
std::string OnlyValue(const RuleTestGroup& group, std::initializer_list<std::string_view> labels) {
  for (std::string_view label : labels) {
    std::set<std::string> values;
    for (const InputSeries& series : group.input) {
      std::string value(series.labels.Get(label));
      if (!value.empty()) values.insert(std::move(value));
    }
    if (values.size() == 1) return *values.begin();
  }
  return {};
}

// "checkout" of the pods checkout-candidate-x and checkout-stable-y.
std::string WorkloadOfPods(const RuleTestGroup& group) {
  std::set<std::string> names;
  for (const InputSeries& series : group.input) {
    std::string_view pod = series.labels.Get("pod");
    size_t cut = std::min(pod.find("-candidate"), pod.find("-stable"));
    if (cut != std::string_view::npos) names.emplace(pod.substr(0, cut));
  }
  return names.size() == 1 ? *names.begin() : std::string();
}

TrialTarget TargetOf(const RuleTestGroup& group, const ReleaseSetup& release) {
  TrialTarget target;
  auto choose = [](std::string& out, std::initializer_list<std::string> offers) {
    for (const std::string& offer : offers) {
      if (offer.empty()) continue;
      out = offer;
      return;
    }
  };
  choose(target.ns, {release.ns, OnlyValue(group, {"namespace"})});
  choose(target.workload,
         {release.workload, WorkloadOfPods(group),
          OnlyValue(group, {"deployment", "workload", "service", "app"}), release.service});
  choose(target.service, {release.service, OnlyValue(group, {"service"})});
  target.vars = release.vars;
  return target;
}

// Variables that neither the agent nor the group nor the guard knows.
void CheckVariables(const RuleTestFile& file, const spec::Guard& guard,
                    const spec::Library& library, SourceSpan at, Diagnostics& diagnostics) {
  auto check = [&](const spec::RuleGroup& group, const spec::Rule& rule, const spec::Query& query) {
    for (const std::string& name : promql::VariableNames(query.parsed)) {
      if (name == "$" || spec::IsBuiltInVariable(name) || spec::FindIn(group.vars, name) ||
          spec::FindIn(guard.vars, name)) {
        continue;
      }
      diagnostics.Error(file.file, at,
                        StrCat("the rule ", Quote(rule.name), " needs $", name,
                               ": set it under release: {vars: {", name, ": ...}}"));
    }
  };
  for (const spec::RuleGroup& group : library.groups) {
    for (const spec::Rule& rule : group.rules) {
      if (const auto* query = std::get_if<spec::Query>(&rule.what)) {
        check(group, rule, *query);
        continue;
      }
      const auto& what = std::get<spec::Compare>(rule.what).what;
      if (const auto* p = std::get_if<spec::CompareProportion>(&what)) {
        check(group, rule, p->bad);
        check(group, rule, p->total);
      } else if (const auto* h = std::get_if<spec::CompareHistogram>(&what)) {
        check(group, rule, h->buckets);
      } else if (const auto* m = std::get_if<spec::CompareMean>(&what)) {
        check(group, rule, m->query);
      }
    }
  }
}

// Rules that are tested must be rules the guard uses.
void CheckUses(const RuleTestFile& file, const spec::Guard& guard, const spec::Library& library,
               SourceSpan at, Diagnostics& diagnostics) {
  if (library.groups.empty()) return;
  std::vector<std::string> names;
  for (const spec::RuleGroup& group : library.groups) {
    for (const spec::RuleRef& ref : guard.rollback.rules) {
      if (ref.name.empty() ? ref.selector.Matches(group.labels) : ref.name == group.name) return;
    }
    names.push_back(group.name);
  }
  diagnostics.Error(file.file, at,
                    StrCat("the guard ", guard.metadata.name,
                           " uses no rule group of the rule "
                           "files (they have ",
                           Join(names, ", "), ")"));
}

std::optional<spec::Guard> FromFile(const RuleTestFile& file, const ReleaseSetup& release,
                                    const RuleFiles& files, spec::Library& library,
                                    Diagnostics& diagnostics,
                                    std::vector<std::pair<std::string, std::string>>& texts) {
  std::string path = BesideFile(file.file, release.guard);
  auto text = files.read(path);
  if (!text) {
    diagnostics.Error(file.file, release.guard_span, text.error().message);
    return std::nullopt;
  }
  spec::Library own;
  size_t before = diagnostics.error_count();
  spec::LoadText(path, *text, own, diagnostics);
  texts.emplace_back(path, std::move(*text));
  if (diagnostics.error_count() != before) return std::nullopt;
  if (own.guards.empty()) {
    diagnostics.Error(file.file, release.guard_span, StrCat(path, " has no Guard"));
    return std::nullopt;
  }
  const spec::Guard& guard = own.guards.back();
  auto add = [](auto& out, auto& more) {
    std::move(more.begin(), more.end(), std::back_inserter(out));
  };
  add(library.groups, own.groups);
  add(library.templates, own.templates);
  add(library.policies, own.policies);
  add(library.strategies, own.strategies);
  add(library.matrices, own.matrices);
  auto resolved = GuardWith(guard, release.vars, library);
  if (!resolved) {
    diagnostics.Error(file.file, release.guard_span, resolved.error().message);
    return std::nullopt;
  }
  CheckUses(file, *resolved, library, release.guard_span, diagnostics);
  return std::move(*resolved);
}

bool IsNeeded(const RuleTestGroup& group, const spec::Library& library) {
  return !group.decisions.empty() ||
         std::any_of(group.alert_tests.begin(), group.alert_tests.end(),
                     [&](const AlertTest& t) { return FindRule(library, t.alert) != nullptr; });
}

}  // namespace

TrialCast CastTrial(const RuleTestFile& file, const RuleTestGroup& group,
                    const spec::Library& library, const RuleFiles& files, Diagnostics& diagnostics,
                    std::vector<std::pair<std::string, std::string>>& texts) {
  TrialCast cast;
  cast.needed = IsNeeded(group, library);
  if (!cast.needed || diagnostics.has_errors()) return cast;
  cast.library = library;
  ReleaseSetup release = group.release.value_or(ReleaseSetup{});
  SourceSpan at = group.release ? release.span : group.span;
  cast.at = release.at;
  if (!release.guard.empty()) {
    cast.guard = FromFile(file, release, files, cast.library, diagnostics, texts);
  } else if (auto made = MakeTrialGuard(TargetOf(group, release), cast.library)) {
    cast.guard = std::move(*made);
  } else {
    diagnostics.Error(file.file, at, made.error().message);
  }
  if (!cast.guard) return cast;
  CheckVariables(file, *cast.guard, cast.library, at, diagnostics);
  const std::string& workload = cast.guard->target.name;
  cast.candidate_pods =
      release.candidate_pods.empty() ? workload + "-candidate-.*" : release.candidate_pods;
  cast.stable_pods = release.stable_pods.empty() ? workload + "-stable-.*" : release.stable_pods;
  return cast;
}

}  // namespace rollguard::proof
