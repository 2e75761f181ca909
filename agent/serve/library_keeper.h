// SPDX-License-Identifier: Apache-2.0
// The library that guards refer to: rule files and objects of the cluster, as one. Reloading reads
// everything, checks everything, and only then swaps once; a bad file keeps the old library and
// says so until it is mended.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "agent/serve/library_files.h"
#include "agent/serve/object_library.h"

namespace rollguard::serve {

struct LibraryHealth {
  std::string problem;  // why what is on disk or in the cluster is not what is in use
  std::optional<Time> loaded;
  size_t files = 0, groups = 0, templates = 0, policies = 0, strategies = 0;
  uint64_t reloads = 0, failures = 0;
};

// Thread-safe. Reading blocks the caller.
class LibraryKeeper {
 public:
  // `swap` gets each library that is to be used, on the thread that loaded it.
  LibraryKeeper(Ground& ground, std::function<void(spec::Library)> swap);

  // The files alone, strictly: the error holds every problem with file, line and column.
  Status LoadFirst();
  // Looks whether files or objects changed, and loads when they did.
  void Check();
  // What the cluster holds now; takes effect with the next Check.
  void SetObjects(ObjectSnapshot objects);

  LibraryHealth Health() const;

 private:
  Expected<spec::Library> Assemble(const RuleTexts& texts, const ObjectSnapshot& objects,
                                   std::string& warnings) const;
  void Use(spec::Library library, const RuleTexts& texts, std::string problem);

  Ground& ground_;
  std::function<void(spec::Library)> swap_;
  std::string base_;

  std::mutex loading_;  // one load at a time; guards tried_
  std::optional<uint64_t> tried_;

  mutable std::mutex mutex_;  // guards the rest
  ObjectSnapshot objects_;
  uint64_t objects_version_ = 0;
  LibraryHealth health_;
};

}  // namespace rollguard::serve
