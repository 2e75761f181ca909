// SPDX-License-Identifier: Apache-2.0
// What reached a replica that does not decide on the guard: kept in the guard's own status
// (`status.inbox`), where the owner, whoever that is by then, finds it. An entry is written with a
// merge patch of its own key, so that writers do not disturb each other; the owner takes it away in
// the very write that carries what follows from it. Alerts stay until the release has ended, so
// that a replica that takes over knows what its predecessor had accepted.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/alerts/alert.h"
#include "agent/base/json.h"
#include "agent/release/step.h"

namespace rollguard::app {

// Beyond it alerts are not kept for one guard: what so many could not say one more will not.
inline constexpr size_t kInboxAlerts = 24;
// Answers that nobody fetched.
inline constexpr Duration kKeepAnswers = std::chrono::minutes(1);

// One of the three.
struct InboxEntry {
  std::optional<alerts::Alert> alert;
  std::optional<release::Command> command;
  std::optional<release::CommandAnswer> answer;  // takes the command's place
  Time at{};
};

std::string InboxKey(const alerts::Alert& alert);
std::string InboxKey(const release::Command& command);
Json ToJson(const InboxEntry& entry);
// What cannot be read is left out.
std::map<std::string, InboxEntry> ReadInbox(const Json& inbox);

}  // namespace rollguard::app
