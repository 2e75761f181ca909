// SPDX-License-Identifier: Apache-2.0
// Telling people and other systems what happened. Implemented by agent/notify, and by fakes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/expected.h"
#include "agent/base/json.h"
#include "agent/base/time.h"
#include "agent/spec/values.h"

namespace rollguard {

// One thing that happened to one guard, complete in itself: whoever reads it has not seen the one
// before. All of it may be shown to people.
struct Notice {
  std::string id;     // unique: the same notice twice is one
  std::string event;  // spec::NotificationEvents()
  spec::RuleSeverity severity = spec::RuleSeverity::kLow;
  std::string text;  // one sentence
  Time at{};
  std::string cluster;
  std::string ns;
  std::string guard;      // name
  std::string guard_uid;  // for references; may be empty
  std::string workload;
  std::string workload_kind = "Deployment";
  std::string release;  // id, or empty
  std::string revision;
  std::string phase;
  int64_t weight = 0;
  std::string decision;              // id, or empty
  std::string actor;                 // who caused it: "rollguard", a person
  std::string reason;                // why, when the text does not say it already
  std::vector<std::string> signals;  // names of what triggered
  // Channels by name, besides what the agent's routes say.
  std::vector<std::string> channels;
};
Json ToJson(const Notice& notice);

// A notice that one channel could not be told.
struct DeadLetter {
  std::string id;  // to retry or discard it by
  Time at{};
  std::string channel;
  Notice notice;
  int64_t attempts = 0;
  std::string error;  // without secrets
};
Json ToJson(const DeadLetter& letter);

struct ChannelHealth {
  std::string channel;
  std::string kind;  // slack, teams, webhook, alertmanager, events
  size_t waiting = 0;
  uint64_t sent = 0;
  uint64_t failed = 0;   // attempts
  uint64_t dropped = 0;  // dead letters
  std::string last_error;
  std::optional<Time> last_sent;
};
Json ToJson(const ChannelHealth& health);

// Belongs to the deciding thread, like everything it calls back. Send never blocks and never fails:
// what cannot be delivered is tried again and ends as a dead letter. Dead letters are kept in
// memory, the last few hundred.
class Notifier {
 public:
  virtual ~Notifier() = default;
  virtual void Send(const Notice& notice) = 0;
  virtual std::vector<DeadLetter> DeadLetters() const = 0;  // newest first
  virtual std::vector<ChannelHealth> Channels() const = 0;
  // Sends it once more, with all its attempts before it; the letter is gone, or comes back.
  // kNotFound, or kConflict when the channel is no longer configured.
  virtual Status Retry(const std::string& letter) = 0;
  virtual Status Discard(const std::string& letter) = 0;
};

}  // namespace rollguard
