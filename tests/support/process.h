// SPDX-License-Identifier: Apache-2.0
// Programs started for a test: each is ended by its own process id, also when the test fails, and
// by the kernel when the test itself dies.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/expected.h"

namespace rollguard::testing {

// A directory that is deleted with everything in it.
class TempDir {
 public:
  explicit TempDir(const std::string& name = "test");
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  // Writes a file (mode 0600) and gives its path.
  std::string Write(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

struct ProcessOptions {
  std::string log;        // stdout and stderr go there; empty: the test's own
  std::string directory;  // to run in
  std::vector<std::pair<std::string, std::string>> env;  // added to the test's own
};

// One child. Start and destroy it on the main thread: the kernel ends it when the starting thread
// ends.
class Process {
 public:
  static Expected<std::unique_ptr<Process>> Start(const std::vector<std::string>& command,
                                                  const ProcessOptions& options = {});
  ~Process();  // Stop()
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool Running();
  // The exit code, 128 + n when a signal ended it; waits for it.
  int Wait();
  // The same, but nothing when it still runs after `limit`.
  std::optional<int> WaitFor(std::chrono::milliseconds limit);
  void Signal(int signal) const;
  // SIGTERM, and SIGKILL when it is still there after `grace`.
  void Stop(std::chrono::milliseconds grace = std::chrono::seconds(10));

 private:
  explicit Process(pid_t pid) : pid_(pid) {}
  bool Reap(int flags);

  pid_t pid_;
  std::optional<int> code_;
};

struct RunResult {
  int code = -1;
  std::string out;
  std::string err;
};

// Runs a program to its end with `input` on stdin; code 124 when it took longer than `limit` and
// was killed, 127 when it could not be started.
RunResult Run(const std::vector<std::string>& command, const std::string& input = {},
              const ProcessOptions& options = {},
              std::chrono::milliseconds limit = std::chrono::seconds(60));

// Asks `ready` every `pause` until it says yes (true) or `limit` is over (false).
bool PollUntil(const std::function<bool()>& ready, std::chrono::milliseconds limit,
               std::chrono::milliseconds pause = std::chrono::milliseconds(20));

// The program's path: as given when it holds a slash, else from PATH; empty when there is none.
std::string FindProgram(const std::string& name);

// A whole file, or the empty text.
std::string ReadFile(const std::string& path);

}  // namespace rollguard::testing
