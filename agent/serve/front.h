// SPDX-License-Identifier: Apache-2.0
// The agent's own HTTP server and everything it answers.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/api/identity.h"
#include "agent/app/intake.h"
#include "agent/http/server.h"
#include "agent/serve/brain.h"
#include "agent/serve/checkup.h"

namespace rollguard::serve {

class Front {
 public:
  // `not_ready` runs on a worker: "" when the agent decides, else why not yet.
  Front(Ground& ground, Brain& brain, Checkup& checkup, std::function<std::string()> not_ready);
  ~Front();

  // Binds and listens. From here on requests are answered.
  Status Start();
  void Stop(Duration grace);
  uint16_t port() const;

 private:
  void AddHealth();
  void AddAlerts();

  Ground& ground_;
  Checkup& checkup_;
  std::function<std::string()> not_ready_;
  api::Identity identity_;
  app::Intake intake_;
  http::Router router_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace rollguard::serve
