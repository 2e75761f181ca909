// SPDX-License-Identifier: Apache-2.0
// Server-sent events from bytes that come in pieces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/json.h"

namespace rollguard::cli {

// One event of the agent's stream.
struct RemoteEvent {
  std::string id;
  std::string type;
  Json data;
};

class EventLines {
 public:
  // The events that are complete now. Comments, and data that is no JSON, are passed over.
  std::vector<RemoteEvent> Take(std::string_view bytes);

 private:
  void Line(std::string_view line, std::vector<RemoteEvent>& out);

  std::string rest_;
  RemoteEvent open_;
  std::string data_;
};

}  // namespace rollguard::cli
