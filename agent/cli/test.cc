// SPDX-License-Identifier: Apache-2.0
// `rollguard test`: unit tests of rules. Reads files, hands them to agent/proof, prints the report.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/options.h"
#include "agent/proof/rule_test.h"

namespace rollguard::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHelp =
    R"(usage: rollguard test PATH... [--run TEXT] [--junit FILE] [-o json] [--promql-version N]

Runs unit tests of rules in virtual time. PATHs are files in promtool's format, or folders: every
.yaml, .yml or .json file below that has "tests" is run.

Beyond promtool: eval_range {start, end, step} with exp_matrix [{labels, values}], exp_error
"pattern", exact: true (numbers bit for bit; otherwise within 1e-6 relative).

Rules of rollguard (rollback, pause, observe) are judged with a release, by the code the agent runs:

  release: {guard: FILE, at: 2m}      which guard, and when the new version appears; without a
                                      guard one is made up: {namespace, workload, service, vars,
                                      candidatePods, stablePods}, read from the series if not said
  alerts:                             alerts that arrive
    - {at: 3m, status: firing, startsAt: 2m30s, labels: {alertname: X, severity: critical}}
  decision_test:                      what the agent does
    - {at: 6m30s, expect: {action: rollback, rule: HighErrorRate, weight: 0}}

expect: action (rollback, pause, hold, observe, promote, reject, none), rule, alert, weight, phase,
reason (a pattern), states: {RULE: inactive|pending|firing|noData|error}. In alert_rule_test such a
rule counts as an alert of its name. The candidate's pods are WORKLOAD-candidate-.*, stable's
WORKLOAD-stable-.*, unless said otherwise.

options:
  --run TEXT           only tests whose name contains TEXT
  --junit FILE         also write a JUnit report
  --promql-version N   2 (as Prometheus 2.42; the default) or 3
  -o json              the report as JSON

exit code: 0 all passed, 1 a test failed or a file is wrong, 2 wrong usage

examples:
  rollguard test rules/tests
  rollguard test alerts.test.yaml --run HighErrorRate
)";

// One path component with `*` and `?`.
bool Matches(std::string_view pattern, std::string_view name) {
  size_t p = 0, n = 0, star = std::string_view::npos, mark = 0;
  while (n < name.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p, ++n;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

// The files of a pattern whose last component may hold `*` and `?`.
std::vector<std::string> Glob(const std::string& pattern) {
  fs::path path(pattern);
  std::string name = path.filename().string();
  std::error_code error;
  if (name.find_first_of("*?") == std::string::npos) {
    return fs::exists(path, error) ? std::vector<std::string>{pattern} : std::vector<std::string>();
  }
  std::vector<std::string> files;
  fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (Matches(name, it->path().filename().string())) {
      files.push_back((path.parent_path() / it->path().filename()).string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

// In a folder only files with tests count; a file that is named is always run.
bool HasTests(std::string_view text) {
  for (std::string_view line : Split(text, '\n')) {
    if (line.starts_with("tests:")) return true;
  }
  return Trim(text).starts_with("{") && text.find("\"tests\"") != std::string_view::npos;
}

struct Run {
  proof::RuleTestOptions options;
  std::vector<proof::RuleTestReport> reports;
  bool broken = false;
  size_t files = 0;

  void File(const std::string& file, bool named) {
    auto text = ReadFile(file);
    if (!text) {
      std::fprintf(stderr, "rollguard test: %s\n", text.error().message.c_str());
      broken = true;
      return;
    }
    if (!named && !HasTests(*text)) return;
    ++files;
    Diagnostics problems;
    std::vector<std::pair<std::string, std::string>> texts = {{file, *text}};
    proof::RuleFiles rule_files{[](const std::string& path) { return ReadFile(path); }, Glob};
    reports.push_back(proof::RunRuleTests(file, *text, rule_files, options, problems, texts));
    for (const Diagnostic& d : problems.Sorted()) {
      auto source = std::find_if(texts.begin(), texts.end(),
                                 [&](const auto& entry) { return entry.first == d.file; });
      std::string_view shown = source == texts.end() ? std::string_view() : source->second;
      std::fputs(Render(d, shown).c_str(), stderr);
    }
    broken = broken || problems.has_errors();
  }
};

int RunCommand(std::span<const std::string_view> args) {
  auto options = ParseOptions(args, {{"--run", "--junit", "--promql-version", "--output"}, {}});
  if (!options) return UsageError("test", options.error().message);
  if (options->arguments.empty()) return UsageError("test", "name at least one file or folder");
  std::string version = options->Get("--promql-version", "2");
  if (version != "2" && version != "3") return UsageError("test", "--promql-version is 2 or 3");
  std::string output = options->Get("--output", "text");
  if (output != "text" && output != "json") return UsageError("test", "-o is json or nothing");

  Run run;
  run.options.promql_version3 = version == "3";
  run.options.only = options->Get("--run");
  for (const std::string& path : options->arguments) {
    std::error_code error;
    bool folder = fs::is_directory(path, error);
    for (const std::string& file : folder ? FilesBelow({path}) : std::vector<std::string>{path}) {
      run.File(file, !folder);
    }
  }
  if (run.files == 0 && !run.broken) return Fail("test", "no file with \"tests\" was found");
  if (options->Has("--junit")) {
    Status written = WriteFile(options->Get("--junit"), proof::RenderJunit(run.reports));
    if (!written) return Fail("test", written.error().message);
  }
  std::string text =
      output == "json" ? proof::ToJson(run.reports).Dump(2) + "\n" : proof::RenderText(run.reports);
  std::fputs(text.c_str(), stdout);
  bool failed = std::any_of(run.reports.begin(), run.reports.end(),
                            [](const auto& report) { return report.failed > 0; });
  return failed || run.broken ? kFound : kOk;
}

}  // namespace

extern const Command kTestCommand;
const Command kTestCommand = {"test", "run unit tests of rules", kHelp, RunCommand};

}  // namespace rollguard::cli
