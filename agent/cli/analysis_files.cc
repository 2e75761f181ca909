// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/analysis_files.h"

#include "agent/analysis/template_file.h"
#include "agent/base/text.h"

namespace rollguard::cli {
namespace {

Status ReadPairs(const Options& options, std::string_view name,
                 std::vector<std::pair<std::string, std::string>>& out) {
  for (const std::string& pair : options.All(name)) {
    size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error(ErrorCode::kInvalid, StrCat(name, " must read NAME=VALUE, not ", Quote(pair)));
    }
    out.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return {};
}

}  // namespace

Expected<AnalysisInput> ReadAnalysisInput(const Options& options) {
  AnalysisInput input;
  if (!options.Has("--template")) return Error(ErrorCode::kInvalid, "--template is missing");
  for (const std::string& file : options.All("--template")) {
    auto text = ReadFile(file);
    if (!text) return text.error();
    Diagnostics diagnostics;
    spec::LoadText(file, *text, input.library, diagnostics);
    for (const Diagnostic& d : diagnostics.Sorted()) {
      input.problems += Render(d, *text);
      if (input.first.empty() && d.severity == rollguard::Severity::kError) input.first = d.message;
    }
  }
  if (auto status = ReadPairs(options, "--arg", input.args); !status) return status.error();
  if (auto status = ReadPairs(options, "--secret", input.secrets); !status) return status.error();
  return input;
}

analysis::Run MakeOfflineRun(const AnalysisInput& input, const std::string& name, Time now) {
  if (!input.first.empty()) return analysis::FailedRun(input.first, now);
  auto options = analysis::OfflineOptions(input.library, name, input.args);
  if (options.templates.empty()) {
    return analysis::FailedRun(name.empty()
                                   ? "there is no analysis template in the file"
                                   : StrCat("there is no template ", Quote(name), " in the file"),
                               now);
  }
  auto run = analysis::CreateRun(options, now);
  return run ? std::move(*run) : analysis::FailedRun(run.error().message, now);
}

}  // namespace rollguard::cli
