// SPDX-License-Identifier: Apache-2.0
// `rollguard import`: Argo Rollouts and Flagger Canaries as Guards.
#include "agent/proof/import.h"

#include <cstdio>

#include "agent/base/diagnostic.h"
#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/options.h"
#include "agent/cli/yaml_text.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "import";
constexpr std::string_view kHelp =
    R"(usage: rollguard import FILE...

Turns Argo Rollouts and Flagger Canaries into Guards, with the Deployments and rules they need, and
prints them as YAML. What cannot be carried over is said on the standard error, line by line, with
what to do about it. AnalysisTemplates need no import: they are used as they are.

FILE is YAML or JSON, several documents are allowed, other kinds are passed over; "-" is the
standard input.

options:
  -o yaml|json        how to print (yaml)
  --strict            exit with 1 when something could not be carried over

exit code: 0 imported, 1 a file is bad or holds neither kind, 2 wrong usage

examples:
  rollguard import rollout.yaml > guard.yaml
  kubectl get rollouts,canaries -A -o yaml | rollguard import -
)";

void PrintNotes(const std::string& file, const std::vector<proof::ImportNote>& notes) {
  for (const proof::ImportNote& note : notes) {
    std::fputs(StrCat(file, ":", note.span.line, ":", note.span.column, ": note: ", note.path, ": ",
                      note.text, "\n")
                   .c_str(),
               stderr);
  }
}

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(args, {{"--output"}, {"--strict"}});
  if (!options) return UsageError(kName, options.error().message);
  const std::string output = options->Get("--output", "yaml");
  if (output != "yaml" && output != "json")
    return UsageError(kName, StrCat("-o ", output, " is not known; yaml or json"));
  if (options->arguments.empty()) return UsageError(kName, "name a file");
  size_t documents = 0, notes = 0;
  for (const std::string& file : options->arguments) {
    auto text = ReadFile(file);
    if (!text) return Fail(kName, text.error().message);
    Diagnostics diagnostics;
    const proof::Imported imported = proof::Import(file, *text, diagnostics);
    PrintNotes(file, imported.notes);
    notes += imported.notes.size();
    for (const Diagnostic& d : diagnostics.Sorted()) std::fputs(Render(d, *text).c_str(), stderr);
    if (diagnostics.has_errors()) return kFound;
    for (const Json& document : imported.documents) {
      if (output == "yaml" && documents > 0) std::puts("---");
      std::fputs((output == "yaml" ? ToYaml(document) : document.Dump(2) + "\n").c_str(), stdout);
      ++documents;
    }
  }
  if (documents == 0) return Fail(kName, "there is no Rollout and no Canary");
  return options->Has("--strict") && notes > 0 ? kFound : kOk;
}

}  // namespace

extern const Command kImportCommand;
const Command kImportCommand = {kName, "Argo Rollouts and Flagger Canaries as Guards", kHelp, Run};

}  // namespace rollguard::cli
