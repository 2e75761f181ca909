// SPDX-License-Identifier: Apache-2.0
// Whole requests to the API of an agent that guards one service: the first line is method and
// target, the second the token, the third headers' values, the rest the body. Every answer is one
// of HTTP's, problems are JSON, and nothing is the server's own fault.
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "tests/api/api_world.h"

namespace {

using namespace rollguard;

// Made anew now and then: it keeps what was done to it.
testing::ApiWorld& World() {
  static std::unique_ptr<testing::ApiWorld> world;
  static int calls = 0;
  if (!world || ++calls % 2000 == 0) {
    testing::ApiWorldOptions options;
    options.guards = {
        testing::CanaryManifest("shop", "checkout", "[{setWeight: 20}, {pause: {}}]")};
    options.senders = {{"mine", alerts::Mapping{}}};
    options.pace = 100;
    world = std::make_unique<testing::ApiWorld>(options);
  }
  return *world;
}

std::string_view Line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

// What the guard of a connection lets through to a handler.
bool Passes(std::string_view text) {
  for (char c : text) {
    if (c < ' ' || c == 0x7f) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string_view first = Line(text);
  const std::string_view token = Line(text), value = Line(text);
  const size_t space = first.find(' ');
  if (space == std::string_view::npos || first.substr(space + 1, 1) != "/") return 0;
  if (!Passes(first) || !Passes(token) || !Passes(value)) return 0;
  testing::Request request;
  request.method = first.substr(0, space);
  request.path = first.substr(space + 1);
  if (request.path.find(' ') != std::string::npos) return 0;
  request.token = token;
  request.body = text;
  for (const char* name : {"idempotency-key", "if-none-match", "last-event-id", "accept-encoding"})
    request.headers.emplace_back(name, value);
  const testing::Reply reply = World().Ask(request);
  if (reply.status < 100 || reply.status > 599 || reply.status == 500) std::abort();
  const bool has_body = request.method != "HEAD";
  if (has_body && reply.Header("content-type").starts_with("application/problem+json") &&
      reply.json().At("title").Str().empty())
    std::abort();
  return 0;
}
