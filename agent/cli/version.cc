// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "agent/cli/command.h"

namespace rollguard::cli {
namespace {

int Run(std::span<const std::string_view>) {
  std::puts("rollguard 0.1.0");
  return kOk;
}

}  // namespace

extern const Command kVersionCommand;
const Command kVersionCommand = {"version", "print the version",
                                 "usage: rollguard version\n\nPrints the version of this binary.\n",
                                 Run};

}  // namespace rollguard::cli
