// SPDX-License-Identifier: Apache-2.0
// Debian's PostgreSQL in a folder of its own, on a free port, ended by its process id. What does
// not work is thrown as a std::runtime_error that says why.
#pragma once

#include <memory>
#include <string>

#include "tests/support/process.h"

namespace rollguard::testing {

class RealPostgres {
 public:
  // `disk`: its folder is a file system of that size ("300m"), where mounting is allowed.
  explicit RealPostgres(const std::string& disk = {});
  ~RealPostgres();

  // An empty database; the URL to it.
  std::string NewDatabase(const std::string& name);
  // SIGKILL to the server and its children, as a crash would.
  void Kill();
  void StartAgain();
  bool Answers() const;
  // SIGSTOP to the server and its children: the kernel still takes and acknowledges what is sent.
  void Pause();
  void Resume();

  int port() const { return port_; }
  bool has_disk() const { return has_disk_; }
  // Its disk is full, or as it was.
  void FillDisk();
  void FreeDisk();

 private:
  void SignalAll(int signal) const;
  std::vector<std::string> AsServerUser(std::vector<std::string> command) const;

  TempDir dir_{"postgres"};
  std::string bin_;
  int port_ = 0;
  bool has_disk_ = false;
  std::unique_ptr<Process> server_;
};

}  // namespace rollguard::testing
