// SPDX-License-Identifier: Apache-2.0
// Which document is which, and what each becomes.
#include "agent/spec/load.h"

#include <re2/re2.h>

#include <algorithm>
#include <set>

#include "agent/spec/readers.h"

namespace rollguard::spec {
namespace {

constexpr std::string_view kOurKinds[] = {"Guard",           "RollbackRules",  "RollbackPolicy",
                                          "ReleaseStrategy", "StrategyMatrix", "AgentConfig"};
constexpr std::string_view kArgoKinds[] = {"AnalysisTemplate", "ClusterAnalysisTemplate"};

std::string TextOf(const yaml::Node& root, std::string_view key) {
  const yaml::Node* node = root.Find(key);
  return node && node->kind == yaml::Kind::kScalar ? node->text : std::string();
}

SourceSpan SpanOf(const yaml::Node& root, std::string_view key) {
  const yaml::Entry* entry = root.FindEntry(key);
  if (!entry) return root.span;
  return entry->value.kind == yaml::Kind::kScalar ? entry->value.span : entry->key_span;
}

// The document around a spec: apiVersion, kind, metadata, spec, status.
class DocumentReader {
 public:
  DocumentReader(Context& context, const yaml::Node& root) : context_(context), root_(root) {}

  // Reads metadata and hands `spec` to `read`. False when there were errors.
  template <class T, class Read>
  bool Spec(T& out, bool needs_spec, Read read) {
    size_t before = context_.diagnostics.error_count();
    {
      Object o(context_, root_, root_.span);
      for (auto key : {"apiVersion", "kind", "metadata", "status"}) o.Ignore(key);
      ReadMetadata(context_, root_, out.metadata, false);
      out.origin.file = std::string(context_.file);
      out.origin.span = NameSpan();
      if (needs_spec) {
        bool found = o.Obj("spec", "", [&](Object& spec) { read(spec); });
        if (!found && !o.Has("spec")) o.Require("spec");
      }
    }
    return context_.diagnostics.error_count() == before;
  }

 private:
  SourceSpan NameSpan() const {
    const yaml::Node* metadata = root_.Find("metadata");
    return metadata ? SpanOf(*metadata, "name") : root_.span;
  }

  Context& context_;
  const yaml::Node& root_;
};

void CheckApiVersion(Context& context, const yaml::Node& root, std::string_view wanted) {
  std::string version = TextOf(root, "apiVersion");
  if (version == wanted) return;
  context.Error(SpanOf(root, "apiVersion"), version.empty()
                                                ? StrCat("missing \"apiVersion\": ", wanted)
                                                : StrCat("the apiVersion of ", TextOf(root, "kind"),
                                                         " is ", wanted, ", not ", Quote(version)));
}

// Limits, conditions and queries of a template's metrics, as far as they do not hang on arguments
// that have no default.
void CheckMetrics(Context& context, const AnalysisTemplate& t) {
  ArgumentLookup defaults = [&](std::string_view name) -> std::optional<std::string> {
    for (const ArgumentValue& arg : t.args) {
      if (arg.name == name && arg.value) return arg.value;
    }
    return StrCat("{{args.", name, "}}");
  };
  std::set<std::string> names;
  for (const yaml::Node& node : t.metrics) {
    yaml::Node filled = Substitute(node, defaults, context.file, context.diagnostics);
    Metric metric = LoadMetric(filled, context.file, context.diagnostics, true);
    if (!metric.name.empty() && !names.insert(metric.name).second)
      context.Error(metric.span, StrCat("the metric ", Quote(metric.name), " is there twice"));
  }
  if (!t.templates.empty()) return;  // patterns may be about metrics of others
  auto matches = [&](const std::string& pattern) {
    RE2 regex(pattern, RE2::Quiet);
    return !regex.ok() || std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return name.find("{{") != std::string::npos || RE2::PartialMatch(name, regex);
    });
  };
  for (const std::string& pattern : t.dry_run) {
    if (!matches(pattern))
      context.Error(t.origin.span, StrCat("dryRun ", Quote(pattern), " matches no metric"));
  }
  for (const MeasurementRetention& item : t.retention) {
    if (!matches(item.metric))
      context.Error(item.span,
                    StrCat("measurementRetention ", Quote(item.metric), " matches no metric"));
  }
}

void LoadGuard(Context& context, const yaml::Node& root, Library& library) {
  Guard guard;
  CheckApiVersion(context, root, kApiVersion);
  bool good = DocumentReader(context, root).Spec(guard, true, [&](Object& spec) {
    guard.raw = spec.node();
    ReadGuardSpec(spec, guard);
  });
  if (!good) return;
  size_t before = context.diagnostics.error_count();
  CheckGuard(context, guard);
  if (context.diagnostics.error_count() == before) library.guards.push_back(std::move(guard));
}

void LoadRollbackRules(Context& context, const yaml::Node& root, Library& library) {
  struct {
    Metadata metadata;
    Origin origin;
  } document;
  std::vector<RuleGroup> groups;
  CheckApiVersion(context, root, kApiVersion);
  bool good = DocumentReader(context, root).Spec(document, true, [&](Object& spec) {
    ReadRuleGroups(spec, groups);
  });
  if (!good) return;
  for (RuleGroup& group : groups) {
    group.ns = document.metadata.ns;
    library.groups.push_back(std::move(group));
  }
}

