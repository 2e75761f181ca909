// SPDX-License-Identifier: Apache-2.0
// Guards of other clusters, as far as `promotion.after` asks about them: which images have
// succeeded there. Belongs to the deciding thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/base/json.h"
#include "agent/ports/cluster.h"
#include "agent/ports/timers.h"

namespace rollguard::app {

class Environments {
 public:
  struct Reading {
    Json status;          // of the Guard, as last read; null: not read yet, or there is none
    std::string trouble;  // why there is no status, or why it may be old; empty: it is fresh
  };
  virtual ~Environments() = default;
  // Never blocks: answers what is known and sees to it that it is known better soon.
  virtual Reading Read(const std::string& context, const std::string& ns,
                       const std::string& name) = 0;
  // Runs when a reading has changed: whoever waits for it may look again. Set by the controller.
  void SetListener(std::function<void()> changed) { changed_ = std::move(changed); }

 protected:
  std::function<void()> changed_;
};

// Reads Guards through a Cluster per context: when they are asked about, and again every
// `interval` as long as somebody goes on asking. Clusters, timers and clock outlive this.
class ClusterEnvironments : public Environments {
 public:
  ClusterEnvironments(Timers& timers, const Clock& clock,
                      Duration interval = std::chrono::seconds(15));
  ~ClusterEnvironments() override;

  // Callbacks of `cluster` must come on the deciding thread (ClusterOnLoop).
  void Add(const std::string& context, Cluster* cluster);
  Reading Read(const std::string& context, const std::string& ns, const std::string& name) override;

 private:
  struct Entry;
  using EntryPtr = std::shared_ptr<Entry>;
  void Ask(const EntryPtr& entry);
  void Hear(Entry& entry, Expected<Json> object);

  Timers& timers_;
  const Clock& clock_;
  Duration interval_;
  std::map<std::string, Cluster*> clusters_;
  std::map<std::string, EntryPtr> entries_;  // "context/ns/name"
};

}  // namespace rollguard::app
