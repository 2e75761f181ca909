// SPDX-License-Identifier: Apache-2.0
// A client on the real clock, and waiting for its answers.
#pragma once

#include <future>
#include <memory>
#include <string>

#include "agent/net/curl_client.h"
#include "tests/support/catch.h"
#include "tests/support/real_clock.h"

namespace rollguard::net {

// Generous: it only has to be longer than any healthy run.
inline constexpr std::chrono::seconds kPatience{60};

template <class T>
T Await(std::future<T> future) {
  REQUIRE(future.wait_for(kPatience) == std::future_status::ready);
  return future.get();
}

// A function that hands its argument to a future; it may be copied, as std::function needs.
template <class T>
std::pair<std::function<void(T)>, std::future<T>> Promised() {
  auto promise = std::make_shared<std::promise<T>>();
  auto future = promise->get_future();
  return {[promise](T value) { promise->set_value(std::move(value)); }, std::move(future)};
}

inline Expected<HttpResponse> Fetch(HttpClient& client, HttpRequest request) {
  auto [done, answer] = Promised<Expected<HttpResponse>>();
  client.Send(std::move(request), done);
  return Await(std::move(answer));
}

inline HttpRequest Get(std::string url) {
  HttpRequest request;
  request.url = std::move(url);
  request.timeout = kPatience;
  request.connect_timeout = kPatience;
  return request;
}

struct NetFixture {
  testing::RealClock clock;
  CurlClient client{clock};
};

}  // namespace rollguard::net
