// SPDX-License-Identifier: Apache-2.0
// The agent's own HTTP server and everything it answers: the API with its page and event stream,
// alerts and other webhooks, and the agent's own metrics.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/api/api.h"
#include "agent/app/intake.h"
#include "agent/http/server.h"
#include "agent/serve/brain.h"
#include "agent/serve/checkup.h"

namespace rollguard::serve {

class Front {
 public:
  using Reason = std::function<std::string()>;
  // The API is one of the brain's listeners: make the front before Brain::Build. Both run on a
  // worker: "" when the agent decides, and takes alerts in, else why not.
  Front(Ground& ground, Brain& brain, Checkup& checkup, Reason not_ready, Reason refuses_alerts);
  ~Front();

  // The brain is built. Binds and listens: from here on requests are answered.
  Status Start();
  // Lets requests that are being answered finish.
  void Stop(Duration grace);
  uint16_t port() const;

 private:
  Ground& ground_;
  Brain& brain_;
  Reason not_ready_;
  api::Identity identity_;
  app::Intake intake_;
  std::unique_ptr<api::Api> api_;
  http::Router router_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace rollguard::serve
