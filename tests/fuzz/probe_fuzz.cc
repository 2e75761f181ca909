// SPDX-License-Identifier: Apache-2.0
// What a server that is probed answers: cookies, JSON, gRPC frames, oddly shaped statuses. The walk
// ends with a verdict in words and within its number of turns.
#include <cstdlib>
#include <string_view>

#include "agent/analysis/json_path.h"
#include "agent/base/text.h"
#include "agent/probe/conversation.h"
#include "agent/probe/cookies.h"

namespace {

using namespace rollguard;

void Walk(probe::Conversation& conversation, const HttpResponse& response) {
  probe::Turn turn = conversation.Begin();
  for (int turns = 0; std::holds_alternative<HttpRequest>(turn); ++turns) {
    if (turns > 8) std::abort();
    turn = conversation.Hear(response, HttpFailure::kNone, Duration(turns));
  }
  if (std::get<ProbeAnswer>(turn).why.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  HttpResponse response;
  response.status = 100 + data[0] * 2;
  const size_t line = std::min(text.find('\n'), text.size());
  response.headers = {{"set-cookie", std::string(text.substr(0, line))},
                      {"grpc-status", std::string(text.substr(0, 2))},
                      {"content-type", "application/json"}};
  response.body = text.substr(std::min(line + 1, text.size()));

  HttpProbe http;
  http.url = "http://h/";
  http.expect_body = "ok|fine";
  Walk(*probe::MakeHttpConversation(http), response);
  GrpcProbe grpc;
  grpc.host = "h";
  grpc.port = 1;
  Walk(*probe::MakeGrpcConversation(grpc, std::chrono::seconds(1)), response);
  auto journey = std::make_shared<spec::JourneyCheck>();
  for (const char* name : {"one", "two"}) {
    spec::JourneyCheck::Step step;
    step.name = name;
    step.url = "http://h/${x}";
    step.extract = {{"x", spec::JourneyCheck::Extract::From::kJsonPath, "$.a.b[0]"}};
    journey->steps.push_back(step);
  }
  journey->variables = {{"x", "1"}};
  Walk(*probe::MakeJourneyConversation({journey, {}}), response);

  probe::CookieJar jar;
  jar.Take("https://a.example/x", response);
  if (jar.For("https://b.test/").find('=') != std::string::npos) std::abort();
  if (auto json = ParseJson(response.body))
    (void)analysis::FindJsonPath(*json, text.substr(0, line));
  (void)probe::MatchesStatus(text.substr(0, line), response.status);
  return 0;
}
