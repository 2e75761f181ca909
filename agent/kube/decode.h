// SPDX-License-Identifier: Apache-2.0
// What an API server sends, read with simdjson into Json. Dropped paths are skipped, not built, so
// that managedFields never cost memory.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "agent/base/json.h"
#include "agent/ports/projection.h"

namespace rollguard::kube {

// What the projection's paths are relative to.
enum class Shape { kObject, kList, kWatchEvent };

// Keeps its buffers between small documents and gives back those of big ones. Not thread-safe.
class JsonDecoder {
 public:
  JsonDecoder();
  ~JsonDecoder();
  JsonDecoder(const JsonDecoder&) = delete;
  JsonDecoder& operator=(const JsonDecoder&) = delete;

  // One whole document and nothing after it. At least `kPadding` readable bytes must follow the
  // text; see Pad. Errors are kInternal and say what is wrong, not where it came from.
  Expected<Json> Decode(std::string_view text, Shape shape, const ProjectionTree* tree);

  static constexpr size_t kPadding = 64;
  // Makes room behind the text of a string.
  static void Pad(std::string& text) {
    if (text.capacity() < text.size() + kPadding) text.reserve(text.size() + kPadding);
  }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rollguard::kube
