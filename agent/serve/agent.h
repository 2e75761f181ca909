// SPDX-License-Identifier: Apache-2.0
// A whole agent process, made of parts: configuration in, a running agent out. The program's `run`
// command is a thin shell around it; tests may embed it.
//
// Starting is a list of named steps in which everything that can fail comes first: files and
// secrets are read, the history opened, the cluster's configuration loaded, the port bound. Only
// then does anything decide. Stopping goes the other way and loses nothing that was accepted.
#pragma once

#include <memory>
#include <string>

#include "agent/base/expected.h"
#include "agent/kube/config.h"
#include "agent/spec/agent_config.h"
#include "agent/telemetry/log.h"

namespace rollguard::serve {

// What the program found around itself: serve reads no environment.
struct Surroundings {
  kube::Surroundings kube;
  std::string host_name = "rollguard";
  std::string version = "dev";
};

struct AgentOptions {
  spec::AgentConfig config;
  std::string config_file;    // where it came from; empty: defaults
  kube::ConfigFlags cluster;  // said on the command line: stronger than the configuration
  Surroundings around;
  uint64_t seed = 1;
};

class Agent {
 public:
  // `clock` and `log` must outlive the agent.
  Agent(AgentOptions options, const Clock& clock, telemetry::Log& log);
  ~Agent();  // Stop()
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // Once. After an error nothing runs; the message says where, what, and what to do.
  Status Start();

  // Reads the rule files again, soon. From any thread.
  void Reload();

  // No more requests are taken, looks under way are finished, the history is written. At most
  // `grace`, about. Safe to call twice.
  void Stop(Duration grace);

  uint16_t port() const;
  // Guards are known and decided on. From any thread.
  bool Ready() const;

 private:
  class Parts;
  std::unique_ptr<Parts> parts_;
};

// Everything that a start would read is read and checked; nothing is opened, written or asked.
Status CheckStart(AgentOptions options, const Clock& clock, telemetry::Log& log);

}  // namespace rollguard::serve
