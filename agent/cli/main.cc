// SPDX-License-Identifier: Apache-2.0
#include <string_view>
#include <vector>

#include "agent/cli/command.h"

int main(int argc, char** argv) {
  std::vector<std::string_view> args(argv + 1, argv + argc);
  return rollguard::cli::Main(args);
}
