// SPDX-License-Identifier: Apache-2.0
// A mapping of a manifest that is being carried over: what was not taken when it goes out of scope
// becomes a note.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/proof/import.h"
#include "agent/yaml/yaml.h"

namespace rollguard::proof {

class ImportSource {
 public:
  ImportSource(const yaml::Node& node, std::string path, std::vector<ImportNote>& notes)
      : node_(node), path_(std::move(path)), notes_(notes) {}
  ~ImportSource();
  ImportSource(const ImportSource&) = delete;
  ImportSource& operator=(const ImportSource&) = delete;

  bool Has(std::string_view key) const { return node_.Find(key) != nullptr; }
  std::vector<std::string> Keys() const;
  // The value, taken; null when it is absent.
  Json Take(std::string_view key);
  std::string Text(std::string_view key) { return Take(key).Str(); }
  // A nested mapping; nothing runs when it is absent or none.
  void In(std::string_view key, const std::function<void(ImportSource&)>& read);
  // Each item of a sequence of mappings.
  void Each(std::string_view key, const std::function<void(ImportSource&)>& read);
  // Takes the key, if it is there, and says why it is not carried over.
  void Leave(std::string_view key, std::string_view why);
  // A note about this mapping as a whole.
  void Note(std::string_view text);
  // Nothing here is missed.
  void Ignore(std::string_view key) { taken_.insert(std::string(key)); }

 private:
  std::string PathOf(std::string_view key) const;

  const yaml::Node& node_;
  std::string path_;
  std::vector<ImportNote>& notes_;
  std::set<std::string, std::less<>> taken_;
};

// Copies a value under another key when it is there.
void Carry(ImportSource& from, std::string_view key, Json& to, std::string_view as);
// Seconds, as 30 or "30", become "30s".
void CarrySeconds(ImportSource& from, std::string_view key, Json& to, std::string_view as);

// One manifest each; documents and notes are added to `out`.
void ImportRollout(const yaml::Node& node, Imported& out);
void ImportCanary(const yaml::Node& node, Imported& out);

// {"apiVersion", "kind": "Guard", "metadata": name and namespace of `metadata`, "spec": {"target"}}
Json NewGuard(ImportSource& metadata, Json target);

}  // namespace rollguard::proof
