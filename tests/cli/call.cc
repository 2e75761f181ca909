// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/call.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "agent/cli/command.h"
#include "tests/support/catch.h"

namespace rollguard::cli {

Outcome Call(std::vector<std::string> args) {
  std::vector<std::string_view> views(args.begin(), args.end());
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  std::fflush(stdout);
  int saved = dup(STDOUT_FILENO);
  dup2(fileno(file), STDOUT_FILENO);
  Outcome outcome;
  outcome.code = Main(views);
  std::fflush(stdout);
  dup2(saved, STDOUT_FILENO);
  close(saved);
  std::rewind(file);
  char buffer[4096];
  for (size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, file)) > 0;)
    outcome.out.append(buffer, n);
  std::fclose(file);
  return outcome;
}

TempFile::TempFile(const std::string& text) {
  char name[] = "/tmp/rollguard-cli-XXXXXX";
  int fd = mkstemp(name);
  REQUIRE(fd >= 0);
  close(fd);
  path_ = name;
  std::ofstream(path_) << text;
}

TempFile::~TempFile() { std::remove(path_.c_str()); }

}  // namespace rollguard::cli
