// SPDX-License-Identifier: Apache-2.0
// Debian's PostgreSQL in a folder of its own, on a free port, ended by its process id.
#pragma once

#include <memory>
#include <string>

#include "tests/support/process.h"

namespace rollguard::testing {

class RealPostgres {
 public:
  RealPostgres();
  ~RealPostgres();

  // An empty database; the URL to it.
  std::string NewDatabase(const std::string& name);
  // SIGKILL to the server and its children, as a crash would.
  void Kill();
  void StartAgain();

 private:
  std::vector<std::string> AsServerUser(std::vector<std::string> command) const;

  TempDir dir_{"postgres"};
  std::string bin_;
  int port_ = 0;
  std::unique_ptr<Process> server_;
};

}  // namespace rollguard::testing
