// SPDX-License-Identifier: Apache-2.0
// The bytes of a watch: one JSON event a line, cut anywhere by the network.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "agent/kube/decode.h"
#include "agent/ports/cluster.h"

namespace rollguard::kube {

// Not thread-safe.
class WatchStream {
 public:
  WatchStream(std::string label, const Projection* projection, size_t max_event);

  // Calls `event` for each whole event in the bytes so far, until it returns false. After an error
  // (a line that is no event, one beyond the limit, an ERROR event) nothing more is read.
  void Feed(std::string_view bytes, const std::function<bool(WatchEvent)>& event);

  // The error that was met, if any; at the end of the stream also a line that was cut.
  const std::optional<Error>& error() const { return error_; }
  void Finish();

 private:
  std::optional<WatchEvent> Read(std::string_view line);

  std::string label_;
  ProjectionTree tree_;
  size_t max_event_;
  std::string buffer_;
  JsonDecoder decoder_;
  std::optional<Error> error_;
};

}  // namespace rollguard::kube