void LoadRuleFile(Context& context, const yaml::Node& root, Library& library) {
  size_t before = context.diagnostics.error_count();
  std::vector<RuleGroup> groups;
  {
    Object o(context, root, root.span);
    ReadRuleGroups(o, groups);
  }
  if (context.diagnostics.error_count() != before) return;
  std::move(groups.begin(), groups.end(), std::back_inserter(library.groups));
}

void LoadTemplate(Context& context, const yaml::Node& root, bool cluster_scope, Library& library) {
  AnalysisTemplate t;
  t.cluster_scope = cluster_scope;
  CheckApiVersion(context, root, "argoproj.io/v1alpha1");
  size_t before = context.diagnostics.error_count();
  bool good = DocumentReader(context, root).Spec(t, true, [&](Object& spec) {
    ReadAnalysisTemplate(spec, t);
  });
  if (!t.metrics.empty()) CheckMetrics(context, t);
  if (good && context.diagnostics.error_count() == before)
    library.templates.push_back(std::move(t));
}

void LoadAgentConfig(Context& context, const yaml::Node& root, Library& library) {
  AgentConfig config;
  size_t before = context.diagnostics.error_count();
  {
    Object o(context, root, root.span);
    for (auto key : {"apiVersion", "kind", "metadata"}) o.Ignore(key);
    ReadAgentConfig(o, config);
  }
  config.origin = {std::string(context.file), root.span};
  if (context.diagnostics.error_count() == before) library.configs.push_back(std::move(config));
}

template <class T>
void LoadNamed(Context& context, const yaml::Node& root, std::vector<T>& out,
               void (*read)(Object&, T&)) {
  T document;
  CheckApiVersion(context, root, kApiVersion);
  size_t before = context.diagnostics.error_count();
  bool good =
      DocumentReader(context, root).Spec(document, true, [&](Object& o) { read(o, document); });
  if (good && context.diagnostics.error_count() == before) out.push_back(std::move(document));
}

// Only the outermost keys; the rest belongs to `rollguard test`.
void CheckTestFile(Context& context, const yaml::Node& root) {
  Object o(context, root, root.span);
  for (auto key :
       {"rule_files", "evaluation_interval", "group_eval_order", "fuzzy_compare", "exact", "tests"})
    o.Ignore(key);
}

void LoadKind(Context& context, const yaml::Node& root, const std::string& kind, Library& library) {
  if (kind == "Guard") return LoadGuard(context, root, library);
  if (kind == "RollbackRules") return LoadRollbackRules(context, root, library);
  if (kind == "RollbackPolicy")
    return LoadNamed(context, root, library.policies, ReadRollbackPolicy);
  if (kind == "ReleaseStrategy")
    return LoadNamed(context, root, library.strategies, ReadReleaseStrategy);
  if (kind == "StrategyMatrix")
    return LoadNamed(context, root, library.matrices, ReadStrategyMatrix);
  if (kind == "AgentConfig") return LoadAgentConfig(context, root, library);
  if (kind == "AnalysisTemplate") return LoadTemplate(context, root, false, library);
  if (kind == "ClusterAnalysisTemplate") return LoadTemplate(context, root, true, library);
  // Other people's manifests may lie beside ours; only what looks like ours is judged.
  std::vector<std::string_view> kinds(std::begin(kOurKinds), std::end(kOurKinds));
  kinds.insert(kinds.end(), std::begin(kArgoKinds), std::end(kArgoKinds));
  std::string version = TextOf(root, "apiVersion");
  bool ours = version.empty() || version.rfind(std::string(kGroup) + "/", 0) == 0;
  if (ours)
    context.Error(SpanOf(root, "kind"),
                  StrCat("unknown kind ", Quote(Abbreviate(kind, 60)), Suggestion(kind, kinds)));
}

Error FirstError(const Diagnostics& diagnostics) {
  for (const Diagnostic& d : diagnostics.Sorted()) {
    if (d.severity == Severity::kError)
      return Error(ErrorCode::kInvalid, StrCat(d.file, ": ", d.message));
  }
  return Error(ErrorCode::kInvalid, "nothing was found");
}

}  // namespace

void ReadMetadata(Context& context, const yaml::Node& root, Metadata& out, bool needs_namespace) {
  const yaml::Entry* entry = root.FindEntry("metadata");
  if (!entry || !entry->value.is_mapping()) {
    context.Error(entry ? entry->key_span : root.span, "missing \"metadata\" with a \"name\"");
    return;
  }
  Object o(context, entry->value, entry->key_span);
  o.AllowUnknown();
  o.Name("name", out.name, "");
  o.Require("name");
  o.Name("namespace", out.ns, "");
  if (needs_namespace) o.Require("namespace");
  o.Map("labels", out.labels, "");
  o.Map("annotations", out.annotations, "");
  o.Str("uid", out.uid, "");
  o.Str("resourceVersion", out.resource_version, "");
  o.Int("generation", out.generation, "");
}

