// SPDX-License-Identifier: Apache-2.0
// k8s/Dockerfile, without a container engine: its stages, its packages against what the build needs
// and what the program is linked with, and its cmake command on what it copies.
#include <filesystem>
#include <set>

#include "agent/base/text.h"
#include "tests/support/agent_process.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::shipped {
namespace {

struct Stage {
  std::string from;
  std::vector<std::string> run, copy, user;
};

std::string Source(const std::string& path) { return StrCat(ROLLGUARD_SOURCE_DIR, "/", path); }

std::vector<Stage> Stages() {
  std::vector<Stage> stages;
  const std::string text = ReplaceAll(testing::ReadFile(Source("k8s/Dockerfile")), "\\\n", " ");
  for (std::string_view line : Split(std::string_view(text), '\n')) {
    const std::string_view rest = Trim(line.substr(std::min(line.find(' '), line.size())));
    if (line.starts_with("FROM ")) stages.push_back({std::string(rest), {}, {}, {}});
    if (stages.empty()) continue;
    Stage& stage = stages.back();
    if (line.starts_with("RUN ")) stage.run.emplace_back(rest);
    if (line.starts_with("COPY ")) stage.copy.emplace_back(rest);
    if (line.starts_with("USER ")) stage.user.emplace_back(rest);
  }
  REQUIRE(stages.size() == 2);
  return stages;
}

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  for (std::string_view word : Split(text, ' ')) {
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

// The packages between `apt-get install` and the next `&&`.
std::set<std::string> PackagesOf(const Stage& stage) {
  std::set<std::string> packages;
  const std::string& command = stage.run.at(0);
  const size_t at = command.find("apt-get install");
  REQUIRE(at != std::string::npos);
  for (const std::string& word : Words(command.substr(at, command.find("&&", at) - at))) {
    if (word != "apt-get" && word != "install" && !word.starts_with("-")) packages.insert(word);
  }
  REQUIRE(packages.size() > 5);
  return packages;
}

// What the build needs by .ci/setup.sh, but what only makes it faster.
std::set<std::string> NeededPackages() {
  const std::string setup = testing::ReadFile(Source(".ci/setup.sh"));
  const size_t begin = setup.find("needs_build()");
  const std::string rows = setup.substr(begin, setup.find("needs_test()") - begin);
  std::set<std::string> packages;
  for (std::string_view line : Split(std::string_view(rows), '\n')) {
    const auto parts = Split(line, '|');
    if (parts.size() == 3) packages.emplace(parts[1]);
  }
  packages.erase("ccache");
  packages.erase("catch2");
  REQUIRE(packages.size() > 10);
  return packages;
}

TEST_CASE("image: two stages of Debian's image, and nobody in particular runs the second") {
  const std::vector<Stage> stages = Stages();
  CHECK(stages[0].from == "debian:12-slim AS build");
  CHECK(stages[1].from == "debian:12-slim");
  CHECK(stages[1].user == std::vector<std::string>{"65532:65532"});
  for (const Stage& stage : stages) {
    CHECK(stage.run.at(0).find("--no-install-recommends") != std::string::npos);
    CHECK(stage.run.at(0).find("rm -rf /var/lib/apt/lists/*") != std::string::npos);
  }
  for (const Stage& stage : stages) {
    for (const std::string& copy : stage.copy) {
      std::vector<std::string> words = Words(copy);
      if (words[0] == "--from=build") continue;
      words.pop_back();
      for (const std::string& path : words) {
        INFO(path);
        CHECK(std::filesystem::exists(Source(path)));
      }
    }
  }
}

TEST_CASE("image: the first stage has the packages that the build needs, and no other") {
  CHECK(PackagesOf(Stages()[0]) == NeededPackages());
}

// The package that a shared library comes from, as this machine's dpkg knows it.
std::string PackageOf(const std::string& library) {
  std::error_code ignored;
  const std::string real = std::filesystem::canonical(library, ignored).string();
  for (const std::string& path : {real, ReplaceAll(real, "/usr/lib/", "/lib/")}) {
    const testing::RunResult found = testing::Run({"dpkg", "-S", path});
    if (found.code == 0) return found.out.substr(0, found.out.find(':'));
  }
  return "nobody's: " + library;
}

TEST_CASE(
    "image: the second stage has the packages that the program is linked with, and no other") {
  const std::set<std::string> packages = PackagesOf(Stages()[1]);
  const testing::RunResult needed = testing::Run({"readelf", "-dW", testing::TheProgram()});
  const testing::RunResult found = testing::Run({"ldd", testing::TheProgram()});
  REQUIRE(needed.code == 0);
  REQUIRE(found.code == 0);
  std::set<std::string> linked = {"ca-certificates"};
  for (std::string_view line : Split(std::string_view(found.out), '\n')) {
    const size_t arrow = line.find(" => ");
    if (arrow == std::string_view::npos) continue;
    const std::string name(Trim(line.substr(0, arrow)));
    // Libraries of libraries come with their packages.
    if (needed.out.find(StrCat("[", name, "]")) == std::string::npos) continue;
    const std::string_view path = line.substr(arrow + 4);
    linked.insert(PackageOf(std::string(path.substr(0, path.find(' ')))));
  }
  // In every Debian image: apt itself is linked with them. Sanitizers are of their own builds.
  std::erase_if(linked, [](const std::string& package) {
    return package == "libc6" || package == "libstdc++6" || package == "libgcc-s1" ||
           package.starts_with("libasan") || package.starts_with("libubsan") ||
           package.starts_with("libtsan");
  });
  CHECK(packages == linked);
}

TEST_CASE("image: its cmake command configures what it copies, and knows the program") {
  const Stage build = Stages()[0];
  testing::TempDir dir("image");
  const std::string src = dir.path() + "/src";
  std::filesystem::create_directories(src);
  for (const std::string& copy : build.copy) {
    std::vector<std::string> command = Words(copy);
    const std::string target = command.back() == "./" ? src : src + "/" + command.back();
    command.pop_back();
    for (const std::string& path : command)
      REQUIRE(testing::Run({"cp", "-r", Source(path), target}).code == 0);
  }
  const std::string& run = build.run.at(1);
  REQUIRE(run.starts_with("cmake -S . -B /build "));
  const std::string configure =
      ReplaceAll(run.substr(0, run.find("&&")), "/build", dir.path() + "/build");
  testing::ProcessOptions in_source;
  in_source.directory = src;
  testing::RunResult result =
      testing::Run(Words(configure), "", in_source, std::chrono::minutes(3));
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
  REQUIRE(run.find("cmake --build /build --target rollguard ") != std::string::npos);
  result = testing::Run({"ninja", "-C", dir.path() + "/build", "-t", "commands", "rollguard"});
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(result.out.find("/src/agent/cli/main.cc") != std::string::npos);
}

}  // namespace
}  // namespace rollguard::shipped
