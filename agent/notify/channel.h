// SPDX-License-Identifier: Apache-2.0
// One way to tell people. A channel knows how to say a notice and whom to say it to; when to try
// again is the dispatcher's business.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/base/expected.h"
#include "agent/ports/http_client.h"
#include "agent/ports/notifier.h"
#include "agent/spec/agent_config.h"

namespace rollguard::notify {

// ok: told. An error that is `retryable` may be tried again, after `retry_after` when given; the
// message holds no secret.
using Delivered = std::function<void(Status)>;

// Belongs to the deciding thread. Deliver is not called again before `done` of the last one ran,
// and `done` runs exactly once, at some time, unless the channel is destroyed first.
class Channel {
 public:
  virtual ~Channel() = default;
  virtual void Deliver(const Notice& notice, Delivered done) = 0;
};

// What the HTTP channels need. `read_secret` gives a file's text without the blanks around it; the
// default reads the file system, anew for every attempt.
struct HttpPorts {
  HttpClient* http = nullptr;  // its callbacks must come on the deciding thread
  std::function<Expected<std::string>(const std::string& path)> read_secret = {};
};

// Slack, Teams, webhook and Alertmanager channels; null for Kubernetes Events, which are not told
// over HTTP. `alertmanagers` are the configuration's, by name.
std::unique_ptr<Channel> MakeHttpChannel(const spec::ChannelConfig& config,
                                         const std::vector<spec::AlertmanagerConfig>& alertmanagers,
                                         HttpPorts ports);

// "slack", "teams", "webhook", "alertmanager", "events".
const char* KindOf(const spec::ChannelConfig& config);

}  // namespace rollguard::notify
