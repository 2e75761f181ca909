// SPDX-License-Identifier: Apache-2.0
#include "tests/docs/pages.h"

#include <algorithm>
#include <filesystem>

#include "agent/base/text.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::docs {
namespace {

std::string_view Unindented(std::string_view line, size_t indent) {
  while (indent > 0 && line.starts_with(' ')) {
    line.remove_prefix(1);
    --indent;
  }
  return line;
}

}  // namespace

std::string Source(const std::string& path) { return StrCat(ROLLGUARD_SOURCE_DIR, "/", path); }

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
  std::vector<std::string> pages = {"README.md", "CHANGELOG.md"};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(Source("docs"))) {
    if (entry.path().extension() == ".md")
      pages.push_back(std::filesystem::relative(entry.path(), ROLLGUARD_SOURCE_DIR).string());
  }
  std::sort(pages.begin(), pages.end());
  return pages;
}

bool IsShell(const Block& block) {
  return block.language == "sh" || block.language == "bash" || block.language == "console" ||
         block.language.empty();
}

}  // namespace rollguard::docs
