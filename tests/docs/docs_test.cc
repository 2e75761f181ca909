// SPDX-License-Identifier: Apache-2.0
// What the documentation tells people to type. docs/install.md is followed word for word; in every
// page, commands of rollguard must exist and take the flags they are shown with, a block after
// `<!-- run -->` is run, and one after `<!-- not run: why -->` is left to people.
#include <algorithm>
#include <filesystem>
#include <map>

#include "agent/base/text.h"
#include "tests/support/agent_process.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::docs {
namespace {

struct Block {
  std::string page;
  size_t line = 0;
  std::string mark;  // the comment before it, without its signs
  std::string language;
  std::string text;  // without the indentation of the fence
};

std::string Source(const std::string& path) { return StrCat(ROLLGUARD_SOURCE_DIR, "/", path); }

std::string_view Unindented(std::string_view line, size_t indent) {
  while (indent > 0 && line.starts_with(' ')) {
    line.remove_prefix(1);
    --indent;
  }
  return line;
}

std::vector<Block> BlocksOf(const std::string& page) {
  std::vector<Block> blocks;
  const std::string text = testing::ReadFile(Source(page));
  INFO(page);
  REQUIRE_FALSE(text.empty());
  std::string mark;
  bool inside = false;
  size_t indent = 0, number = 0;
  for (std::string_view line : Split(text, '\n')) {
    ++number;
    const std::string_view bare = Trim(line);
    if (bare.starts_with("```") && !inside) {
      inside = true;
      indent = line.find('`');
      blocks.push_back({page, number, mark, std::string(bare.substr(3)), ""});
      mark.clear();
    } else if (bare == "```") {
      inside = false;
    } else if (inside) {
      blocks.back().text += StrCat(Unindented(line, indent), "\n");
    } else if (bare.starts_with("<!--") && bare.ends_with("-->")) {
      mark = Trim(bare.substr(4, bare.size() - 7));
    } else if (!bare.empty()) {
      mark.clear();
    }
  }
  CHECK_FALSE(inside);
  return blocks;
}

std::vector<std::string> Pages() {
  std::vector<std::string> pages = {"README.md"};
  for (const auto& entry : std::filesystem::directory_iterator(Source("docs"))) {
    if (entry.path().extension() == ".md")
      pages.push_back(StrCat("docs/", entry.path().filename().string()));
  }
  std::sort(pages.begin(), pages.end());
  return pages;
}

bool IsShell(const Block& block) {
  return block.language == "sh" || block.language == "bash" || block.language == "console" ||
         block.language.empty();
}

// "rollguard" first on the PATH, whatever the binary's folder is called.
std::string Prelude(const testing::TempDir& dir) {
  std::error_code ignored;
  std::filesystem::create_symlink(testing::TheProgram(), dir.path() + "/rollguard", ignored);
  return StrCat("set -euo pipefail\ncd '", ROLLGUARD_SOURCE_DIR, "'\nexport PATH='", dir.path(),
                "':\"$PATH\" TMPDIR='", dir.path(), "' HOME='", dir.path(),
                "'\nunset KUBECONFIG\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n");
}

testing::RunResult RunScript(const testing::TempDir& dir, const std::string& script) {
  const std::string file = dir.Write("script.sh", Prelude(dir) + script);
  return testing::Run({"bash", file}, "", {}, std::chrono::minutes(4));
}

TEST_CASE("docs/install.md, without a cluster, word for word") {
  testing::TempDir dir("install");
  std::string script;
  for (const Block& block : BlocksOf("docs/install.md")) {
    if (IsShell(block) && block.mark.empty()) script += block.text;
  }
  const testing::RunResult result = RunScript(dir, script);
  INFO(result.out << "\n---\n" << result.err);
  CHECK(result.code == 0);
  CHECK(result.out.find("taken back, as it should be") != std::string::npos);
  CHECK(result.out.find("promoted") != std::string::npos);
}

TEST_CASE("docs/install.md, what is applied to a cluster and taken away again") {
  testing::TempDir dir("install");
  auto cluster = testing::SimProcess::Start(dir, {});
  REQUIRE(cluster != nullptr);
  std::string script = StrCat("export KUBECONFIG='", cluster->kubeconfig(), "'\n");
  size_t blocks = 0;
  for (const Block& block : BlocksOf("docs/install.md")) {
    if (block.mark != "run on: a simulated cluster") continue;
    script += block.text;
    ++blocks;
  }
  CHECK(blocks == 2);
  const testing::RunResult result = RunScript(dir, script);
  INFO(result.out << "\n---\n" << result.err);
  CHECK(result.code == 0);
}

TEST_CASE("blocks that are marked so are run") {
  for (const std::string& page : Pages()) {
    for (const Block& block : BlocksOf(page)) {
      if (block.mark != "run") continue;
      testing::TempDir dir("docs");
      const testing::RunResult result = RunScript(dir, block.text);
      INFO(page << ":" << block.line << "\n" << block.text << result.out << result.err);
      CHECK(result.code == 0);
    }
  }
}

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

TEST_CASE("every command of rollguard in the documentation exists, with its flags") {
  size_t seen = 0;
  for (const std::string& page : Pages()) {
    for (const Block& block : BlocksOf(page)) {
      if (!IsShell(block)) continue;
      for (const std::vector<std::string>& command : CommandsIn(block)) {
        INFO(page << ":" << block.line << ": " << Join(command, " "));
        if (command.size() == 2 && command[1].starts_with("-")) continue;  // rollguard --help
        if (command.size() > 1 && command[1].ends_with(":")) continue;     // what it says
        const std::string help = HelpOf(command);
        CHECK_FALSE(help.empty());
        for (const std::string& word : command) {
          if (!word.starts_with("--") || word == "--help") continue;
          INFO(word);
          CHECK(help.find(word.substr(0, word.find('='))) != std::string::npos);
        }
        ++seen;
      }
    }
  }
  CHECK(seen >= 8);
}

TEST_CASE("links between pages lead somewhere") {
  for (const std::string& page : Pages()) {
    const std::string text = testing::ReadFile(Source(page));
    const std::string folder = page.find('/') == std::string::npos ? "" : "docs/";
    for (size_t at = text.find("]("); at != std::string::npos; at = text.find("](", at + 1)) {
      std::string link = text.substr(at + 2, text.find(')', at) - at - 2);
      link = link.substr(0, link.find('#'));
      if (link.empty() || link.find("://") != std::string::npos ||
          link.find(' ') != std::string::npos)
        continue;
      INFO(page << ": " << link);
      CHECK(std::filesystem::exists(Source(folder + link)));
    }
  }
}

}  // namespace
}  // namespace rollguard::docs
