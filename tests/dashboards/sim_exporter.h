// SPDX-License-Identifier: Apache-2.0
// The agent's controller in a simulated cluster, with its metrics served over HTTP: each scrape
// moves the simulation on, so that what a scraper sees depends on no machine's speed.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "agent/base/time.h"

namespace rollguard::dashboards {

// Plays three releases of one guard: a good one, one that fails requests, one that an alert takes
// back; then Done() holds and scrapes show the last state.
class SimExporter {
 public:
  // `per_scrape`: virtual time that passes with each request of /metrics.
  explicit SimExporter(Duration per_scrape);
  ~SimExporter();

  int port() const;
  // What a request of /metrics does, without the request.
  std::string Scrape();
  // Takes the Guard away and lets the agent see it.
  void DeleteGuard();
  bool Done() const;
  // What ended how, for messages of failures and to see that it was the story that was meant.
  std::string Story() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rollguard::dashboards
