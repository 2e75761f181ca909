// SPDX-License-Identifier: Apache-2.0
// Command lines: `--name value`, `--name=value`, switches and positional arguments, each known by
// name, wrong ones refused with a suggestion.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/expected.h"

namespace rollguard::cli {

struct OptionNames {
  std::vector<std::string_view> values;    // take a value; may come several times
  std::vector<std::string_view> switches;  // stand alone
};

struct Options {
  std::map<std::string, std::vector<std::string>, std::less<>> values;
  std::vector<std::string> arguments;

  bool Has(std::string_view name) const { return values.find(name) != values.end(); }
  // The last value given, or `fallback`.
  std::string Get(std::string_view name, std::string_view fallback = {}) const;
  std::vector<std::string> All(std::string_view name) const;
};

// "-o" is taken for "--output" and "-n" for "--namespace".
Expected<Options> ParseOptions(std::span<const std::string_view> args, const OptionNames& names);

// The whole file, "-" for the standard input.
Expected<std::string> ReadFile(const std::string& path);
Status WriteFile(const std::string& path, std::string_view content);
// Every .yaml, .yml and .json below the paths, sorted.
std::vector<std::string> FilesBelow(const std::vector<std::string>& paths);

// "rollguard COMMAND: problem", the way to help; the exit code of a wrong command line.
int UsageError(std::string_view command, std::string_view problem);
// "rollguard COMMAND: problem"; the exit code of something found.
int Fail(std::string_view command, std::string_view problem);

}  // namespace rollguard::cli
