// SPDX-License-Identifier: Apache-2.0
// The real program run as an agent (or as a simulated cluster) for a test, and blocking HTTP to it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/address.h"
#include "tests/support/process.h"

namespace rollguard::testing {

struct PlainAnswer {
  int status = 0;  // 0: no answer
  std::string body;
};

// One HTTP/1.1 request over a connection of its own.
PlainAnswer Ask(const Address& server, const std::string& method, const std::string& path,
                const std::string& body = {},
                const std::vector<std::pair<std::string, std::string>>& headers = {});

// Requests one after the other over one connection that is kept, as Alertmanager does; a new one
// when the server has closed it.
class KeptConnection {
 public:
  explicit KeptConnection(Address server) : server_(std::move(server)) {}
  KeptConnection(const KeptConnection&) = delete;
  KeptConnection& operator=(const KeptConnection&) = delete;
  ~KeptConnection();

  PlainAnswer Ask(const std::string& method, const std::string& path, const std::string& body = {},
                  const std::vector<std::pair<std::string, std::string>>& headers = {});

 private:
  Address server_;
  int fd_ = -1;
};

// $ROLLGUARD_BIN.
std::string TheProgram();

// Where an agent runs and listens: what its command begins with, and an address there.
struct AgentPlace {
  std::vector<std::string> enter;
  std::string host = "127.0.0.1";
};

class AgentProcess {
 public:
  using Environment = std::vector<std::pair<std::string, std::string>>;  // added to the test's own
  // `rollguard run` with these flags and --listen HOST:0. Waits until it listens; nullptr with the
  // log on stderr when it ends instead. `log` is appended to.
  static std::unique_ptr<AgentProcess> Start(const std::vector<std::string>& flags,
                                             const std::string& log, const Environment& env = {},
                                             const AgentPlace& place = {});

  // Until /health/ready says so.
  bool AwaitReady(std::chrono::milliseconds limit = std::chrono::seconds(30));
  int port() const { return address_.port; }
  const Address& address() const { return address_; }
  Process& process() { return *process_; }
  std::string Log() const { return ReadFile(log_); }

 private:
  std::unique_ptr<Process> process_;
  std::string log_;
  Address address_;
};

// `rollguard sim` on a free port, with manifests loaded.
class SimProcess {
 public:
  static std::unique_ptr<SimProcess> Start(const TempDir& dir,
                                           const std::vector<std::string>& manifests);
  const std::string& kubeconfig() const { return kubeconfig_; }

 private:
  std::unique_ptr<Process> process_;
  std::string kubeconfig_;
};

}  // namespace rollguard::testing
