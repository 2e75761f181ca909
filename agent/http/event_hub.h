// SPDX-License-Identifier: Apache-2.0
// The last events, by id, and how they look on the wire. What is kept for streams that come back is
// limited by number and by size. Publish is thread-safe; reading is done by the server's loop.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "agent/http/message.h"

namespace rollguard::http {

class EventHub {
 public:
  struct Limits {
    size_t events = 4096;
    size_t bytes = 512 << 10;  // of their texts; the newest event is kept however large it is
  };

  explicit EventHub(uint64_t first_id = 1) : EventHub(Limits(), first_id) {}
  EventHub(Limits keep, uint64_t first_id) : keep_(keep), next_id_(first_id) {}

  uint64_t Publish(std::string type, std::string topic, std::string data);

  // Events with id > `after_id` that are still held, oldest first.
  std::vector<std::shared_ptr<const Event>> After(uint64_t after_id) const;
  uint64_t last_id() const;
  // Whether something between `after_id` and the oldest held event was forgotten.
  bool HasGap(uint64_t after_id) const;

 private:
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<const Event>> ring_;
  const Limits keep_;
  size_t bytes_ = 0;
  uint64_t next_id_;
};

// "id: 7\nevent: decision\ndata: {...}\n\n"
std::string ToWire(const Event& event);

}  // namespace rollguard::http
