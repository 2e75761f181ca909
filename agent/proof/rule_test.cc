// SPDX-License-Identifier: Apache-2.0
#include "agent/proof/rule_test.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "agent/base/text.h"
#include "agent/promql/engine.h"
#include "agent/promql/label_predicate.h"
#include "agent/promql/parser.h"
#include "agent/proof/decision_test.h"
#include "agent/proof/expectation.h"
#include "agent/proof/rule_evaluator.h"

namespace rollguard::proof {
namespace {

using promql::Millis;

constexpr double kTolerance = 1e-6;

bool SameNumber(double a, double b, bool exact) {
  if (exact) return a == b || (std::isnan(a) && std::isnan(b));
  return promql::SameValue(a, b, kTolerance);
}

// "{a="b"} 1, {a="c"} 2", sorted; "nothing" when empty.
std::string ShowSamples(std::vector<ExpectedSample> samples) {
  std::sort(samples.begin(), samples.end(),
            [](const auto& a, const auto& b) { return a.labels < b.labels; });
  std::string out;
  for (const ExpectedSample& sample : samples) {
    if (!out.empty()) out += ", ";
    out += StrCat(sample.labels.ToString(), " ", promql::FormatValue(sample.value));
  }
  return out.empty() ? "nothing" : out;
}

std::string ShowRows(std::vector<ExpectedRow> rows) {
  std::sort(rows.begin(), rows.end(),
            [](const auto& a, const auto& b) { return a.labels < b.labels; });
  std::string out;
  for (const ExpectedRow& row : rows) {
    if (!out.empty()) out += ", ";
    out += row.labels.ToString();
    for (const auto& value : row.values) {
      out += StrCat(" ", value ? promql::FormatValue(*value) : "_");
    }
  }
  return out.empty() ? "nothing" : out;
}

bool SameRow(const ExpectedRow& a, const ExpectedRow& b, bool exact) {
  if (!(a.labels == b.labels)) return false;
  size_t steps = std::max(a.values.size(), b.values.size());
  for (size_t i = 0; i < steps; ++i) {
    std::optional<double> x = i < a.values.size() ? a.values[i] : std::nullopt;
    std::optional<double> y = i < b.values.size() ? b.values[i] : std::nullopt;
    if (x.has_value() != y.has_value()) return false;
    if (x && !SameNumber(*x, *y, exact)) return false;
  }
  return true;
}

// One test with its store and its rules.
class GroupRun {
 public:
  GroupRun(const RuleTestFile& file, const RuleTestGroup& group, const TestedRules& rules,
           const RuleTestOptions& options, RuleTestReport& report)
      : file_(file), group_(group), library_(rules.library), report_(report) {
    engine_options_.default_step = file.evaluation_interval;
    engine_options_.version3 = options.promql_version3;
    rules_.emplace(rules.groups, store_, engine_options_, group.external_labels);
  }

  const promql::MemoryStore& store() const { return store_; }
  const promql::EngineOptions& engine_options() const { return engine_options_; }

  void Run(Diagnostics& diagnostics) {
    for (const InputSeries& series : group_.input) {
      Status status = promql::AppendSeries(store_, series.labels, series.values,
                                           ToUnixMillis(group_.start), group_.interval.count());
      if (!status) {
        diagnostics.Error(file_.file, group_.span,
                          StrCat(series.labels.ToString(), " is given twice in one test"));
        return;
      }
    }
    EvaluateRules();
    for (const ExprTest& test : group_.exprs) Ask(test);
    ReportRuleErrors();
  }

 private:
  promql::Engine Engine() const { return promql::Engine(store_, engine_options_); }

  // Every round up to the last question; alerts are looked at in the round before their time.
  void EvaluateRules() {
    Duration last{0};
    for (const ExprTest& test : group_.exprs) {
      last = std::max(last, test.range ? test.range->end : test.at);
    }
    for (const AlertTest& test : group_.alert_tests) last = std::max(last, test.at);
    for (const DecisionTest& test : group_.decisions) last = std::max(last, test.at);
    for (Duration at{0}; at <= last; at += file_.evaluation_interval) {
      rules_->Evaluate(group_.start + at);
      for (const AlertTest& test : group_.alert_tests) {
        if (test.at < at || test.at >= at + file_.evaluation_interval) continue;
        if (!FindRule(library_, test.alert)) CheckAlerts(test);
      }
    }
  }

