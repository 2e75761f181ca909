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

std::string Joined(const std::set<std::string>& words) {
  return Join(std::vector<std::string>(words.begin(), words.end()), " ");
}

const Command* Find(std::string_view name) {
  for (const Command& c : Commands()) {
    if (c.name == name) return &c;
  }
  return nullptr;
}

bool TakesGuard(std::string_view name) {
  const Command* command = Find(name);
  return command != nullptr && command->help.find(" GUARD") != std::string_view::npos;
}

constexpr std::string_view kGuards =
    "rollguard get guards -o json 2>/dev/null | sed -n 's/^ *\"id\": \"\\(.*\\)\",$/\\1/p'";

// For bash and zsh alike: what may follow the words in $key.
std::string Cases() {
  const auto words = Words();
  std::string out = StrCat("  case \"$key\" in\n    '') list=\"", Joined(words.at("")), "\" ;;\n");
  // Two words before one: "promql eval" before "promql".
  for (auto it = words.rbegin(); it != words.rend(); ++it) {
    if (it->first.empty()) continue;
    out += StrCat("    '", it->first, "'*) list=\"", Joined(it->second), "\"",
                  TakesGuard(it->first) ? "; guards=1" : "", " ;;\n");
  }
  return StrCat(out, "  esac\n  [[ -n $guards && $cur != -* ]] && list=$(", kGuards, ")\n");
}

std::string Bash() {
  return StrCat(R"(# bash completion of rollguard
_rollguard() {
  local cur=${COMP_WORDS[COMP_CWORD]} key="${COMP_WORDS[*]:1:COMP_CWORD-1}" list= guards=
)",
                Cases(), R"(  COMPREPLY=($(compgen -W "$list" -- "$cur"))
  [[ ${#COMPREPLY[@]} -gt 0 || $cur == -* ]] || COMPREPLY=($(compgen -f -- "$cur"))
}
complete -F _rollguard rollguard kubectl-rollguard
)");
}

std::string Zsh() {
  return StrCat(R"(#compdef rollguard kubectl-rollguard
# zsh completion of rollguard
_rollguard() {
  local cur=${words[CURRENT]} key="${(j: :)words[2,CURRENT-1]}" list= guards=
)",
                Cases(), R"(  compadd -- ${=list} || [[ $cur == -* ]] || _files
}
if [[ ${funcstack[1]} == _rollguard ]]; then _rollguard "$@"; else compdef _rollguard rollguard; fi
)");
}

std::string Escaped(std::string_view text) { return ReplaceAll(text, "'", "\\'"); }

// When the words of a command stand there, but not yet one that may follow them.
std::string FishCondition(const std::string& name, const std::set<std::string>& next) {
  std::string out = "__fish_use_subcommand";
  if (!name.empty())
    out = StrCat("__fish_seen_subcommand_from ",
                 ReplaceAll(name, " ", "; and __fish_seen_subcommand_from "));
  if (!next.empty()) out += StrCat("; and not __fish_seen_subcommand_from ", Joined(next));
  return StrCat("complete -c rollguard -n '", out, "' ");
}

std::string FishWords(const std::string& name, const std::set<std::string>& words) {
  std::set<std::string> next;  // commands of a group, or what a command is to do
  for (const std::string& word : words) {
    if (!word.starts_with("--")) next.insert(word);
  }
  std::string out;
  const std::string after = FishCondition(name, {}), before = FishCondition(name, next);
  for (const std::string& word : words) {
    const Command* command = Find(name.empty() ? word : StrCat(name, " ", word));
    if (word.starts_with("--")) {
      out += StrCat(after, "-l ", word.substr(2), "\n");
    } else {
      out += StrCat(name.empty() ? after : before, "-a ", word);
      out += command == nullptr ? "\n" : StrCat(" -d '", Escaped(command->summary), "'\n");
    }
  }
  if (TakesGuard(name)) {
    out += StrCat(after, "-a '(__rollguard_guards)'\n");
  } else if (Find(name) != nullptr && next.empty()) {
    out += StrCat(after, "-F\n");
  }
  return out;
}

std::string Fish() {
  std::string out = StrCat("# fish completion of rollguard\nfunction __rollguard_guards\n  ",
                           kGuards, "\nend\ncomplete -c rollguard -f\n");
  for (const auto& [name, words] : Words()) out += FishWords(name, words);
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
