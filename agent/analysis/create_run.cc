// SPDX-License-Identifier: Apache-2.0
// How a run comes to be: templates are gathered, arguments merged and put in, metrics typed and
// checked together. What comes from secrets stays a placeholder until a request is made.
#include <re2/re2.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "agent/analysis/assess.h"
#include "agent/analysis/run.h"
#include "agent/base/text.h"

namespace rollguard::analysis {
namespace {

constexpr size_t kMaxTemplates = 100;
constexpr size_t kMaxMetrics = 1000;

Error Invalid(std::string message) { return {ErrorCode::kInvalid, std::move(message)}; }

Expected<expr::Program> CompileCondition(const spec::Condition& condition,
                                         const std::string& metric) {
  if (condition.empty()) return expr::Program();
  expr::Compiled compiled = expr::Compile(condition.text);
  if (compiled.ok()) return compiled.program;
  return Invalid(StrCat("metric ", Quote(metric), ": ", Describe(compiled.problems)));
}

// Typed and with its conditions compiled.
Expected<RunMetric> MakeMetric(const yaml::Node& tree, std::string_view file) {
  Diagnostics diagnostics;
  RunMetric out;
  out.tree = tree;
  out.metric = spec::LoadMetric(tree, file, diagnostics);
  if (diagnostics.has_errors()) {
    const Diagnostic first = diagnostics.Sorted().front();
    std::string name =
        out.metric.name.empty() ? "" : StrCat("metric ", Quote(out.metric.name), ": ");
    if (first.message.starts_with(name)) name.clear();
    return Invalid(StrCat(name, first.message));
  }
  auto success = CompileCondition(out.metric.success_condition, out.metric.name);
  if (!success) return success.error();
  auto failure = CompileCondition(out.metric.failure_condition, out.metric.name);
  if (!failure) return failure.error();
  out.conditions = {*success, *failure, out.metric.no_data};
  return out;
}

class Creator {
 public:
  explicit Creator(const RunOptions& options) : options_(options) {}

  Expected<Run> Create(Time now) {
    for (const spec::TemplateRef& ref : options_.templates) Gather(ref);
    if (error_.empty()) MergeArguments();
    if (error_.empty()) ResolveArguments();
    for (size_t i = 0; error_.empty() && i < templates_.size(); ++i) AddMetrics(*templates_[i]);
    if (error_.empty()) CheckTogether();
    if (error_.empty()) MarkMetrics();
    if (!error_.empty()) return Invalid(error_);
    Run run;
    run.spec = std::move(spec_);
    run.spec.ns = options_.ns;
    run.state = FreshState(run.spec, now);
    return run;
  }

 private:
  void Fail(std::string message) {
    if (error_.empty()) error_ = std::move(message);
  }

  // Depth first, each template once; namespaced ones before cluster-scoped of one level.
  void Gather(const spec::TemplateRef& ref) {
    if (!error_.empty()) return;
    const char* kind = ref.cluster_scope ? "ClusterAnalysisTemplate" : "AnalysisTemplate";
    const spec::AnalysisTemplate* found =
        options_.find ? options_.find(ref.name, ref.cluster_scope) : nullptr;
    if (found == nullptr) return Fail(StrCat(kind, " ", Quote(ref.name), " is not found"));
    if (std::find(path_.begin(), path_.end(), found) != path_.end()) {
      return Fail(StrCat("nested templates go round in a circle at ", kind, " ", Quote(ref.name)));
    }
    if (std::find(templates_.begin(), templates_.end(), found) != templates_.end()) return;
    if (templates_.size() >= kMaxTemplates) return Fail("more than 100 templates in one run");
    templates_.push_back(found);
    path_.push_back(found);
    for (bool cluster : {false, true}) {
      for (const spec::TemplateRef& nested : found->templates) {
        if (nested.cluster_scope == cluster) Gather(nested);
      }
    }
    path_.pop_back();
  }

