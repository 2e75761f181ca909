// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/manual.h"

#include "agent/base/text.h"
#include "agent/cli/command.h"

namespace rollguard::cli {

std::string Manual() {
  std::string out =
      "# The command line\n\n"
      "Written by `rollguard help --markdown`; a test holds this page against the commands.\n\n"
      "Exit codes are the same everywhere: 0 all is well, 1 something was found or failed, 2 the\n"
      "command line itself was wrong. As a kubectl plugin: put a link named `kubectl-rollguard` "
      "to\n"
      "the program on your PATH, then `kubectl rollguard status shop/checkout` works.\n\n"
      "| command | what it does |\n| --- | --- |\n";
  for (const Command& c : Commands()) {
    out += StrCat("| [`rollguard ", c.name, "`](#rollguard-", ReplaceAll(c.name, " ", "-"), ") | ",
                  c.summary, " |\n");
  }
  for (const Command& c : Commands()) {
    std::string_view help = c.help;
    while (help.ends_with('\n')) help.remove_suffix(1);
    out += StrCat("\n## rollguard ", c.name, "\n\n```text\n", help, "\n```\n");
  }
  return out;
}

}  // namespace rollguard::cli
