// SPDX-License-Identifier: Apache-2.0
// The objects of one kind in little memory: packed, in order of namespace and name, each with the
// number of the last list that saw it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/json.h"
#include "agent/kube/packed.h"

namespace rollguard::kube {

class ObjectCache {
 public:
  struct Key {
    std::string ns;
    std::string name;
  };
  enum class Seen { kNew, kChanged, kSame };

  // Seen by that list or after it. `before`, when given, becomes the object that a changed one
  // replaces. An object without a name counts as the same.
  Seen Put(const Json& object, uint64_t list, Json* before);
  // False when there is none. `last`, when given, becomes the object.
  bool Remove(std::string_view ns, std::string_view name, Json* last);

  bool Get(std::string_view ns, std::string_view name, Json* object) const;
  // Null when there is none.
  const std::string* VersionOf(std::string_view ns, std::string_view name) const;
  // Empty `ns`: all namespaces.
  void ForEach(std::string_view ns, const std::function<void(const Json&)>& visit) const;
  std::vector<Key> Keys() const;
  std::vector<Key> NotSeenBy(uint64_t list) const;

  size_t size() const { return entries_.size(); }
  size_t bytes() const { return bytes_; }  // of the packed objects

 private:
  struct KeyView {
    std::string_view ns;
    std::string_view name;
  };
  // Looked up without building strings.
  struct Less {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      const int order = std::string_view(a.ns).compare(b.ns);
      return order < 0 || (order == 0 && std::string_view(a.name) < std::string_view(b.name));
    }
  };
  struct Entry {
    std::string resource_version;
    std::string packed;
    uint64_t list = 0;
  };

  std::map<Key, Entry, Less> entries_;
  Packer packer_;
  size_t bytes_ = 0;
};

}  // namespace rollguard::kube
