// SPDX-License-Identifier: Apache-2.0
// Objects in a cache, small: a byte string instead of a tree of Json values.
//
// A Deployment as Json is some 150 values of 40 to 72 bytes; packed it is shorter than its texts.
// Keys are numbers in a dictionary that all objects of a cache share, and so are texts that many
// objects have (apiVersion, kind, policies, an image). A text that an object has once more points
// to where it stands first (the name, in labels and selectors); uids and times are kept as numbers.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/base/json.h"

namespace rollguard::kube {

// Which texts come again and again, in little memory: texts that share a place outvote each other,
// so that those of single objects never get far.
class OftenSeen {
 public:
  // True once the text has come so often that it should be remembered.
  bool Vote(size_t hash);

 private:
  struct Place {
    uint32_t hash = 0;
    uint32_t votes = 0;
  };
  std::array<Place, 512> places_{};
};

// Not thread-safe. Strings packed by one Packer can be unpacked only by the same.
class Packer {
 public:
  // Deeper values than ParseJson accepts are not expected and are packed as null.
  std::string Pack(const Json& value);
  Json Unpack(std::string_view packed) const;

  // How many packed objects there are: so many texts are worth learning, or fewer. What is written
  // again and again in few objects (the revision that is being released) would fill it for ever.
  void Holds(size_t objects);

  size_t dictionary_size() const { return words_.size(); }

 private:
  static constexpr size_t kMaxLearnt = 2048;

  void Append(const Json& value, int depth, std::string& out);
  void AppendValue(std::string_view text, std::string& out);
  bool AppendAgain(std::string_view text, size_t hash, std::string& out);
  void AppendKey(std::string_view key, std::string& out);
  bool AppendKnown(std::string_view text, bool learn, std::string& out);

  std::deque<std::string> words_;  // stable addresses: the map's keys point into them
  std::unordered_map<std::string_view, uint32_t> numbers_;
  size_t learnt_ = 0;  // words that were learnt from values
  size_t most_learnt_ = kMaxLearnt;
  OftenSeen often_;
  // Texts of the object that is being packed: hash, and where its length stands.
  std::vector<std::pair<size_t, size_t>> texts_;
};

}  // namespace rollguard::kube
