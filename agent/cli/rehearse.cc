// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>

#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/options.h"
#include "agent/proof/rehearsal.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kHelp =
    R"(usage: rollguard rehearse --guard FILE --rules PATH... --scenario FILE [options]

Plays a guard and its rules against a simulated cluster with traffic, in virtual time, through the
code the agent runs, and tells what would happen, minute by minute.

options:
  --guard FILE     the Guard
  --rules PATH     rule groups, templates, policies, strategies: files or folders; may be repeated
  --scenario FILE  the service, its revisions, and what happens when
  --seed N         the first seed (1)
  --runs N         play it N times with seeds counting up (1)
  -o json          the figures of every run, for machines
  --report FILE    a page with charts

exit code: 0 the expected outcome in every run (or none was expected), 1 another outcome or a bad
file, 2 wrong usage

examples:
  rollguard rehearse --guard k8s/examples/guards/canary-istio.yaml --rules rules \
    --scenario tests/scenarios/bad-version.yaml
  rollguard rehearse --guard guard.yaml --rules rules --scenario s.yaml --runs 50 -o json
)";

// Prints what is wrong with the files; true when they can be used.
bool Report(const Diagnostics& problems, const std::map<std::string, std::string>& texts) {
  for (const Diagnostic& d : problems.Sorted()) {
    auto source = texts.find(d.file);
    std::fputs(
        Render(d, source == texts.end() ? std::string_view() : std::string_view(source->second))
            .c_str(),
        stderr);
  }
  return !problems.has_errors();
}

struct Inputs {
  spec::Library library;
  spec::Guard guard;
  proof::Scenario scenario;
};

Expected<Inputs> Load(const Options& options) {
  Inputs in;
  Diagnostics problems;
  std::map<std::string, std::string> texts;
  std::vector<std::string> files = FilesBelow(options.All("--rules"));
  files.push_back(options.Get("--guard"));
  for (const std::string& file : files) {
    auto text = ReadFile(file);
    if (!text) return text.error();
    spec::LoadText(file, *text, in.library, problems);
    texts[file] = std::move(*text);
  }
  std::string scenario_file = options.Get("--scenario");
  auto text = ReadFile(scenario_file);
  if (!text) return text.error();
  in.scenario = proof::ParseScenario(scenario_file, *text, problems);
  texts[scenario_file] = std::move(*text);
  std::optional<spec::Guard> guard;
  if (in.library.guards.empty() && !problems.has_errors()) {
    problems.Error(options.Get("--guard"), {1, 1, 1}, "there is no Guard in this file");
  } else if (!in.library.guards.empty()) {
    guard = spec::Resolve(in.library.guards.back(), in.library, problems);
  }
  if (!Report(problems, texts) || !guard)
    return Error(ErrorCode::kInvalid, "the files above must be mended first");
  in.guard = std::move(*guard);
  if (in.guard.metadata.ns.empty()) in.guard.metadata.ns = "default";
  return in;
}

int Print(const Options& options, const Inputs& in, const std::vector<proof::Play>& plays) {
  if (options.Get("--output") == "json") {
    std::puts(proof::ToJson(plays, in.scenario).Dump(2).c_str());
  } else {
    for (const proof::Play& play : plays) {
      if (plays.size() > 1) std::printf("seed %llu\n", static_cast<unsigned long long>(play.seed));
      std::fputs(proof::TimelineText(play).c_str(), stdout);
    }
    if (plays.size() > 1)
      std::puts(proof::ToJson(plays, in.scenario).At("summary").Dump(2).c_str());
  }
  if (options.Has("--report")) {
    Status written =
        WriteFile(options.Get("--report"), proof::ReportHtml(in.guard, in.scenario, plays));
    if (!written) return Fail("rehearse", written.error().message);
  }
  bool fine = !in.scenario.expect ||
              std::all_of(plays.begin(), plays.end(),
                          [&](const proof::Play& p) { return p.outcome == *in.scenario.expect; });
  if (!fine)
    std::fputs(StrCat("expected ", proof::ToString(*in.scenario.expect), "\n").c_str(), stderr);
  return fine ? kOk : kFound;
}

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(
      args, {{"--guard", "--rules", "--scenario", "--seed", "--runs", "--output", "--report"}, {}});
  if (!options) return UsageError("rehearse", options.error().message);
  if (!options->arguments.empty())
    return UsageError("rehearse", StrCat("unexpected argument ", Quote(options->arguments[0])));
  for (std::string_view needed : {"--guard", "--scenario"}) {
    if (!options->Has(needed)) return UsageError("rehearse", StrCat(needed, " is missing"));
  }
  auto seed = ParseInt(options->Get("--seed", "1")), runs = ParseInt(options->Get("--runs", "1"));
  if (!seed || !runs || *runs < 1 || *seed < 0)
    return UsageError("rehearse", "--seed and --runs must be whole numbers");
  auto in = Load(*options);
  if (!in) return Fail("rehearse", in.error().message);
  std::vector<proof::Play> plays;
  for (int64_t i = 0; i < *runs; ++i) {
    auto play =
        proof::PlayScenario(in->guard, in->library, in->scenario, static_cast<uint64_t>(*seed + i));
    if (!play) return Fail("rehearse", play.error().message);
    plays.push_back(std::move(*play));
  }
  return Print(*options, *in, plays);
}

}  // namespace

extern const Command kRehearseCommand;
const Command kRehearseCommand = {"rehearse", "play a guard against a simulated cluster", kHelp,
                                  Run};

}  // namespace rollguard::cli
