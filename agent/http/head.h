// SPDX-License-Identifier: Apache-2.0
// One strict HTTP/1.x request head. Everything a lenient parser could be talked into is refused
// here, before any other code sees the request.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "agent/http/message.h"

namespace rollguard::http {

struct HeadLimits {
  size_t max_bytes = 16 << 10;  // request line and headers together
  size_t max_target = 4 << 10;
  size_t max_headers = 64;
  size_t max_body = 4U << 20;
};

// A head that was understood, or the status and sentence to refuse it with.
struct Head {
  int refuse = 0;  // 0: fine
  std::string why;

  Request request;  // method, target, headers
  size_t content_length = 0;
  bool keep_alive = true;
  bool expects_continue = false;
  bool is_http10 = false;
};

// The length of the head in `buffer` including the empty line; 0 while it is incomplete.
size_t FindHeadEnd(std::string_view buffer);

// Parses exactly one head (as cut by FindHeadEnd). Pure.
Head ParseHead(std::string_view text, const HeadLimits& limits);

}  // namespace rollguard::http
