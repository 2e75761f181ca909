// SPDX-License-Identifier: Apache-2.0
// What happens to a guard, as Kubernetes Events on the Guard: `kubectl describe guard` tells the
// story. An event that cannot be written is logged and forgotten. Belongs to the deciding thread.
#pragma once

#include <string>

#include "agent/app/sensor.h"
#include "agent/kube/events.h"
#include "agent/ports/cluster.h"
#include "agent/telemetry/log.h"

namespace rollguard::serve {

class KubeEvents : public app::Listener {
 public:
  KubeEvents(Cluster& cluster, const Clock& clock, telemetry::Log& log, std::string instance)
      : cluster_(cluster), clock_(clock), log_(log), instance_(std::move(instance)) {}

  void Decided(const spec::Guard&, const release::Decision&) override {}
  void Changed(const spec::Guard&, const release::GuardState&, const release::GuardState&,
               const release::Observation&) override {}
  void Told(const spec::Guard& guard, const release::Notify& notice) override;
  void Removed(const std::string&) override {}
  void Unusable(const Json& object, const std::string& problem) override;

 private:
  void Send(kube::EventNote note);

  Cluster& cluster_;
  const Clock& clock_;
  telemetry::Log& log_;
  std::string instance_;
};

}  // namespace rollguard::serve
