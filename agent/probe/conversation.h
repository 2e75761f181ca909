// SPDX-License-Identifier: Apache-2.0
// A probe over HTTP as a dialogue without sockets or time: requests out, answers in, a verdict at
// the end. What carries the requests is net_prober.cc's business, so every turn is tested as a pure
// function.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/ports/http_client.h"
#include "agent/ports/prober.h"

namespace rollguard::probe {

// More of an answer is not read.
inline constexpr size_t kMaxBody = 4U << 20;

using Turn = std::variant<HttpRequest, ProbeAnswer>;

// Used from one thread at a time. Requests carry no timeout: the driver sets what is left of the
// whole. `elapsed` is the time since the probe began.
class Conversation {
 public:
  virtual ~Conversation() = default;
  virtual Turn Begin() = 0;
  virtual Turn Hear(const Expected<HttpResponse>& response, HttpFailure failure,
                    Duration elapsed) = 0;
};

std::unique_ptr<Conversation> MakeHttpConversation(HttpProbe probe);
std::unique_ptr<Conversation> MakeGrpcConversation(GrpcProbe probe, Duration timeout);
std::unique_ptr<Conversation> MakeJourneyConversation(JourneyProbe probe);

// "200", "2xx", "200-299".
Expected<bool> MatchesStatus(std::string_view pattern, int status);
// Whether any of the patterns matches; the error names one that is none.
Expected<bool> MatchesAnyStatus(const std::vector<std::string>& patterns, int status);

// The answer for an exchange that brought none.
ProbeAnswer NoAnswer(const Error& error, HttpFailure failure, Duration elapsed);
// What an unexpected status means: 5xx, a redirect, anything else.
ProbeAnswer WrongStatus(const HttpResponse& response, std::string_view expected, Duration elapsed);
// The start of a body in one line, quoted; empty for an empty body.
std::string Excerpt(std::string_view body);
// A request as all probes send it: a fresh connection, capped.
HttpRequest ProbeHttp(std::string method, std::string url, bool insecure);

}  // namespace rollguard::probe
