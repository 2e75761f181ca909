// SPDX-License-Identifier: Apache-2.0
// The running agent, asked over its REST API.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/expected.h"
#include "agent/base/json.h"
#include "agent/cli/event_lines.h"
#include "agent/cli/options.h"
#include "agent/net/curl_client.h"

namespace rollguard::cli {

// The options that every command of this kind takes, and the lines that explain them.
const std::vector<std::string_view>& RemoteValues();
inline constexpr std::string_view kRemoteHelp =
    R"(  --server URL        the agent ($ROLLGUARD_SERVER; http://127.0.0.1:9442)
  --token-file FILE   bearer token ($ROLLGUARD_TOKEN_FILE, $ROLLGUARD_TOKEN)
  --ca-file FILE      trust this CA and no other ($ROLLGUARD_CA_FILE)
  -n, --namespace NS  of guards without one ($ROLLGUARD_NAMESPACE; default)
)";

class Remote {
 public:
  // The error says which option is wrong.
  static Expected<std::unique_ptr<Remote>> Open(const Options& options);

  // `path` begins with "/". Errors carry what the agent said to do.
  Expected<Json> Get(const std::string& path);
  Expected<Json> Post(const std::string& path, const Json& body);

  // An event stream that is open until this goes.
  class Listening {
   public:
    ~Listening();
    bool ended() const { return shared_->ended; }

   private:
    friend class Remote;
    struct Shared {
      EventLines lines;
      std::atomic<bool> ended = false;
    };
    net::CurlClient* client_ = nullptr;
    HttpId id_ = 0;
    std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  };
  // `on_event` runs on another thread, also (with an event without a type) when the stream ends.
  std::unique_ptr<Listening> Listen(const std::string& path,
                                    std::function<void(const RemoteEvent&)> on_event);

  const std::string& server() const { return server_; }

 private:
  Remote() = default;
  HttpRequest Request(const std::string& method, const std::string& path) const;
  Expected<Json> Send(HttpRequest request);

  std::string server_;
  std::string token_;
  std::shared_ptr<const TlsOptions> tls_;
  std::unique_ptr<net::CurlClient> client_;
};

// For paths and queries.
std::string UrlEncode(std::string_view text);

// "shop/checkout" from "shop/checkout" or "checkout" with the namespace said otherwise.
std::string GuardId(const Options& options, std::string_view name);
// "/api/v1/guards/shop/checkout"
std::string GuardPath(std::string_view id);

}  // namespace rollguard::cli
