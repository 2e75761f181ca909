// SPDX-License-Identifier: Apache-2.0
// Servers that analysis templates name themselves, with their own headers and proof. One client for
// each different way to ask, made when it is first needed. Belongs to the deciding thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "agent/analysis/request.h"
#include "agent/app/authorized_http.h"
#include "agent/ports/metrics_source.h"
#include "agent/ports/timers.h"

namespace rollguard::app {

class TemplateSources {
 public:
  // All outlive this; callbacks of `http` come on the loop of `timers`.
  TemplateSources(HttpClient& http, Timers& timers, const Clock& clock);
  ~TemplateSources();

  // The server at the query's address. The error says that there are too many different ones.
  Expected<MetricsSource*> Find(const analysis::PrometheusQuery& query);
  // Sends a web request with its proof.
  void Send(HttpRequest request, const spec::Authentication& who, bool insecure, HttpDone done);

 private:
  struct Server;
  HttpClient& http_;
  Timers& timers_;
  const Clock& clock_;
  TokenDesk desk_;
  std::map<std::string, std::unique_ptr<Server>> servers_;
  std::map<std::string, std::unique_ptr<AuthorizedHttp>> clients_;
};

}  // namespace rollguard::app
