// SPDX-License-Identifier: Apache-2.0
// What a route handler sees and answers. No library type and no socket: the same handlers are
// driven by the server and by tests.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rollguard::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

// A complete request that passed the connection guard. Header names are in lower case; values are
// as sent (nothing is decoded). `path` is decoded, `params` are the query's, `matches` what the
// route's pattern captured.
struct Request {
  std::string method;
  std::string target;
  std::string path;
  std::multimap<std::string, std::string> params;
  std::vector<std::string> matches;
  Headers headers;
  std::string body;
  std::string remote_address;  // of the TCP peer; never taken from a header
  std::string peer_identity;   // subject of a verified client certificate, else empty

  std::string_view Header(std::string_view lower_name) const;
  std::string Param(std::string_view name, std::string_view fallback = {}) const;
};

// An event of the stream. Ids grow by one and are never used twice in a process.
struct Event {
  uint64_t id = 0;
  std::string type;
  std::string data;   // one JSON text, no newlines
  std::string topic;  // what subscriptions filter on, e.g. "shop/checkout"
};

// Keeps the connection open as text/event-stream: first what the ring still holds after `after_id`,
// then every event for which `wants` is true (null: all). `wants` runs on the server's loop thread.
//
// `still_allowed` is asked every `ask_again` on a worker: the stream ends when it says no, so that
// whoever lost the right to listen stops hearing. Null: for ever.
struct EventSubscription {
  uint64_t after_id = 0;
  std::function<bool(const Event&)> wants{};
  std::function<bool()> still_allowed{};
  std::chrono::milliseconds ask_again{5000};
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body{};
  Headers headers{};
  std::optional<EventSubscription> subscription{};
};

using Handler = std::function<Response(const Request&)>;

}  // namespace rollguard::http
