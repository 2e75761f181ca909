// SPDX-License-Identifier: Apache-2.0
// Finds a command by its one or two words; everything after them belongs to the command.
#include <cstdio>
#include <set>
#include <vector>

#include "agent/base/diagnostic.h"
#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/manual.h"

namespace rollguard::cli {
namespace {

void PrintOverview(std::FILE* out) {
  std::fputs("rollguard guards releases on Kubernetes.\n\nusage: rollguard COMMAND [ARGUMENTS]\n\n",
             out);
  for (const Command& c : Commands()) {
    std::fprintf(out, "  %-16.*s %.*s\n", static_cast<int>(c.name.size()), c.name.data(),
                 static_cast<int>(c.summary.size()), c.summary.data());
  }
  std::fputs("\n`rollguard COMMAND --help` explains one of them.\n", out);
}

bool WantsHelp(std::span<const std::string_view> args) {
  for (std::string_view a : args) {
    if (a == "--") return false;
    if (a == "--help" || a == "-h") return true;
  }
  return false;
}

// The commands whose first word is `word`: those of a group such as "analysis".
std::vector<const Command*> Group(std::string_view word) {
  std::vector<const Command*> found;
  for (const Command& c : Commands()) {
    if (c.name.size() > word.size() && c.name.substr(0, word.size()) == word &&
        c.name[word.size()] == ' ') {
      found.push_back(&c);
    }
  }
  return found;
}

int PrintGroup(std::FILE* out, const std::vector<const Command*>& group, int code) {
  for (const Command* c : group) {
    std::fprintf(out, "  rollguard %-20.*s %.*s\n", static_cast<int>(c->name.size()),
                 c->name.data(), static_cast<int>(c->summary.size()), c->summary.data());
  }
  return code;
}

// The words that begin like this one, when it was cut short.
std::string Longer(std::string_view word, const std::vector<std::string_view>& names) {
  std::set<std::string_view> found;
  for (std::string_view name : names) {
    if (word.size() >= 2 && name.starts_with(word)) found.insert(name);
  }
  std::string out;
  for (std::string_view name : found) out += StrCat(out.empty() ? "" : " or ", Quote(name));
  return out.empty() ? out : StrCat(" (did you mean ", out, "?)");
}

int Unknown(std::string_view word) {
  if (word.starts_with('-')) {
    std::fputs(StrCat("rollguard: ", Quote(word), " stands before the command: options come after ",
                      "it.\n`rollguard --help` lists the commands.\n")
                   .c_str(),
               stderr);
    return kUsage;
  }
  std::vector<std::string_view> names = {"help"};
  for (const Command& c : Commands()) names.push_back(c.name.substr(0, c.name.find(' ')));
  std::string longer = Longer(word, names);
  std::string message = StrCat("rollguard: unknown command ", Quote(word),
                               longer.empty() ? Suggestion(word, names) : longer, "\n",
                               "`rollguard --help` lists the commands.\n");
  std::fputs(message.c_str(), stderr);
  return kUsage;
}

int RunCommand(const Command& command, std::span<const std::string_view> args) {
  if (!WantsHelp(args)) return command.run(args);
  std::fwrite(command.help.data(), 1, command.help.size(), stdout);
  return kOk;
}

}  // namespace

namespace {

// `rollguard help COMMAND` is `rollguard COMMAND --help`.
int Help(std::span<const std::string_view> args) {
  if (args[0] == "--markdown") {
    std::fputs(Manual().c_str(), stdout);
    return kOk;
  }
  std::vector<std::string_view> asked(args.begin(), args.end());
  asked.push_back("--help");
  return Main(asked);
}

}  // namespace

int Main(std::span<const std::string_view> args) {
  if (args.empty()) {
    PrintOverview(stderr);
    return kUsage;
  }
  if (args[0] == "help" && args.size() > 1) return Help(args.subspan(1));
  if (args[0] == "--help" || args[0] == "-h" || args[0] == "help") {
    PrintOverview(stdout);
    return kOk;
  }
  std::string_view first = args[0] == "--version" ? "version" : args[0];
  for (const Command& c : Commands()) {
    if (c.name == first) return RunCommand(c, args.subspan(1));
    if (args.size() > 1 && c.name == StrCat(first, " ", args[1]))
      return RunCommand(c, args.subspan(2));
  }
  auto group = Group(first);
  if (group.empty()) return Unknown(first);
  bool help = WantsHelp(args);
  return PrintGroup(help ? stdout : stderr, group, help ? kOk : kUsage);
}

}  // namespace rollguard::cli
