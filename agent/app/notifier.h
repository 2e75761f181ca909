// SPDX-License-Identifier: Apache-2.0
// From what happens to a guard to the notices that people get: adds what the decision knew, asks
// the guard which channels it wants besides the agent's routes, and sees to it that every release's
// end is told, also when the engine had nothing of its own to say about it.
//
// Belongs to the deciding thread. One of the controller's listeners.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/app/sensor.h"
#include "agent/base/boxed.h"
#include "agent/notify/dispatcher.h"
#include "agent/ports/cluster.h"
#include "agent/ports/notifier.h"
#include "agent/ports/timers.h"

namespace rollguard::app {

class NotifyListener : public Listener {
 public:
  // `cluster`: its name, as people know it. All ports outlive this.
  NotifyListener(Notifier& notifier, Timers& timers, const Clock& clock, std::string cluster)
      : notifier_(notifier), timers_(timers), clock_(clock), cluster_(std::move(cluster)) {}
  ~NotifyListener() override;

  void Decided(const spec::Guard& guard, const release::Decision& decision) override;
  void Changed(const spec::Guard& guard, const release::GuardState& before,
               const release::GuardState& after, const release::Observation& observation) override;
  void Told(const spec::Guard& guard, const release::Notify& notice) override;
  void Removed(const std::string& guard) override;

 private:
  // What a notice says of the decision behind it.
  struct Basis {
    std::string decision;  // id
    std::string release;
    std::string revision;
    std::string phase;
    int64_t weight = 0;
    std::string actor;
    std::string reason;
    std::vector<std::string> signals;
  };
  struct Story {
    std::vector<Basis> decided;  // the last few, newest last
    std::string told_release;    // whose end was told last
    Boxed<Notice> ending;        // told when the engine does not
    TimerId timer = 0;
  };
  Notice Begin(const spec::Guard& guard) const;
  void Send(const spec::Guard& guard, Notice notice);
  static std::vector<std::string> ChannelsFor(const spec::Guard& guard, const std::string& event);

  Notifier& notifier_;
  Timers& timers_;
  const Clock& clock_;
  std::string cluster_;
  std::map<std::string, Story> stories_;  // by guard
};

// A channel that writes Kubernetes Events on the guarded workload; the reason is the event's name
// with a capital ("RolledBack").
std::unique_ptr<notify::Channel> MakeEventChannel(Cluster& cluster, spec::ChannelConfig config,
                                                  std::string instance);

// All channels of the configuration, ready for a notify::Dispatcher.
std::vector<notify::Dispatcher::Named> MakeChannels(const spec::AgentConfig& config,
                                                    const notify::HttpPorts& ports,
                                                    Cluster& cluster, const std::string& instance);

}  // namespace rollguard::app
