// SPDX-License-Identifier: Apache-2.0
// The metrics sources that the configuration names, and whom the embedded ones scrape.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/app/controller.h"
#include "agent/prometheus/embedded.h"
#include "agent/prometheus/server_source.h"
#include "agent/serve/ground.h"

namespace rollguard::serve {

class Sources {
 public:
  struct One {
    std::string name;
    std::unique_ptr<MetricsSource> source;  // any thread
    std::unique_ptr<app::MetricsOnLoop> on_loop;
    const spec::EmbeddedSource* embedded_config = nullptr;  // one of these two
    prometheus::EmbeddedSource* embedded = nullptr;
    const prometheus::ServerSource* server = nullptr;
  };

  // Makes the sources and adds them to the ground's. They must go before the ground.
  explicit Sources(Ground& ground);

  // On the deciding thread, again and again: hands the guarded pods to the embedded sources.
  void FollowPods(app::Controller& controller);

  const std::vector<One>& all() const { return all_; }

 private:
  void ScrapeNow(app::Controller& controller);

  Ground& ground_;
  std::vector<One> all_;
};

// The pods of every guard's workload and candidate that offer the port, as they are now.
std::vector<prometheus::ScrapeTarget> ScrapeTargets(app::Controller& controller,
                                                    const spec::EmbeddedSource& config);

}  // namespace rollguard::serve
