// SPDX-License-Identifier: Apache-2.0
// The real prober on the real clock, and waiting for its answers.
#pragma once

#include <future>
#include <memory>
#include <string>

#include "agent/net/curl_client.h"
#include "agent/probe/net_prober.h"
#include "tests/support/catch.h"
#include "tests/support/real_clock.h"

namespace rollguard::probe {

// Generous: it only has to be longer than any healthy run.
inline constexpr std::chrono::seconds kPatience{60};

struct ProbeFixture {
  testing::RealClock clock;
  net::CurlClient client{clock};
  NetProber prober{client, clock};

  ProbeAnswer Ask(ProbeWhat what, Duration timeout = kPatience) {
    auto promise = std::make_shared<std::promise<ProbeAnswer>>();
    auto future = promise->get_future();
    prober.Probe({.what = std::move(what), .timeout = timeout},
                 [promise](ProbeAnswer answer) { promise->set_value(std::move(answer)); });
    REQUIRE(future.wait_for(kPatience * 2) == std::future_status::ready);
    return future.get();
  }
};

inline std::string Told(const ProbeAnswer& answer) {
  constexpr const char* kVerdicts[] = {"pass", "fail", "unknown"};
  return std::string(kVerdicts[static_cast<size_t>(answer.verdict)]) + " " +
         ToString(answer.fault) + ": " + answer.why;
}

inline bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace rollguard::probe
