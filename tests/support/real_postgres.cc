// SPDX-License-Identifier: Apache-2.0
#include "tests/support/real_postgres.h"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "agent/base/text.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"

namespace rollguard::testing {
namespace {

namespace fs = std::filesystem;

// Debian keeps the server's programs per major version; the newest is taken.
std::string FindBin() {
  std::string found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", error)) {
    std::string bin = entry.path().string() + "/bin";
    if (fs::exists(bin + "/initdb") && bin > found) found = bin;
  }
  return found;
}

}  // namespace

// The server refuses to run as root; Debian's package brings the user `postgres`.
std::vector<std::string> RealPostgres::AsServerUser(std::vector<std::string> command) const {
  if (::geteuid() != 0) return command;
  std::vector<std::string> wrapped = {"setpriv", "--reuid=postgres", "--regid=postgres",
                                      "--clear-groups", "--pdeathsig=KILL"};
  wrapped.insert(wrapped.end(), command.begin(), command.end());
  return wrapped;
}

RealPostgres::RealPostgres() : bin_(FindBin()), port_(FreePort()) {
  INFO("PostgreSQL's server must be installed (package postgresql)");
  REQUIRE_FALSE(bin_.empty());
  ::chmod(dir_.path().c_str(), 0777);
  auto made = Run(AsServerUser({bin_ + "/initdb", "-D", dir_.path() + "/data", "-U", "rollguard",
                                "--auth=trust", "--no-sync", "-E", "UTF8"}));
  INFO(made.err);
  REQUIRE(made.code == 0);
  StartAgain();
}

RealPostgres::~RealPostgres() {
  if (server_) server_->Signal(SIGINT);  // fast shutdown: sessions are ended
  server_.reset();
}

void RealPostgres::StartAgain() {
  auto started = Process::Start(
      AsServerUser({bin_ + "/postgres", "-D", dir_.path() + "/data", "-p", std::to_string(port_),
                    "-h", "127.0.0.1", "-k", dir_.path(), "-c", "fsync=off"}),
      {.log = dir_.path() + "/log", .directory = {}, .env = {}});
  REQUIRE(started.ok());
  server_ = std::move(*started);
  bool ready = PollUntil(
      [&] {
        return Run({bin_ + "/pg_isready", "-h", "127.0.0.1", "-p", std::to_string(port_), "-q"})
                   .code == 0;
      },
      std::chrono::seconds(60));
  INFO(ReadFile(dir_.path() + "/log"));
  REQUIRE(ready);
}

void RealPostgres::Kill() {
  server_->Signal(SIGKILL);
  server_->Wait();
  server_.reset();
  // Its children notice on their own; the data directory is free once the port answers no more.
  PollUntil(
      [&] {
        return Run({bin_ + "/pg_isready", "-h", "127.0.0.1", "-p", std::to_string(port_), "-q"})
                   .code == 2;
      },
      std::chrono::seconds(20));
}

std::string RealPostgres::NewDatabase(const std::string& name) {
  auto made = Run({bin_ + "/createdb", "-h", "127.0.0.1", "-p", std::to_string(port_), "-U",
                   "rollguard", name});
  INFO(made.err);
  REQUIRE(made.code == 0);
  return StrCat("postgres://rollguard@127.0.0.1:", port_, "/", name);
}

}  // namespace rollguard::testing
