// SPDX-License-Identifier: Apache-2.0
// Commands of rollguard in the documentation, in pipelines and scripts exist and take the flags
// they are shown with; every block with one is run by a test or says why not (`<!-- not run: why
// -->`).
#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "agent/base/text.h"
#include "tests/docs/pages.h"
#include "tests/support/agent_process.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::docs {
namespace {

// The words of a command as the shell would see them, near enough: quotes and continuation lines.
std::vector<std::string> WordsOf(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  bool any = false;
  for (char c : line) {
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      any = true;
    } else if (c == ' ') {
      if (any || !word.empty()) words.push_back(word);
      word.clear();
      any = false;
    } else {
      word += c;
    }
  }
  if (any || !word.empty()) words.push_back(word);
  return words;
}

// The commands of rollguard in a block: from the word on to the end, a pipe, a comment or a `&`.
std::vector<std::vector<std::string>> CommandsIn(const Block& block) {
  std::vector<std::vector<std::string>> commands;
  const std::string joined = ReplaceAll(block.text, "\\\n", " ");
  for (std::string_view raw : Split(joined, '\n')) {
    std::string_view line = Trim(raw);
    if (line.starts_with("$ ")) line.remove_prefix(2);
    for (const char* before : {"if ", "until ", "! "})
      if (line.starts_with(before)) line.remove_prefix(std::string_view(before).size());
    if (!line.starts_with("rollguard ") && !line.starts_with("build/rollguard ")) continue;
    std::vector<std::string> command;
    for (const std::string& word : WordsOf(std::string(line))) {
      if (word == "|" || word == "||" || word == "&&" || word == "&" || word == ";" ||
          word.starts_with("#") || word.starts_with(">") || word.starts_with("2>")) {
        break;
      }
      command.push_back(word);
    }
    commands.push_back(std::move(command));
  }
  return commands;
}

// What `rollguard ... --help` says of the command these words begin with.
std::string HelpOf(const std::vector<std::string>& command) {
  static std::map<std::string, std::string> known;
  for (size_t words : {3U, 2U}) {
    if (command.size() < words) continue;
    std::vector<std::string> ask = {testing::TheProgram()};
    ask.insert(ask.end(), command.begin() + 1,
               command.begin() + static_cast<std::ptrdiff_t>(words));
    ask.emplace_back("--help");
    const std::string key = Join(ask, " ");
    if (!known.contains(key)) {
      const testing::RunResult result = testing::Run(ask);
      known[key] = result.code == 0 ? result.out : "";
    }
    if (!known[key].empty()) return known[key];
  }
  return {};
}

// What is wrong with a command as it is written: it does not exist, or a flag of it does not.
std::string WrongWith(const std::vector<std::string>& command) {
  if (command.size() < 2 || command[1].starts_with("-")) return {};  // rollguard --help
  if (command[1].ends_with(":")) return {};                          // what it says
  const std::string help = command[1] == "help" ? "--markdown" : HelpOf(command);
  if (help.empty()) return "there is no such command";
  for (const std::string& word : command) {
    if (!word.starts_with("--") || word == "--help") continue;
    if (help.find(word.substr(0, word.find('='))) == std::string::npos)
      return StrCat("it has no flag ", word);
  }
  return {};
}

TEST_CASE("every command of rollguard in a block exists, with its flags") {
  size_t seen = 0;
  for (const std::string& page : Pages()) {
    for (const Block& block : BlocksOf(page)) {
      if (!IsShell(block)) continue;
      for (const std::vector<std::string>& command : CommandsIn(block)) {
        INFO(page << ":" << block.line << ": " << Join(command, " "));
        CHECK(WrongWith(command) == "");
        ++seen;
      }
    }
  }
  CHECK(seen >= 40);
}

// `rollguard get guards` between backticks. Elsewhere in a span, and after a bracket or an
// ellipsis, people are told of a form, not of a command.
TEST_CASE("every command of rollguard in a sentence exists, with its flags") {
  size_t seen = 0;
  for (const std::string& page : Pages()) {
    if (page == "CHANGELOG.md") continue;  // tells of mistyped commands too
    const std::string text = testing::ReadFile(Source(page));
    for (size_t at = text.find("`rollguard "); at != std::string::npos;
         at = text.find("`rollguard ", at + 1)) {
      const std::string span = text.substr(at + 1, text.find('`', at + 1) - at - 1);
      const std::string plain = ReplaceAll(span.substr(0, span.find_first_of("[|.")), "\n", " ");
      const std::vector<std::string> command = WordsOf(plain);
      INFO(page << ": " << span);
      CHECK(WrongWith(command) == "");
      ++seen;
    }
  }
  CHECK(seen >= 40);
}

TEST_CASE("pipelines in k8s/examples/ci and scripts use commands that exist") {
  size_t seen = 0;
  for (const char* folder : {"k8s/examples/ci", "k8s/scripts"}) {
    for (const auto& entry : std::filesystem::directory_iterator(Source(folder))) {
      const std::string text = testing::ReadFile(entry.path().string());
      for (std::string_view line : Split(std::string_view(text), '\n')) {
        for (const char* lead : {"- run: ", "run: ", "- "}) {
          line = Trim(line);
          if (line.starts_with(lead)) line.remove_prefix(std::string_view(lead).size());
        }
        for (const std::vector<std::string>& command :
             CommandsIn({"", 0, "", "", std::string(line)})) {
          INFO(entry.path() << ": " << line);
          CHECK(WrongWith(command) == "");
          ++seen;
        }
      }
    }
  }
  CHECK(seen >= 9);
}

TEST_CASE("every block with a command of rollguard is run, or says why not") {
  size_t run = 0;
  for (const std::string& page : Pages()) {
    for (const Block& block : BlocksOf(page)) {
      if (!IsShell(block) || CommandsIn(block).empty()) continue;
      INFO(page << ":" << block.line << "\n" << block.text);
      const bool runs = block.mark == "run" || block.mark.starts_with("run on: ") ||
                        (block.mark.empty() &&
                         std::find(kFollowed.begin(), kFollowed.end(), page) != kFollowed.end());
      const bool says = block.mark.starts_with("not run: ") && block.mark.size() > 15;
      CHECK((runs || says));
      run += runs ? 1 : 0;
    }
  }
  CHECK(run >= 20);
}

}  // namespace
}  // namespace rollguard::docs
