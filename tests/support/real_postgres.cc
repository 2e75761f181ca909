// SPDX-License-Identifier: Apache-2.0
#include "tests/support/real_postgres.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <sstream>
#include <stdexcept>

#include "agent/base/text.h"
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

void Demand(bool well, const std::string& what, const std::string& said = {}) {
  if (!well) throw std::runtime_error(StrCat("PostgreSQL: ", what, said.empty() ? "" : "\n", said));
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

RealPostgres::RealPostgres(const std::string& disk) : bin_(FindBin()), port_(FreePort()) {
  Demand(!bin_.empty(), "the server must be installed (package postgresql)");
  has_disk_ = !disk.empty() &&
              ::mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, StrCat("size=", disk).c_str()) == 0;
  ::chmod(dir_.path().c_str(), 0777);
  auto made = Run(AsServerUser({bin_ + "/initdb", "-D", dir_.path() + "/data", "-U", "rollguard",
                                "--auth=trust", "--no-sync", "-E", "UTF8"}));
  Demand(made.code == 0, "initdb failed", made.err);
  StartAgain();
}

RealPostgres::~RealPostgres() {
  if (server_) Resume();
  if (server_) server_->Signal(SIGINT);  // fast shutdown: sessions are ended
  server_.reset();
  if (has_disk_) (void)::umount2(dir_.path().c_str(), MNT_DETACH);
}

bool RealPostgres::Answers() const {
  return Run({bin_ + "/pg_isready", "-h", "127.0.0.1", "-p", std::to_string(port_), "-q"}).code ==
         0;
}

void RealPostgres::StartAgain() {
  auto started = Process::Start(
      AsServerUser({bin_ + "/postgres", "-D", dir_.path() + "/data", "-p", std::to_string(port_),
                    "-h", "127.0.0.1", "-k", dir_.path(), "-c", "fsync=off", "-c",
                    "min_wal_size=32MB", "-c", "max_wal_size=64MB"}),
      {.log = dir_.path() + "/log", .directory = {}, .env = {}});
  Demand(started.ok(), started.ok() ? "" : started.error().message);
  server_ = std::move(*started);
  const bool ready = PollUntil([&] { return Answers(); }, std::chrono::seconds(60));
  Demand(ready, "does not answer", ReadFile(dir_.path() + "/log"));
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

// The server first, so that it makes no more children.
void RealPostgres::SignalAll(int signal) const {
  server_->Signal(signal);
  const std::string pid = std::to_string(server_->pid());
  std::istringstream children(ReadFile(StrCat("/proc/", pid, "/task/", pid, "/children")));
  for (pid_t child = 0; children >> child;) ::kill(child, signal);
}

void RealPostgres::Pause() { SignalAll(SIGSTOP); }

void RealPostgres::Resume() { SignalAll(SIGCONT); }

void RealPostgres::FillDisk() {
  (void)Run({"dd", "if=/dev/zero", "of=" + dir_.path() + "/filler", "bs=1M", "count=4096"});
}

// A server that gave up on it meanwhile is started again.
void RealPostgres::FreeDisk() {
  std::error_code ignored;
  fs::remove(dir_.path() + "/filler", ignored);
  if (server_->Running()) return;
  server_.reset();
  StartAgain();
}

std::string RealPostgres::NewDatabase(const std::string& name) {
  auto made = Run({bin_ + "/createdb", "-h", "127.0.0.1", "-p", std::to_string(port_), "-U",
                   "rollguard", name});
  Demand(made.code == 0, "createdb failed", made.err);
  return StrCat("postgres://rollguard@127.0.0.1:", port_, "/", name);
}

}  // namespace rollguard::testing
