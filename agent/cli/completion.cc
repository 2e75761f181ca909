// SPDX-License-Identifier: Apache-2.0
// `rollguard completion`: scripts that complete commands, their options and guards by name.
#include <cstdio>
#include <map>
#include <set>

#include "agent/base/diagnostic.h"
#include "agent/base/text.h"
#include "agent/cli/command.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "completion";
constexpr std::string_view kHelp =
    R"(usage: rollguard completion bash|zsh|fish

Prints a script that completes commands, their options, and the names of guards.

examples:
  source <(rollguard completion bash)
  rollguard completion zsh > "${fpath[1]}/_rollguard"
  rollguard completion fish > ~/.config/fish/completions/rollguard.fish
)";

// The words that begin with "-" in a command's help: its options.
std::set<std::string> OptionsIn(std::string_view help) {
  std::set<std::string> found = {"--help"};
  for (size_t at = help.find("--"); at != std::string_view::npos; at = help.find("--", at + 2)) {
    if (at > 0 && help[at - 1] != ' ' && help[at - 1] != '[' && help[at - 1] != '\n') continue;
    const size_t end = help.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-", at);
    const std::string word(help.substr(at, end - at));
    if (word.size() > 2) found.insert(word);
  }
  return found;
}

// What may stand behind a word: commands of a group, or options.
std::map<std::string, std::set<std::string>> Words() {
  std::map<std::string, std::set<std::string>> words;
  for (const Command& c : Commands()) {
    const size_t space = c.name.find(' ');
    const std::string first(c.name.substr(0, space));
    words[""].insert(first);
    if (space != std::string_view::npos) words[first].insert(std::string(c.name.substr(space + 1)));
    for (const std::string& option : OptionsIn(c.help)) words[std::string(c.name)].insert(option);
  }
  words["get"].insert(
      {"guards", "releases", "decisions", "alerts", "rules", "channels", "dead-letters"});
  words["history"].insert({"releases", "decisions", "alerts", "measurements", "calls"});
  words["completion"].insert({"bash", "zsh", "fish"});
  return words;
}

bool TakesGuard(std::string_view help) { return help.find(" GUARD") != std::string_view::npos; }

std::string Joined(const std::set<std::string>& words) {
  return Join(std::vector<std::string>(words.begin(), words.end()), " ");
}

std::string Bash() {
  std::string out =
      "# bash completion of rollguard\n"
      "_rollguard() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} key=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\" words "
      "guards=\n"
      "  case \"$key\" in\n"
      "    '') words=\"" +
      Joined(Words()[""]) + "\" ;;\n";
  // Two words before one: "promql eval" before "promql".
  const auto words = Words();
  for (auto it = words.rbegin(); it != words.rend(); ++it) {
    if (it->first.empty()) continue;
    bool guard = false;
    for (const Command& c : Commands()) guard |= c.name == it->first && TakesGuard(c.help);
    out += StrCat("    '", it->first, "'*) words=\"", Joined(it->second), "\"",
                  guard ? "; guards=1" : "", " ;;\n");
  }
  out +=
      "  esac\n"
      "  if [[ -n $guards && $cur != -* ]]; then\n"
      "    words=$(rollguard get guards -o json 2>/dev/null |\n"
      "      sed -n 's/^ *\"id\": \"\\(.*\\)\",$/\\1/p')\n"
      "  fi\n"
      "  if [[ $cur != -* && -z $words ]]; then COMPREPLY=($(compgen -f -- \"$cur\")); return; fi\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
      "  [[ ${#COMPREPLY[@]} -gt 0 || $cur == -* ]] || COMPREPLY=($(compgen -f -- \"$cur\"))\n"
      "}\n"
      "complete -F _rollguard rollguard kubectl-rollguard\n";
  return out;
}

std::string Zsh() {
  return "#compdef rollguard\n# zsh completion of rollguard, by way of bash's\n"
         "autoload -U +X bashcompinit && bashcompinit\n" +
         Bash();
}

std::string Escaped(std::string_view text) { return ReplaceAll(text, "'", "\\'"); }

std::string Fish() {
  std::string out = "# fish completion of rollguard\ncomplete -c rollguard -f\n";
  std::set<std::string> groups;
  for (const Command& c : Commands()) {
    const size_t space = c.name.find(' ');
    const std::string first(c.name.substr(0, space));
    if (space == std::string_view::npos) {
      out += StrCat("complete -c rollguard -n __fish_use_subcommand -a ", first, " -d '",
                    Escaped(c.summary), "'\n");
    } else {
      if (groups.insert(first).second)
        out += StrCat("complete -c rollguard -n __fish_use_subcommand -a ", first, "\n");
      out += StrCat("complete -c rollguard -n '__fish_seen_subcommand_from ", first, "' -a ",
                    c.name.substr(space + 1), " -d '", Escaped(c.summary), "'\n");
    }
    for (const std::string& option : OptionsIn(c.help))
      out += StrCat("complete -c rollguard -n '__fish_seen_subcommand_from ", first, "' -l ",
                    option.substr(2), "\n");
  }
  return out;
}

int Run(std::span<const std::string_view> args) {
  static constexpr std::string_view kShells[] = {"bash", "zsh", "fish"};
  const std::string shell(args.size() == 1 ? args[0] : "");
  std::string script;
  if (shell == "bash") script = Bash();
  if (shell == "zsh") script = Zsh();
  if (shell == "fish") script = Fish();
  if (script.empty()) {
    std::fputs(StrCat("rollguard completion: name a shell: bash, zsh or fish",
                      Suggestion(shell, {std::begin(kShells), std::end(kShells)}),
                      "\n`rollguard completion --help` explains it.\n")
                   .c_str(),
               stderr);
    return kUsage;
  }
  std::fputs(script.c_str(), stdout);
  return kOk;
}

}  // namespace

extern const Command kCompletionCommand;
const Command kCompletionCommand = {kName, "completion for bash, zsh and fish", kHelp, Run};

}  // namespace rollguard::cli
