// SPDX-License-Identifier: Apache-2.0
// The documentation as the tests see it: pages, and the fenced blocks in them.
#pragma once

#include <string>
#include <vector>

namespace rollguard::docs {

struct Block {
  std::string page;
  size_t line = 0;
  std::string mark;  // the comment before it, without its signs
  std::string language;
  std::string text;  // without the indentation of the fence
};

// The path of a file of the project.
std::string Source(const std::string& path);

// README.md, CHANGELOG.md and everything under docs/, sorted, from the top of the project.
std::vector<std::string> Pages();

// Fails the test when the page is empty or a block does not end.
std::vector<Block> BlocksOf(const std::string& page);

// What people type, not configuration or what a program prints.
bool IsShell(const Block& block);

// Pages whose blocks are all run, one after another: the first two by follow_test.cc, the third by
// tests/cli/rules_page_test.cc.
inline const std::vector<std::string> kFollowed = {"docs/install.md", "docs/tutorial.md",
                                                   "docs/rules.md"};

}  // namespace rollguard::docs
