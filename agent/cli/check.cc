// SPDX-License-Identifier: Apache-2.0
// `rollguard check`: reads files and folders, hands every text to agent/spec, prints the problems.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/spec/load.h"

namespace rollguard::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHelp =
    R"(usage: rollguard check PATH... [--complete] [--format text|json]

Checks guards, rule groups, analysis templates, policies, strategies and the agent's configuration:
YAML and JSON files, or every such file in a folder and the folders below it (- reads the standard
input). Every problem is printed with file, line and column; nothing is printed when all is well.
Unit tests (files with "tests") are left to `rollguard test`; manifests of other kinds and Helm
charts are passed over.

options:
  --complete       the paths are all there is: a reference to a rule group, template, policy or
                   strategy that is not among them is an error (else only when it is nearly one)
  --format FORMAT  text (default) or json

exit code: 0 nothing wrong (warnings at most), 1 errors found, 2 wrong usage

examples:
  rollguard check rules/
  rollguard check k8s/examples rules --complete
  kubectl get guards -A -o json | rollguard check - --format json
)";

constexpr uintmax_t kMaxBytes = 16U << 20;

struct Options {
  std::vector<std::string> paths;
  bool complete = false;
  bool json = false;
};

int Usage(const std::string& problem) {
  std::fprintf(stderr, "rollguard check: %s (see rollguard check --help)\n", problem.c_str());
  return kUsage;
}

// The exit code when the arguments are wrong, else nothing.
std::optional<int> ParseArguments(std::span<const std::string_view> args, Options& out) {
  for (size_t i = 0; i < args.size(); ++i) {
    std::string_view arg = args[i];
    std::string_view value;
    if (arg == "--complete") {
      out.complete = true;
      continue;
    }
    if (arg.rfind("--format=", 0) == 0) {
      value = arg.substr(9);
    } else if (arg == "--format" || arg == "-o") {
      if (++i == args.size()) return Usage(StrCat(arg, " needs a value: text or json"));
      value = args[i];
    } else if (arg.size() > 1 && arg[0] == '-') {
      return Usage(
          StrCat("unknown option ", Quote(arg), Suggestion(arg, {"--complete", "--format"})));
    } else {
      out.paths.emplace_back(arg);
      continue;
    }
    if (value != "text" && value != "json")
      return Usage(StrCat("the format is text or json, not ", Quote(value)));
    out.json = value == "json";
  }
  if (out.paths.empty()) return Usage("name at least one file or folder");
  return std::nullopt;
}

bool IsDocument(const fs::path& path) {
  std::string extension = path.extension().string();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

// Files below a folder in order of name; hidden ones and Helm charts are passed over.
void Collect(const fs::path& folder, std::vector<std::string>& out, Diagnostics& diagnostics) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    entries.push_back(it->path());
  if (error) diagnostics.Error(folder.string(), {}, StrCat("cannot be read: ", error.message()));
  std::sort(entries.begin(), entries.end());
  for (const fs::path& path : entries) {
    if (path.filename().string()[0] == '.') continue;
    if (fs::is_directory(path, error)) {
      bool link = fs::is_symlink(path, error);
      if (!link && !fs::exists(path / "Chart.yaml", error)) Collect(path, out, diagnostics);
    } else if (IsDocument(path)) {
      out.push_back(path.string());
    }
  }
}

std::vector<std::string> FilesOf(const Options& options, Diagnostics& diagnostics) {
  std::vector<std::string> files;
  for (const std::string& path : options.paths) {
    std::error_code error;
    if (path != "-" && fs::is_directory(path, error)) {
      Collect(path, files, diagnostics);
    } else {
      files.push_back(path);
    }
  }
  std::set<std::string> seen;
  std::vector<std::string> unique;
  for (std::string& file : files) {
    if (seen.insert(file).second) unique.push_back(std::move(file));
  }
  return unique;
}

// False when the file cannot be read, which is reported.
bool ReadFile(const std::string& file, std::string& text, Diagnostics& diagnostics) {
  if (file == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
    return true;
  }
  std::error_code error;
  if (!fs::exists(file, error)) {
    diagnostics.Error(file, {}, "there is no such file");
    return false;
  }
  uintmax_t size = fs::is_regular_file(file, error) ? fs::file_size(file, error) : 0;
  if (size > kMaxBytes) {
    diagnostics.Error(file, {},
                      StrCat("the file has ", size, " bytes; at most ", kMaxBytes, " are read"));
    return false;
  }
  std::ifstream stream(file, std::ios::binary);
  text.resize(size);
  stream.read(text.data(), static_cast<std::streamsize>(size));
  text.resize(static_cast<size_t>(std::max<std::streamsize>(stream.gcount(), 0)));
  if (size == 0) text.assign(std::istreambuf_iterator<char>(stream), {});
  if (!stream.bad() && stream.is_open()) return true;
  diagnostics.Error(file, {}, "cannot be read");
  return false;
}

Json ToJson(const Diagnostic& d) {
  return Json::Obj({{"file", d.file},
                    {"line", d.span.line},
                    {"column", d.span.column},
                    {"length", d.span.length},
                    {"severity", d.severity == Severity::kError ? "error" : "warning"},
                    {"message", d.message}});
}

int Run(std::span<const std::string_view> args) {
  Options options;
  if (auto code = ParseArguments(args, options)) return *code;
  Diagnostics diagnostics;
  std::map<std::string, std::string> texts;
  spec::Library library;
  for (const std::string& file : FilesOf(options, diagnostics)) {
    std::string& text = texts[file == "-" ? "stdin" : file];
    if (!ReadFile(file, text, diagnostics)) continue;
    spec::LoadText(file == "-" ? "stdin" : file, text, library, diagnostics);
  }
  spec::CheckLibrary(library, options.complete, diagnostics);
  std::vector<Diagnostic> problems = diagnostics.Sorted();
  if (options.json) {
    Json::Array list;
    for (const Diagnostic& d : problems) list.push_back(ToJson(d));
    Json out = Json::Obj({{"files", texts.size()},
                          {"errors", diagnostics.error_count()},
                          {"problems", std::move(list)}});
    std::cout << out.Dump(2) << "\n";
  } else {
    for (const Diagnostic& d : problems) std::cout << Render(d, texts[d.file]);
  }
  std::cout.flush();
  return diagnostics.has_errors() ? kFound : kOk;
}

}  // namespace

extern const Command kCheckCommand;
const Command kCheckCommand = {"check", "check guards, rules, templates and configuration", kHelp,
                               Run};

}  // namespace rollguard::cli
