// SPDX-License-Identifier: Apache-2.0
#include "agent/http/event_hub.h"

#include "agent/base/text.h"

namespace rollguard::http {
namespace {

size_t SizeOf(const Event& event) {
  return event.type.size() + event.topic.size() + event.data.size();
}

}  // namespace

uint64_t EventHub::Publish(std::string type, std::string topic, std::string data) {
  data.shrink_to_fit();  // thousands are held, and whoever printed it asked for room to grow
  std::lock_guard lock(mutex_);
  uint64_t id = next_id_++;
  ring_.push_back(
      std::make_shared<const Event>(Event{id, std::move(type), std::move(data), std::move(topic)}));
  bytes_ += SizeOf(*ring_.back());
  while (ring_.size() > 1 && (ring_.size() > keep_.events || bytes_ > keep_.bytes)) {
    bytes_ -= SizeOf(*ring_.front());
    ring_.pop_front();
  }
  return id;
}

std::vector<std::shared_ptr<const Event>> EventHub::After(uint64_t after_id) const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const Event>> found;
  for (auto it = ring_.rbegin(); it != ring_.rend() && (*it)->id > after_id; ++it)
    found.push_back(*it);
  return {found.rbegin(), found.rend()};
}

uint64_t EventHub::last_id() const {
  std::lock_guard lock(mutex_);
  return next_id_ - 1;
}

bool EventHub::HasGap(uint64_t after_id) const {
  std::lock_guard lock(mutex_);
  uint64_t oldest = ring_.empty() ? next_id_ : ring_.front()->id;
  return after_id + 1 < oldest || after_id >= next_id_;
}

std::string ToWire(const Event& event) {
  return StrCat("id: ", event.id, "\nevent: ", event.type,
                "\ndata: ", ReplaceAll(event.data, "\n", " "), "\n\n");
}

}  // namespace rollguard::http