void LoadNode(std::string_view file, const yaml::Node& root, Library& library,
              Diagnostics& diagnostics) {
  Context context{file, diagnostics};
  size_t before = diagnostics.error_count();
  std::string kind = TextOf(root, "kind");
  if (!root.is_mapping()) {
    context.Error(root.span, StrCat("a document must be a mapping, not ", Describe(root)));
  } else if (kind == "List" && root.Find("items") && root.Find("items")->is_sequence()) {
    for (const yaml::Node& item : root.Find("items")->items)
      LoadNode(file, item, library, diagnostics);
  } else if (!kind.empty()) {
    LoadKind(context, root, kind, library);
  } else if (root.Find("groups")) {
    LoadRuleFile(context, root, library);
  } else if (root.Find("tests") || root.Find("rule_files")) {
    CheckTestFile(context, root);
  } else {
    std::string_view first = root.entries.empty() ? std::string_view() : root.entries[0].key;
    context.Error(root.entries.empty() ? root.span : root.entries[0].key_span,
                  StrCat("this is no document rollguard knows: it needs \"kind\", or \"groups\" "
                         "for rules, or \"tests\" for unit tests",
                         Suggestion(first, {"kind", "groups", "tests"})));
  }
  if (diagnostics.error_count() != before) library.left_out = true;
}

void LoadText(std::string_view file, std::string_view text, Library& library,
              Diagnostics& diagnostics) {
  size_t before = diagnostics.error_count();
  for (const yaml::Node& root : yaml::Parse(file, text, diagnostics))
    LoadNode(file, root, library, diagnostics);
  if (diagnostics.error_count() != before) library.left_out = true;
}

void LoadObject(const Json& object, Library& library, Diagnostics& diagnostics) {
  std::string ns = object.At("metadata", "namespace").Str();
  std::string file = StrCat(object.At("kind").Str(), " ", ns, ns.empty() ? "" : "/",
                            object.At("metadata", "name").Str());
  LoadNode(file, yaml::FromJson(object), library, diagnostics);
}

const RuleGroup* Library::FindGroup(std::string_view name, std::string_view ns) const {
  const RuleGroup* global = nullptr;
  for (const RuleGroup& group : groups) {
    if (group.name != name) continue;
    if (group.ns == ns && !ns.empty()) return &group;
    if (group.ns.empty()) global = &group;
  }
  return global;
}

const AnalysisTemplate* Library::FindTemplate(std::string_view name, bool cluster_scope,
                                              std::string_view ns) const {
  const AnalysisTemplate* anywhere = nullptr;
  for (const AnalysisTemplate& t : templates) {
    if (t.metadata.name != name || t.cluster_scope != cluster_scope) continue;
    if (cluster_scope || t.metadata.ns == ns) return &t;
    if (t.metadata.ns.empty() || ns.empty()) anywhere = &t;
  }
  return anywhere;
}

const RollbackPolicy* Library::FindPolicy(std::string_view name) const {
  auto found = std::find_if(policies.begin(), policies.end(),
                            [&](const auto& p) { return p.metadata.name == name; });
  return found == policies.end() ? nullptr : &*found;
}

const ReleaseStrategy* Library::FindStrategy(std::string_view name) const {
  auto found = std::find_if(strategies.begin(), strategies.end(),
                            [&](const auto& s) { return s.metadata.name == name; });
  return found == strategies.end() ? nullptr : &*found;
}

Expected<Guard> ParseGuard(const Json& object) {
  Library library;
  Diagnostics diagnostics;
  LoadObject(object, library, diagnostics);
  if (library.guards.size() != 1) return FirstError(diagnostics);
  return std::move(library.guards[0]);
}

Expected<std::vector<RuleGroup>> ParseRollbackRules(const Json& object) {
  Library library;
  Diagnostics diagnostics;
  LoadObject(object, library, diagnostics);
  if (diagnostics.has_errors()) return FirstError(diagnostics);
  return std::move(library.groups);
}

Expected<AnalysisTemplate> ParseAnalysisTemplate(const Json& object) {
  Library library;
  Diagnostics diagnostics;
  LoadObject(object, library, diagnostics);
  if (library.templates.size() != 1) return FirstError(diagnostics);
  return std::move(library.templates[0]);
}

Expected<AgentConfig> ParseAgentConfig(std::string_view file, std::string_view text) {
  Library library;
  Diagnostics diagnostics;
  auto roots = yaml::Parse(file, text, diagnostics);
  Context context{file, diagnostics};
  if (!diagnostics.has_errors() && roots.empty()) return AgentConfig{};
  if (roots.size() == 1 && roots[0].is_mapping()) {
    LoadAgentConfig(context, roots[0], library);
  } else if (!diagnostics.has_errors()) {
    diagnostics.Error(file, {}, "the agent's configuration is one document, a mapping");
  }
  if (library.configs.size() == 1) return std::move(library.configs[0]);
  std::string all;
  for (const Diagnostic& d : diagnostics.Sorted()) all += Render(d, text);
  return Error(ErrorCode::kInvalid, all);
}

}  // namespace rollguard::spec
