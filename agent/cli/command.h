// SPDX-License-Identifier: Apache-2.0
// A command of the `rollguard` program. Each command lives in a file of its own and is listed in
// commands.cc; commands know nothing of each other.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace rollguard::cli {

// Exit codes, the same for every command.
inline constexpr int kOk = 0;
inline constexpr int kFound = 1;  // something was found: a failing test, a bad file, a lost release
inline constexpr int kUsage = 2;  // the command line itself was wrong

struct Command {
  std::string_view name;     // "check", or "analysis judge" for a nested one
  std::string_view summary;  // one line in `rollguard --help`
  std::string_view help;     // usage, options and examples: what `rollguard NAME --help` prints
  // The arguments after the name. Returns the exit code.
  int (*run)(std::span<const std::string_view> args);
};

// Every command, in the order of `rollguard --help`.
std::span<const Command> Commands();

// Finds the command, answers --help, suggests on a typo.
int Main(std::span<const std::string_view> args);

}  // namespace rollguard::cli