  // One argument may be declared by several templates, but with one default only.
  void MergeArguments() {
    for (const spec::AnalysisTemplate* t : templates_) {
      for (const spec::ArgumentValue& arg : t->args) {
        auto known = std::find_if(args_.begin(), args_.end(),
                                  [&](const auto& a) { return a.name == arg.name; });
        if (known == args_.end()) {
          args_.push_back(arg);
          continue;
        }
        if (known->value && arg.value && *known->value != *arg.value) {
          return Fail(StrCat("Argument `", arg.name,
                             "` specified multiple times with different values: ",
                             Quote(*known->value), ", ", Quote(*arg.value)));
        }
        if (!known->value) known->value = arg.value;
        if (!known->secret) known->secret = arg.secret;
        if (!known->field_path) known->field_path = arg.field_path;
      }
    }
    for (const spec::ArgumentValue& given : options_.args) {
      auto known = std::find_if(args_.begin(), args_.end(),
                                [&](const auto& a) { return a.name == given.name; });
      if (known == args_.end() || known->secret)
        continue;  // undeclared ones are dropped, a secret wins
      if (given.value || given.field_path || given.pod_template_hash || given.secret)
        *known = given;
    }
  }

  void ResolveArguments() {
    for (const spec::ArgumentValue& arg : args_) {
      if (arg.secret) {
        spec_.secrets.push_back({arg.name, *arg.secret});
        values_[arg.name] = SecretMark(arg.name);
      } else if (auto value = ValueOf(arg)) {
        values_[arg.name] = *value;
      } else {
        return Fail(StrCat("args.", arg.name, " was not resolved"));
      }
    }
  }

  std::optional<std::string> ValueOf(const spec::ArgumentValue& arg) {
    if (arg.value) return arg.value;
    if (arg.pod_template_hash) {
      const std::string& hash =
          *arg.pod_template_hash == "Latest" ? options_.latest_hash : options_.stable_hash;
      return hash.empty() ? std::nullopt : std::optional(hash);
    }
    return arg.field_path ? FieldOf(options_.guard, *arg.field_path) : std::nullopt;
  }

  void AddMetrics(const spec::AnalysisTemplate& t) {
    auto lookup = [&](std::string_view name) -> std::optional<std::string> {
      auto found = values_.find(std::string(name));
      return found == values_.end() ? std::nullopt : std::optional(found->second);
    };
    for (const yaml::Node& tree : t.metrics) {
      if (spec_.metrics.size() >= kMaxMetrics) return Fail("more than 1,000 metrics in one run");
      Diagnostics diagnostics;
      yaml::Node filled = spec::Substitute(tree, lookup, t.origin.file, diagnostics);
      if (diagnostics.has_errors()) return Fail(diagnostics.Sorted().front().message);
      auto metric = MakeMetric(filled, t.origin.file);
      if (!metric) return Fail(metric.error().message);
      spec_.metrics.push_back(std::move(*metric));
    }
  }

  void CheckTogether() {
    if (spec_.metrics.empty()) return Fail("no metrics specified");
    std::set<std::string> names;
    for (const RunMetric& m : spec_.metrics) {
      if (!names.insert(m.metric.name).second) {
        return Fail(StrCat("two metrics have the same name ", Quote(m.metric.name)));
      }
      if (options_.must_end && m.metric.EffectiveCount() == 0) {
        return Fail(StrCat("metric ", Quote(m.metric.name), ": runs without end: give it a count"));
      }
    }
  }

  // Calls `mark` for every metric whose name the pattern finds; one that finds none is an error.
  template <class Mark>
  void ForMatching(const std::string& pattern, std::string_view what, Mark mark) {
    RE2 re(pattern, RE2::Quiet);
    if (!re.ok())
      return Fail(StrCat(what, ": bad regular expression ", Quote(pattern), ": ", re.error()));
    bool any = false;
    for (RunMetric& m : spec_.metrics) {
      if (!RE2::PartialMatch(m.metric.name, re)) continue;
      mark(m);
      any = true;
    }
    if (!any) Fail(StrCat(what, ": rule didn't match any metric name: ", Quote(pattern)));
  }

