// SPDX-License-Identifier: Apache-2.0
// A notice in words, and in the forms that chats and servers take. Pure.
//
// Templates see $event $headline $severity $text $cluster $namespace $guard $workload $release
// $revision $phase $weight $decision $actor $reason $signals $time, and the same under $labels; a
// webhook's body also $title and $message (the channel's rendered text).
#pragma once

#include <string>

#include "agent/base/expected.h"
#include "agent/base/json.h"
#include "agent/ports/notifier.h"
#include "agent/spec/agent_config.h"

namespace rollguard::notify {

// "rolledBack" -> "was rolled back": stands behind the guard's name.
std::string HeadlineOf(const std::string& event);

struct Message {
  std::string title;
  std::string text;
};
// The channel's templates, or the built-in words.
Expected<Message> Render(const spec::ChannelConfig& channel, const Notice& notice);

// What is posted.
std::string SlackBody(const spec::SlackChannel& slack, const Notice& notice,
                      const Message& message);
std::string TeamsBody(const Notice& notice, const Message& message);
// The template; in a template that is JSON values stand as JSON strings do, and the result must be
// JSON. Without a template: the notice as JSON with title and message.
Expected<std::string> WebhookBody(const spec::WebhookChannel& webhook, const Notice& notice,
                                  const Message& message);
// One alert for Alertmanager's v2 API. It carries the label `rollguard_notice`, so that it is known
// for our own when it comes back.
std::string AlertBody(const spec::AlertmanagerChannel& channel, const Notice& notice,
                      const Message& message);

}  // namespace rollguard::notify
