// SPDX-License-Identifier: Apache-2.0
// Commands called inside the test, with what they print.
#pragma once

#include <string>
#include <vector>

namespace rollguard::cli {

struct Outcome {
  int code = -1;
  std::string out;  // what was written to the standard output
};

Outcome Call(std::vector<std::string> args);

// A file that goes when the test does.
class TempFile {
 public:
  explicit TempFile(const std::string& text);
  ~TempFile();
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace rollguard::cli
