// SPDX-License-Identifier: Apache-2.0
// docs/rules.md, walked word for word in an empty folder: its files are written, its commands are
// run with the built binary, and what they print must be what stands on the page. The Prometheus of
// the page is the distribution's own, on a free port.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "agent/base/text.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"
#include "tests/support/real_prometheus.h"

namespace rollguard::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kAddress = "127.0.0.1:19090";  // on the page

struct Command {
  std::string line;
  std::string output;  // what stands under it
};

// A fenced block: a file to write, or commands with their output.
struct Block {
  std::string file;
  std::string text;
  std::vector<Command> commands;
};

std::vector<Command> CommandsOf(const std::string& text) {
  std::vector<Command> out;
  for (std::string_view line : Split(text, '\n')) {
    if (line.starts_with("$ ")) {
      out.push_back({std::string(line.substr(2)), ""});
    } else if (!out.empty()) {
      out.back().output += StrCat(line, "\n");
    }
  }
  return out;
}

std::vector<Block> BlocksOf(const std::string& page) {
  std::vector<Block> out;
  std::string info, text;
  bool inside = false;
  for (std::string_view line : Split(page, '\n')) {
    if (!line.starts_with("```")) {
      if (inside) text += StrCat(line, "\n");
      continue;
    }
    if (!inside) {
      info = std::string(line.substr(3));
      text.clear();
    } else if (size_t at = info.find("file="); at != std::string::npos) {
      out.push_back({info.substr(at + 5), text, {}});
    } else if (info == "console") {
      // The last line's end is the block's, not the output's.
      out.push_back({"", "", CommandsOf(text.substr(0, text.size() - 1))});
    }
    inside = !inside;
  }
  return out;
}

class Walk {
 public:
  explicit Walk(std::string folder) : folder_(std::move(folder)) {}

  // What the command prints, as the page would show it.
  std::string Run(const std::string& line) {
    if (line.starts_with("prometheus ")) return StartPrometheus();
    std::string command = line;
    if (prometheus_)
      command = ReplaceAll(command, kAddress, StrCat("127.0.0.1:", prometheus_->port()));
    auto result = testing::Run({"/bin/sh", "-c", command + " 2>&1"}, {},
                               {.log = {}, .directory = folder_, .env = {{"PATH", Path()}}});
    std::string out = result.out;
    if (prometheus_) out = ReplaceAll(out, StrCat("127.0.0.1:", prometheus_->port()), kAddress);
    return out;
  }

 private:
  static std::string Path() {
    const char* binary = std::getenv("ROLLGUARD_BIN");
    const char* path = std::getenv("PATH");
    return StrCat(binary ? fs::path(binary).parent_path().string() : "", ":", path ? path : "");
  }

  std::string StartPrometheus() {
    testing::PrometheusOptions options;
    options.data_dir = folder_ + "/data";
    prometheus_ = testing::RealPrometheus::Start(options);
    return prometheus_ ? "" : "it did not start\n";
  }

  std::string folder_;
  std::unique_ptr<testing::RealPrometheus> prometheus_;
};

}  // namespace

TEST_CASE("the page about rules is true", "[cli][page]") {
  const char* binary = std::getenv("ROLLGUARD_BIN");
  REQUIRE(binary != nullptr);
  REQUIRE(fs::exists(binary));
  fs::path source = fs::path(ROLLGUARD_SOURCE_DIR) / "docs/rules.md";
  std::string page = testing::ReadFile(source.string());
  testing::TempDir folder("rules-page");
  Walk walk(folder.path());
  size_t commands = 0, done = 0;
  const bool update = std::getenv("UPDATE_GOLDEN") != nullptr;
  for (const Block& block : BlocksOf(page)) {
    if (!block.file.empty()) std::ofstream(folder.path() + "/" + block.file) << block.text;
    for (const Command& command : block.commands) {
      INFO(command.line);
      ++commands;
      std::string out = walk.Run(command.line);
      if (!update) {
        CHECK(out == command.output);
        continue;
      }
      std::string shown = StrCat("$ ", command.line, "\n");
      size_t at = page.find(shown, done) + shown.size();
      page.replace(at, command.output.size(), out);
      done = at + out.size();
    }
  }
  CHECK(commands >= 12);
  if (update) std::ofstream(source) << page;
}

}  // namespace rollguard::cli