  void MarkMetrics() {
    auto dry = [&](const std::string& pattern) {
      ForMatching(pattern, "dryRun", [](RunMetric& m) { m.dry_run = true; });
    };
    auto keep = [&](const spec::MeasurementRetention& r) {
      ForMatching(r.metric, "measurementRetention",
                  [&](RunMetric& m) { m.retention = r.limit > 0 ? r.limit : 10; });
    };
    for (const spec::AnalysisTemplate* t : templates_) {
      for (const std::string& pattern : t->dry_run) dry(pattern);
      for (const auto& retention : t->retention) keep(retention);
    }
    for (const std::string& pattern : options_.dry_run) dry(pattern);
    for (const auto& retention : options_.retention) keep(retention);
  }

  const RunOptions& options_;
  RunSpec spec_;
  std::vector<const spec::AnalysisTemplate*> templates_;
  std::vector<const spec::AnalysisTemplate*> path_;
  std::vector<spec::ArgumentValue> args_;
  std::map<std::string, std::string> values_;
  std::string error_;
};

}  // namespace

std::optional<std::string> FieldOf(const Json& guard, std::string_view path) {
  const Json* at = &guard;
  std::string_view rest = path;
  while (!rest.empty()) {
    if (rest[0] == '.') rest.remove_prefix(1);
    std::string_view key;
    if (rest.starts_with("['") || rest.starts_with("[\"")) {
      size_t end = rest.find(rest[1], 2);
      if (end == std::string_view::npos || end + 1 >= rest.size() || rest[end + 1] != ']')
        return std::nullopt;
      key = rest.substr(2, end - 2);
      rest.remove_prefix(end + 2);
    } else {
      size_t end = std::min(rest.find_first_of(".["), rest.size());
      if (end == 0) return std::nullopt;
      key = rest.substr(0, end);
      rest.remove_prefix(end);
    }
    at = at->Find(key);
    if (at == nullptr) return std::nullopt;
  }
  if (at->is_string()) return at->Str();
  if (at->is_null() || at->is_object() || at->is_array()) return std::nullopt;
  return at->Dump();
}

Expected<Run> CreateRun(const RunOptions& options, Time now) {
  return Creator(options).Create(now);
}

Json ToJson(const RunSpec& spec) {
  Json metrics = Json::Arr();
  for (const RunMetric& m : spec.metrics) {
    metrics.Push(Json::Obj(
        {{"tree", yaml::ToJson(m.tree)}, {"dryRun", m.dry_run}, {"retention", m.retention}}));
  }
  Json secrets = Json::Arr();
  for (const SecretArgument& s : spec.secrets) {
    secrets.Push(Json::Obj({{"argument", s.name}, {"name", s.ref.name}, {"key", s.ref.key}}));
  }
  return Json::Obj({{"namespace", spec.ns}, {"metrics", metrics}, {"secrets", secrets}});
}

Expected<RunSpec> RunSpecFromJson(const Json& json) {
  RunSpec spec;
  spec.ns = json.At("namespace").Str();
  for (const Json& item : json.At("metrics").items()) {
    auto metric = MakeMetric(yaml::FromJson(item.At("tree")), "frozen run");
    if (!metric) return metric.error();
    metric->dry_run = item.At("dryRun").BoolOr(false);
    metric->retention = item.At("retention").IntOr(10);
    spec.metrics.push_back(std::move(*metric));
  }
  for (const Json& item : json.At("secrets").items()) {
    spec.secrets.push_back(
        {item.At("argument").Str(), {item.At("name").Str(), item.At("key").Str()}});
  }
  return spec;
}

}  // namespace rollguard::analysis
