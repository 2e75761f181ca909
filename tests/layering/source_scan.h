// SPDX-License-Identifier: Apache-2.0
// Reads the project's sources and its house rules (docs/design/house.md) and says where a source
// breaks them. Everything works on text, so that the rules themselves can be tested.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rollguard::layering {

struct SourceFile {
  std::string path;  // from the project's root: "agent/kube/client.cc"
  std::string text;

  // "kube" for agent/kube/client.cc and agent/kube/tls/x.h; "" outside agent/.
  std::string Folder() const;
  bool IsHeader() const { return path.ends_with(".h"); }
};

struct House {
  // Folder -> folders it may include, itself and those behind its arrows included.
  std::map<std::string, std::set<std::string>> arrows;
  // Third-party header (or "prefix/") -> folders whose .cc files may include it.
  std::map<std::string, std::set<std::string>> libraries;
  // Paths (or "prefix/") that may read clocks, randomness and environment.
  std::vector<std::string> clock_readers;
};

// From the fenced blocks of house.md, in their order: arrows, libraries, clock readers.
House ParseHouse(std::string_view markdown);

// Every *.h and *.cc below the folders given, sorted by path.
std::vector<SourceFile> ReadSources(const std::string& root,
                                    const std::vector<std::string>& folders);

// Each returns one line for each breach: "path:line: what".
std::vector<std::string> CheckArrows(const House& house, const SourceFile& file);
std::vector<std::string> CheckLibraries(const House& house, const SourceFile& file);
std::vector<std::string> CheckPurity(const House& house, const SourceFile& file);
std::vector<std::string> CheckShape(const SourceFile& file);  // size, SPDX, #pragma once
std::vector<std::string> CheckNoDisabledTest(const SourceFile& file);

}  // namespace rollguard::layering
