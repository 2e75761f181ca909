// SPDX-License-Identifier: Apache-2.0
// Rule files on disk -> a checked library. Blocking; never on the deciding thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/base/diagnostic.h"
#include "agent/spec/load.h"

namespace rollguard::serve {

// The texts of all rule files at one moment, by path.
struct RuleTexts {
  std::map<std::string, std::string> texts;
  Diagnostics problems;  // files that are missing or cannot be read
  uint64_t Fingerprint() const;
};

// `patterns` are files, folders (with the folders below them) or globs, relative to `base`. Hidden
// entries are passed over, so that the versions inside a mounted ConfigMap are not read twice.
RuleTexts ReadRuleTexts(const std::vector<std::string>& patterns, const std::string& base);

struct FileLibrary {
  spec::Library library;  // guards and configurations left out
  Diagnostics problems;
};

// Parses all of it. What only the whole can show (names twice, references) is checked by the
// caller, who may add more.
FileLibrary ParseRuleTexts(const RuleTexts& texts);

// The problems as people read them, with the lines they are about.
std::string RenderProblems(const Diagnostics& problems,
                           const std::map<std::string, std::string>& texts);

}  // namespace rollguard::serve
