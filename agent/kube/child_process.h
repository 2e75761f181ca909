// SPDX-License-Identifier: Apache-2.0
// Runs one program to its end and collects what it prints. Blocks: call it off the loops.
#pragma once

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/expected.h"
#include "agent/base/time.h"

namespace rollguard::kube {

struct ChildCommand {
  std::string program;  // looked up in PATH when it has no slash
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;  // added to, or in place of, our own
  Duration timeout = std::chrono::seconds(30);
  size_t max_output = 1U << 20;
};

struct ChildResult {
  int exit_code = 0;  // 128 + signal when a signal ended it
  std::string out;
  std::string err;  // its last 4 KiB
};

// The child gets its own process group, no standard input and no descriptor of ours; the whole
// group is killed at the timeout, at too much output, and when `*stop` becomes true (looked at
// ten times a second).
Expected<ChildResult> RunChild(const ChildCommand& command, const Clock& clock,
                               const std::atomic<bool>* stop);

}  // namespace rollguard::kube