  void CheckAlerts(const AlertTest& test) {
    std::vector<ExpectedAlert> got;
    for (const FiringAlert& alert : rules_->Firing(test.alert, test.group)) {
      ExpectedAlert& seen = got.emplace_back();
      for (const promql::Label& label : alert.labels) {
        seen.labels.emplace_back(std::string(label.name), std::string(label.value));
      }
      seen.annotations = alert.annotations;
    }
    RuleTestFailure failure;
    bool passed = CompareAlerts(test, got, failure);
    if (!passed) {
      for (const PromRule* rule : rules_->Find(test.alert)) {
        failure.saw.push_back("rule: " + rule->expr);
        SeeSamples(Engine(), rule->query, group_.start + test.at, failure.saw);
      }
    }
    CountExpectation(report_, group_, test.span, StrCat("alert ", test.alert, " at ", failure.at),
                     passed, std::move(failure));
  }

  void Ask(const ExprTest& test) {
    RuleTestFailure failure;
    failure.expr = test.expr;
    failure.at = test.range ? StrCat(AtText(test.range->start), "..", AtText(test.range->end))
                            : AtText(test.at);
    Time at = group_.start + (test.range ? test.range->end : test.at);
    bool passed = false;
    Expected<promql::Value> value = Evaluate(test);
    if (test.error) {
      failure.want = "a failure that says " + *test.error;
      auto pattern = promql::Regex::Compile("(?s:.*)(?:" + *test.error + ")(?s:.*)");
      passed = !value && pattern.ok() && pattern->Matches(value.error().message);
      failure.got = value ? Show(*value, test) : "the failure: " + value.error().message;
    } else {
      failure.want = test.range ? ShowRows(test.matrix) : ShowSamples(test.samples);
      failure.got = value ? Show(*value, test) : "the failure: " + value.error().message;
      passed = value.ok() && Matches(*value, test);
    }
    if (!passed) SeeSamples(Engine(), test.query, at, failure.saw);
    CountExpectation(report_, group_, test.span, StrCat(test.expr, " at ", failure.at), passed,
                     std::move(failure));
  }

  Expected<promql::Value> Evaluate(const ExprTest& test) const {
    promql::Query query = test.query;
    if (test.error) {
      auto parsed = promql::ParseQuery(test.expr);
      if (!parsed) return parsed.error();
      query = std::move(*parsed);
    }
    if (!test.range) return Engine().Instant(query, group_.start + test.at);
    return Engine().Range(query, group_.start + test.range->start, group_.start + test.range->end,
                          test.range->step);
  }

  static std::vector<ExpectedSample> SamplesOf(const promql::Value& value) {
    std::vector<ExpectedSample> out;
    if (auto* scalar = std::get_if<promql::Scalar>(&value)) {
      out.push_back({promql::Labels(), scalar->v});
    } else if (auto* vector = std::get_if<promql::Vector>(&value)) {
      for (const promql::Sample& sample : *vector) out.push_back({sample.labels, sample.v});
    }
    return out;
  }

  std::vector<ExpectedRow> RowsOf(const promql::Value& value, const ExprTest::Range& range) const {
    std::vector<ExpectedRow> out;
    auto* matrix = std::get_if<promql::Matrix>(&value);
    if (matrix == nullptr) return out;
    Millis start = ToUnixMillis(group_.start + range.start);
    for (const promql::Series& series : *matrix) {
      ExpectedRow row{series.labels, {}};
      for (const promql::Point& point : series.points) {
        auto step = static_cast<size_t>((point.t - start) / range.step.count());
        row.values.resize(step + 1);
        row.values[step] = point.v;
      }
      out.push_back(std::move(row));
    }
    return out;
  }

  std::string Show(const promql::Value& value, const ExprTest& test) const {
    if (test.range) return ShowRows(RowsOf(value, *test.range));
    if (std::holds_alternative<promql::Scalar>(value) ||
        std::holds_alternative<promql::Vector>(value)) {
      return ShowSamples(SamplesOf(value));
    }
    return std::string(Trim(promql::ToString(value)));
  }

