// SPDX-License-Identifier: Apache-2.0
// `rollguard analysis run`: a template in virtual time, against results from a file.
#include <algorithm>
#include <cstdio>

#include "agent/analysis/play.h"
#include "agent/base/diagnostic.h"
#include "agent/base/text.h"
#include "agent/cli/analysis_files.h"
#include "agent/cli/command.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "analysis run";
constexpr std::string_view kHelp =
    R"(usage: rollguard analysis run --template FILE [--arg NAME=VALUE]... --results FILE [-o json]

Runs an analysis template in virtual time: each metric is measured when it would be due, with the
next of the given results. Prints each measurement, then the phase of each metric and of the run.

FILE may hold several templates; those that no other one includes are run together. Results are JSON
lines, in order per metric (- reads the standard input):
  {"metric": "success-rate", "result": [0.98]}
  {"metric": "success-rate", "error": "connection refused"}

options:
  --template FILE      AnalysisTemplate or ClusterAnalysisTemplate documents; may come several times
  --name NAME          run this template of the file only
  --arg NAME=VALUE     an argument's value
  --secret NAME=VALUE  the value of an argument that comes from a Secret: redacted where it shows
  --results FILE       the results
  --end                ask the run to end when the results are used up
  --exit-code          exit with 1 unless the run is Successful
  -o json              for machines; "at" is seconds since the start

exit code: 0 the run was played, 1 it could not be created, 2 wrong usage

example:
  rollguard analysis run --template rules/templates/success-rate.yaml --arg service-name=checkout \
    --arg namespace=shop --results results.jsonl
)";

std::string Padded(std::string_view text, size_t width) {
  std::string out(text);
  if (out.size() < width) out.resize(width, ' ');
  return out;
}

void PrintMeasurement(Time started, const analysis::MetricState& state,
                      const analysis::Measurement& m) {
  std::string at = FormatGoDuration(m.finished - started);
  std::string line = StrCat(Padded(at, 8), " ", Padded(state.name, 24), " ",
                            Padded(ToString(m.phase), 12), " ", m.value);
  if (!m.message.empty()) line += StrCat(m.value.empty() ? "" : " ", m.message);
  std::puts(line.c_str());
}

void PrintPhases(const analysis::Run& run) {
  if (!run.state.metrics.empty()) std::puts("");
  for (const analysis::MetricState& m : run.state.metrics) {
    std::string line =
        StrCat("metric ", m.name, m.dry_run ? " (dry run)" : "", ": ", ToString(m.phase), " (",
               m.count, " measured, ", m.successful, " successful, ", m.failed, " failed, ",
               m.inconclusive, " inconclusive, ", m.error, " error)");
    if (!m.message.empty()) line += StrCat(": ", m.message);
    std::puts(line.c_str());
  }
  std::string line = StrCat("run: ", ToString(run.state.phase));
  if (!run.state.message.empty()) line += StrCat(": ", run.state.message);
  std::puts(line.c_str());
}

// Results for metrics there are none of are told, not refused: a file may serve several templates.
void WarnOfStrangers(const analysis::Script& script, const analysis::Run& run) {
  std::vector<std::string_view> names;
  for (const analysis::MetricState& m : run.state.metrics) names.push_back(m.name);
  for (const auto& [metric, results] : script) {
    if (names.empty() || std::find(names.begin(), names.end(), metric) != names.end()) continue;
    std::fputs(StrCat("rollguard analysis run: there is no metric ", Quote(metric),
                      Suggestion(metric, names), "\n")
                   .c_str(),
               stderr);
  }
}

int Run(std::span<const std::string_view> args) {
  auto options =
      ParseOptions(args, {{"--template", "--name", "--arg", "--secret", "--results", "--output"},
                          {"--end", "--exit-code"}});
  if (!options) return UsageError(kName, options.error().message);
  if (!options->arguments.empty())
    return UsageError(kName, StrCat("unexpected ", Quote(options->arguments[0])));
  std::string output = options->Get("--output", "text");
  if (output != "text" && output != "json")
    return UsageError(kName, StrCat("the output is text or json, not ", Quote(output)));
  if (!options->Has("--results")) return UsageError(kName, "--results is missing");
  auto input = ReadAnalysisInput(*options);
  if (!input) return UsageError(kName, input.error().message);
  auto text = ReadFile(options->Get("--results"));
  if (!text) return UsageError(kName, text.error().message);
  auto script = analysis::ParseScript(*text);
  if (!script)
    return UsageError(kName, StrCat(options->Get("--results"), ":", script.error().message));

  std::fputs(input->problems.c_str(), stderr);
  analysis::Run run = MakeOfflineRun(*input, options->Get("--name"), Time{});
  bool created = !run.state.metrics.empty();
  WarnOfStrangers(*script, run);
  bool quiet = output == "json";
  analysis::Play(run, *script, input->secrets,
                 [&](const analysis::MetricState& state, const analysis::Measurement& m) {
                   if (!quiet) PrintMeasurement(run.state.started, state, m);
                 });
  if (options->Has("--end")) Terminate(run, run.state.started);
  if (quiet) {
    std::puts(analysis::Report(run).Dump(2).c_str());
  } else {
    PrintPhases(run);
  }
  bool good = run.state.phase == analysis::Phase::kSuccessful;
  return !created || (options->Has("--exit-code") && !good) ? kFound : kOk;
}

}  // namespace

extern const Command kAnalysisRunCommand;
const Command kAnalysisRunCommand = {kName, "run a template in virtual time against given results",
                                     kHelp, Run};

}  // namespace rollguard::cli
