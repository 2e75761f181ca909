// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/options.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "agent/base/diagnostic.h"
#include "agent/base/text.h"
#include "agent/cli/command.h"

namespace rollguard::cli {
namespace {

namespace fs = std::filesystem;

std::string_view LongName(std::string_view arg) {
  if (arg == "-o") return "--output";
  if (arg == "-n") return "--namespace";
  return arg;
}

bool Knows(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool IsSpecFile(const fs::path& path) {
  return path.extension() == ".yaml" || path.extension() == ".yml" || path.extension() == ".json";
}

}  // namespace

std::string Options::Get(std::string_view name, std::string_view fallback) const {
  auto found = values.find(name);
  return found == values.end() ? std::string(fallback) : found->second.back();
}

std::vector<std::string> Options::All(std::string_view name) const {
  auto found = values.find(name);
  return found == values.end() ? std::vector<std::string>() : found->second;
}

Expected<Options> ParseOptions(std::span<const std::string_view> args, const OptionNames& names) {
  Options options;
  for (size_t i = 0; i < args.size(); ++i) {
    std::string_view arg = args[i];
    if (arg.size() < 2 || arg[0] != '-') {
      options.arguments.emplace_back(arg);
      continue;
    }
    size_t equals = arg.find('=');
    std::string_view name = LongName(arg.substr(0, equals));
    if (Knows(names.switches, name) && equals == std::string_view::npos) {
      options.values[std::string(name)].emplace_back("true");
    } else if (!Knows(names.values, name)) {
      std::vector<std::string_view> all = names.values;
      all.insert(all.end(), names.switches.begin(), names.switches.end());
      return Error(ErrorCode::kInvalid,
                   StrCat("unknown option ", Quote(name), Suggestion(name, all)));
    } else if (equals != std::string_view::npos) {
      options.values[std::string(name)].emplace_back(arg.substr(equals + 1));
    } else if (i + 1 < args.size()) {
      options.values[std::string(name)].emplace_back(args[++i]);
    } else {
      return Error(ErrorCode::kInvalid, StrCat(name, " needs a value"));
    }
  }
  return options;
}

Expected<std::string> ReadFile(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::error_code error;
  if (fs::is_directory(path, error))
    return Error(ErrorCode::kInvalid, StrCat(path, " is a folder; name a file"));
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error(ErrorCode::kNotFound, StrCat("cannot read ", path));
  return std::string(std::istreambuf_iterator<char>(in), {});
}

Status WriteFile(const std::string& path, std::string_view content) {
  std::ofstream out(path, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.flush();
  if (!out) return Error(ErrorCode::kUnavailable, StrCat("cannot write ", path));
  return {};
}

std::vector<std::string> FilesBelow(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    for (fs::recursive_directory_iterator at(path, error), end; at != end; at.increment(error)) {
      if (at->is_regular_file() && IsSpecFile(at->path())) files.push_back(at->path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

int UsageError(std::string_view command, std::string_view problem) {
  std::fputs(StrCat("rollguard ", command, ": ", problem, "\n`rollguard ", command,
                    " --help` explains it.\n")
                 .c_str(),
             stderr);
  return kUsage;
}

int Fail(std::string_view command, std::string_view problem) {
  std::fputs(StrCat("rollguard ", command, ": ", problem, "\n").c_str(), stderr);
  return kFound;
}

}  // namespace rollguard::cli
