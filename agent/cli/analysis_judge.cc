// SPDX-License-Identifier: Apache-2.0
// `rollguard analysis judge`: one result against a metric's conditions.
#include <chrono>
#include <cstdio>

#include "agent/analysis/verdict.h"
#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/options.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "analysis judge";
constexpr std::string_view kHelp =
    R"(usage: rollguard analysis judge --result JSON [--success EXPR] [--failure EXPR]

Prints what a measurement with this result would be: Successful, Failed, Inconclusive or Error, and
the message behind a colon when there is one.

options:
  --result JSON     the result: a number, a list, a map, "NaN", "+Inf", "-Inf", or a list with them
  --success EXPR    the success condition
  --failure EXPR    the failure condition
  --no-data POLICY  hold, pass or fail: decides an empty or NaN result first
  --now TIME        what now() stands for (RFC 3339; the beginning of 1970)
  --exit-code       exit with 1 unless the verdict is Successful

examples:
  rollguard analysis judge --result '[0.97]' --success 'result[0] >= 0.95'
  rollguard analysis judge --result '"NaN"' --success 'isNaN(result) || result < 0.1'
)";

// The program, or the verdict that a condition which does not compile makes.
std::optional<analysis::Verdict> CompileInto(const std::string& text, expr::Program& out) {
  if (Trim(text).empty()) return std::nullopt;
  expr::Compiled compiled = expr::Compile(text);
  out = compiled.program;
  if (compiled.ok()) return std::nullopt;
  return analysis::Verdict{analysis::Phase::kError, Describe(compiled.problems)};
}

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(
      args, {{"--result", "--success", "--failure", "--no-data", "--now"}, {"--exit-code"}});
  if (!options) return UsageError(kName, options.error().message);
  if (!options->arguments.empty())
    return UsageError(kName, StrCat("unexpected ", Quote(options->arguments[0])));
  if (!options->Has("--result")) return UsageError(kName, "--result is missing");
  auto json = ParseJson(options->Get("--result"));
  if (!json) return UsageError(kName, StrCat("--result: ", json.error().message));
  Time now{};
  if (options->Has("--now")) {
    auto time = ParseRfc3339(options->Get("--now"));
    if (!time) return UsageError(kName, StrCat("--now: ", time.error().message));
    now = *time;
  }
  analysis::Conditions conditions;
  std::string policy = options->Get("--no-data");
  if (!policy.empty()) {
    if (policy != "hold" && policy != "pass" && policy != "fail") {
      return UsageError(kName, StrCat("--no-data is hold, pass or fail, not ", Quote(policy)));
    }
    conditions.no_data = policy == "hold"
                             ? spec::NoData::kHold
                             : (policy == "pass" ? spec::NoData::kPass : spec::NoData::kFail);
  }
  auto verdict = CompileInto(options->Get("--success"), conditions.success);
  if (!verdict) verdict = CompileInto(options->Get("--failure"), conditions.failure);
  if (!verdict) verdict = Judge(analysis::AnswerFromResult(*json), conditions, now);
  std::string line = ToString(verdict->phase);
  if (!verdict->message.empty()) line += StrCat(": ", verdict->message);
  std::puts(line.c_str());
  bool good = verdict->phase == analysis::Phase::kSuccessful;
  return options->Has("--exit-code") && !good ? kFound : kOk;
}

}  // namespace

extern const Command kAnalysisJudgeCommand;
const Command kAnalysisJudgeCommand = {kName, "judge one result by a metric's conditions", kHelp,
                                       Run};

}  // namespace rollguard::cli
