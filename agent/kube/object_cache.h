// SPDX-License-Identifier: Apache-2.0
// The objects of one kind in little memory: packed, in order of namespace and name, each with the
// number of the last list that saw it, and all of it in one piece.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
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
  // Empty when there is none.
  std::string_view VersionOf(std::string_view ns, std::string_view name) const;
  bool Has(std::string_view ns, std::string_view name) const;
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
  // One object: its texts one behind the other, and where each ends.
  class Entry {
   public:
    Entry(const KeyView& key, std::string_view version, std::string_view packed);
    KeyView key() const { return {Part(0), Part(1)}; }
    std::string_view version() const { return Part(2); }
    std::string_view packed() const { return Part(3); }
    uint64_t list() const { return head().list; }
    // Not part of the order.
    void SetList(uint64_t list) const { head().list = list; }

   private:
    struct Head {
      uint64_t list = 0;
      uint32_t end[4] = {};
    };
    Head& head() const { return *reinterpret_cast<Head*>(block_.get()); }
    std::string_view Part(size_t number) const;

    std::unique_ptr<char[]> block_;
  };
  // Looked up without building strings.
  struct Less {
    using is_transparent = void;
    static KeyView KeyOf(const Entry& entry) { return entry.key(); }
    static KeyView KeyOf(const KeyView& key) { return key; }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      const KeyView x = KeyOf(a), y = KeyOf(b);
      const int order = x.ns.compare(y.ns);
      return order < 0 || (order == 0 && x.name < y.name);
    }
  };

  std::set<Entry, Less> entries_;
  Packer packer_;
  size_t bytes_ = 0;
};

}  // namespace rollguard::kube
