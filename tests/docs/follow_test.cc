// SPDX-License-Identifier: Apache-2.0
// What the documentation tells people to type is typed: docs/install.md and docs/tutorial.md word
// for word, and in every page the blocks after `<!-- run -->`.
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

// All blocks of a page that people type, one after another in one shell.
testing::RunResult Follow(const testing::TempDir& dir, const std::string& page) {
  std::string script;
  for (const Block& block : BlocksOf(page)) {
    if (IsShell(block) && block.mark.empty()) script += block.text;
  }
  return RunScript(dir, script);
}

TEST_CASE("docs/install.md, without a cluster, word for word") {
  testing::TempDir dir("install");
  const testing::RunResult result = Follow(dir, "docs/install.md");
  INFO(result.out << "\n---\n" << result.err);
  CHECK(result.code == 0);
  CHECK(result.out.find("taken back, as it should be") != std::string::npos);
  CHECK(result.out.find("promoted") != std::string::npos);
}

TEST_CASE("docs/tutorial.md, word for word") {
  testing::TempDir dir("tutorial");
  const testing::RunResult result = Follow(dir, "docs/tutorial.md");
  INFO(result.out << "\n---\n" << result.err);
  CHECK(result.code == 0);
  for (const char* said :
       {"would roll back: TooManyErrors", "taken back\n", "TooManyErrors is firing",
        "replayed to the same answer", "waits for approval", "is stable now", "precision 100 %",
        "nothing was changed"}) {
    INFO(said);
    CHECK(result.out.find(said) != std::string::npos);
  }
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

}  // namespace
}  // namespace rollguard::docs
