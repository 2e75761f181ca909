// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/watch_stream.h"

#include "agent/base/text.h"
#include "agent/kube/call.h"

namespace rollguard::kube {
namespace {

constexpr size_t kKeepBuffer = 256U << 10;

std::optional<WatchEvent::Type> TypeOf(std::string_view text) {
  if (text == "ADDED") return WatchEvent::Type::kAdded;
  if (text == "MODIFIED") return WatchEvent::Type::kModified;
  if (text == "DELETED") return WatchEvent::Type::kDeleted;
  if (text == "BOOKMARK") return WatchEvent::Type::kBookmark;
  return std::nullopt;
}

}  // namespace

WatchStream::WatchStream(std::string label, const Projection* projection, size_t max_event)
    : label_(std::move(label)),
      tree_(projection != nullptr ? ProjectionTree(*projection) : ProjectionTree()),
      max_event_(max_event) {}

std::optional<WatchEvent> WatchStream::Read(std::string_view line) {
  Expected<Json> json = decoder_.Decode(line, Shape::kWatchEvent, &tree_);
  if (!json.ok()) {
    error_ = Error(ErrorCode::kUnavailable, StrCat(label_, ": an event is ", json.error().message,
                                                   ": ", Quote(Abbreviate(line, 120))));
    return std::nullopt;
  }
  std::string type = json->At("type").Str();
  Json* object = json->Find("object");
  if (type == "ERROR" && object != nullptr) {
    error_ = StatusError(label_, *object);
    return std::nullopt;
  }
  std::optional<WatchEvent::Type> known = TypeOf(type);
  if (!known || object == nullptr || !object->is_object()) {
    error_ = Error(ErrorCode::kUnavailable,
                   StrCat(label_, ": not a watch event: ", Quote(Abbreviate(line, 120))));
    return std::nullopt;
  }
  return WatchEvent{*known, std::move(*object)};
}

void WatchStream::Feed(std::string_view bytes, const std::function<bool(WatchEvent)>& event) {
  if (error_) return;
  size_t searched = buffer_.size();
  buffer_ += bytes;
  JsonDecoder::Pad(buffer_);
  size_t start = 0;
  for (size_t end; (end = buffer_.find('\n', std::max(start, searched))) != std::string::npos;) {
    std::string_view line = std::string_view(buffer_).substr(start, end - start);
    start = end + 1;
    if (Trim(line).empty()) continue;
    std::optional<WatchEvent> read = Read(line);
    if (!read || !event(std::move(*read))) break;
  }
  buffer_.erase(0, start);
  if (buffer_.empty() && buffer_.capacity() > kKeepBuffer) buffer_ = std::string();
  if (!error_ && buffer_.size() > max_event_) {
    error_ = Error(ErrorCode::kTooLarge,
                   StrCat(label_, ": an event is longer than ", max_event_, " bytes"));
  }
}

void WatchStream::Finish() {
  if (error_ || Trim(buffer_).empty()) return;
  error_ = Error(ErrorCode::kUnavailable,
                 StrCat(label_, ": the stream ended in the middle of an event"));
}

}  // namespace rollguard::kube