  bool Matches(const promql::Value& value, const ExprTest& test) const {
    bool exact = test.exact;
    if (test.range) {
      return SameSet(test.matrix, RowsOf(value, *test.range),
                     [&](const auto& a, const auto& b) { return SameRow(a, b, exact); });
    }
    if (!std::holds_alternative<promql::Scalar>(value) &&
        !std::holds_alternative<promql::Vector>(value)) {
      return false;
    }
    return SameSet(test.samples, SamplesOf(value), [&](const auto& a, const auto& b) {
      return a.labels == b.labels && SameNumber(a.value, b.value, exact);
    });
  }

  void ReportRuleErrors() {
    for (const std::string& error : rules_->errors()) {
      RuleTestFailure failure;
      failure.expr = "rules";
      failure.at = "every evaluation";
      failure.want = "rules that can be evaluated";
      failure.got = error;
      CountExpectation(report_, group_, group_.span, "rules can be evaluated", false,
                       std::move(failure));
    }
  }

  const RuleTestFile& file_;
  const RuleTestGroup& group_;
  const spec::Library& library_;
  RuleTestReport& report_;
  promql::MemoryStore store_;
  promql::EngineOptions engine_options_;
  std::optional<RuleEvaluator> rules_;
};

TestedRules LoadRules(const RuleTestFile& file, const RuleFiles& files, Diagnostics& diagnostics,
                      std::vector<std::pair<std::string, std::string>>& texts) {
  TestedRules rules;
  std::vector<PromRuleGroup>& groups = rules.groups;
  for (size_t i = 0; i < file.rule_files.size(); ++i) {
    const std::string& pattern = file.rule_files[i];
    std::string path = BesideFile(file.file, pattern);
    std::vector<std::string> paths = files.match(path);
    if (paths.empty()) {
      diagnostics.Error(file.file, file.rule_file_spans[i],
                        StrCat("no rule file matches ", Quote(path)));
    }
    for (const std::string& name : paths) {
      auto text = files.read(name);
      if (!text) {
        diagnostics.Error(file.file, file.rule_file_spans[i], text.error().message);
        continue;
      }
      LoadRuleFile(name, *text, rules, diagnostics);
      texts.emplace_back(name, std::move(*text));
    }
  }
  // Named groups first, in that order; the others keep the order of the files.
  std::stable_sort(groups.begin(), groups.end(), [&](const auto& a, const auto& b) {
    auto rank = [&](const PromRuleGroup& group) {
      return std::find(file.group_order.begin(), file.group_order.end(), group.name) -
             file.group_order.begin();
    };
    return rank(a) < rank(b);
  });
  for (const std::string& name : file.group_order) {
    auto named = [&](const auto& group) { return group.name == name; };
    bool known = std::any_of(groups.begin(), groups.end(), named) ||
                 std::any_of(rules.library.groups.begin(), rules.library.groups.end(), named);
    if (!known && !diagnostics.has_errors()) {
      diagnostics.Error(file.file, {},
                        StrCat("group_eval_order names ", Quote(name), ", which no rule file has"));
    }
  }
  return rules;
}

}  // namespace

RuleTestReport RunRuleTests(std::string_view file, std::string_view text, const RuleFiles& files,
                            const RuleTestOptions& options, Diagnostics& diagnostics,
                            std::vector<std::pair<std::string, std::string>>& texts) {
  RuleTestReport report;
  report.file = std::string(file);
  Diagnostics found;
  RuleTestFile parsed = ParseRuleTestFile(file, text, found);
  TestedRules rules = LoadRules(parsed, files, found, texts);
  std::vector<TrialCast> casts;
  for (const RuleTestGroup& group : parsed.groups) {
    casts.push_back(CastTrial(parsed, group, rules.library, files, found, texts));
  }
  for (size_t i = 0; i < parsed.groups.size() && !found.has_errors(); ++i) {
    const RuleTestGroup& group = parsed.groups[i];
    if (!options.only.empty() && group.name.find(options.only) == std::string::npos) continue;
    GroupRun run(parsed, group, rules, options, report);
    run.Run(found);
    if (!found.has_errors() && casts[i].needed) {
      RunDecisionTests({parsed, group, casts[i], run.store(), run.engine_options()}, report, found);
    }
  }
  diagnostics.Append(found);
  return report;
}

}  // namespace rollguard::proof
