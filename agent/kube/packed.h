// SPDX-License-Identifier: Apache-2.0
// Objects in a cache, small: a byte string instead of a tree of Json values.
//
// A Deployment as Json is some 150 values of 40 to 72 bytes; packed it is about as long as its
// texts. Keys are numbers in a dictionary that all objects of a cache share, and so are the few
// values that are the same in most objects (apiVersion, kind, policies).
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "agent/base/json.h"

namespace rollguard::kube {

// Not thread-safe. Strings packed by one Packer can be unpacked only by the same.
class Packer {
 public:
  // Deeper values than ParseJson accepts are not expected and are packed as null.
  std::string Pack(const Json& value);
  Json Unpack(std::string_view packed) const;

  size_t dictionary_size() const { return words_.size(); }

 private:
  void Append(const Json& value, int depth, std::string& out);
  void AppendText(std::string_view text, std::string& out);
  void AppendKey(std::string_view key, std::string& out);
  bool AppendKnown(std::string_view text, bool learn, std::string& out);

  std::deque<std::string> words_;  // stable addresses: the map's keys point into them
  std::unordered_map<std::string_view, uint32_t> numbers_;
};

}  // namespace rollguard::kube
