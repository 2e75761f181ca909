// SPDX-License-Identifier: Apache-2.0
#include "agent/proof/expectation.h"

#include "agent/base/text.h"
#include "agent/promql/parser.h"
#include "agent/promql/printer.h"

namespace rollguard::proof {
namespace {

constexpr size_t kMaxSeen = 12;  // lines of samples shown below a failure
constexpr size_t kMaxPoints = 6;

std::string ShowMap(const spec::StringMap& map) {
  spec::StringMap sorted = map;
  std::sort(sorted.begin(), sorted.end());
  std::string out;
  for (const auto& [name, value] : sorted) {
    out += StrCat(out.empty() ? "" : ", ", name, "=", Quote(value));
  }
  return StrCat("{", out, "}");
}

std::string ShowAlerts(const std::vector<ExpectedAlert>& alerts) {
  std::vector<std::string> lines;
  for (const ExpectedAlert& alert : alerts) {
    lines.push_back(ShowMap(alert.labels) +
                    (alert.annotations.empty() ? "" : " " + ShowMap(alert.annotations)));
  }
  std::sort(lines.begin(), lines.end());
  return lines.empty() ? "no alert" : Join(lines, ", ");
}

// A series with its last points on a line.
std::string LineOf(const promql::Series& series) {
  std::string line = StrCat(series.labels.ToString(), " =>");
  size_t from = series.points.size() > kMaxPoints ? series.points.size() - kMaxPoints : 0;
  if (from > 0) line += " ...";
  for (size_t i = from; i < series.points.size(); ++i) {
    line += StrCat(" ", promql::FormatValue(series.points[i].v), " @[",
                   FormatNumber(static_cast<double>(series.points[i].t) / 1000), "]");
  }
  return line;
}

std::vector<std::string> LinesOf(const promql::Value& value) {
  std::vector<std::string> lines;
  if (const auto* matrix = std::get_if<promql::Matrix>(&value)) {
    for (const promql::Series& series : *matrix) lines.push_back(LineOf(series));
    return lines;
  }
  std::string text = promql::ToString(value);
  for (std::string_view line : Split(Trim(text), '\n')) {
    if (!line.empty()) lines.emplace_back(line);
  }
  return lines;
}

}  // namespace

void CountExpectation(RuleTestReport& report, const RuleTestGroup& group, SourceSpan span,
                      std::string name, bool passed, RuleTestFailure failure) {
  RuleTestCase one{group.name, std::move(name), passed, report.failures.size()};
  report.cases.push_back(std::move(one));
  if (passed) {
    ++report.passed;
    return;
  }
  ++report.failed;
  failure.file = report.file;
  failure.line = span.line;
  failure.test = group.name;
  report.failures.push_back(std::move(failure));
}

std::string AtText(Duration at) { return at.count() == 0 ? "0s" : FormatPromDuration(at); }

std::string BesideFile(std::string_view file, const std::string& path) {
  size_t slash = file.rfind('/');
  if (path.starts_with("/") || slash == std::string_view::npos) return path;
  return StrCat(file.substr(0, slash + 1), path);
}

bool CompareAlerts(const AlertTest& test, const std::vector<ExpectedAlert>& got,
                   RuleTestFailure& failure) {
  std::vector<ExpectedAlert> want = test.alerts;
  for (ExpectedAlert& alert : want) {
    if (spec::FindIn(alert.labels, "alertname") == nullptr)
      alert.labels.emplace_back("alertname", test.alert);
  }
  failure.expr = test.alert;
  failure.at = AtText(test.at);
  failure.want = ShowAlerts(want);
  failure.got = ShowAlerts(got);
  return SameSet(want, got, [](const ExpectedAlert& a, const ExpectedAlert& b) {
    return ShowMap(a.labels) == ShowMap(b.labels) &&
           ShowMap(a.annotations) == ShowMap(b.annotations);
  });
}

void SeeSamples(const promql::Engine& engine, const promql::Query& query, Time at,
                std::vector<std::string>& saw) {
  for (promql::NodeId id = 0; id < query.nodes.size(); ++id) {
    if (query.As<promql::SelectorNode>(id) == nullptr) continue;
    std::string text = promql::Print(query, id);
    auto selector = promql::ParseQuery(text);
    if (!selector) continue;
    auto value = engine.Instant(*selector, at);
    std::vector<std::string> lines =
        value ? LinesOf(*value) : std::vector<std::string>{value.error().message};
    if (lines.empty()) lines.push_back(text + ": nothing");
    if (lines.size() > kMaxSeen) {
      lines.resize(kMaxSeen);
      lines.emplace_back("...");
    }
    for (std::string& line : lines) {
      if (std::find(saw.begin(), saw.end(), line) == saw.end()) saw.push_back(std::move(line));
    }
  }
}

}  // namespace rollguard::proof
