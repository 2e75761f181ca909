// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/library_files.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/kube/files.h"

namespace rollguard::serve {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDepth = 16;
constexpr size_t kMaxFiles = 10'000;

bool IsDocument(const fs::path& path) {
  std::string extension = path.extension().string();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

void Collect(const fs::path& folder, int depth, std::set<std::string>& files,
             Diagnostics& problems) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    entries.push_back(it->path());
  if (error)
    problems.Error(folder.string(), {}, StrCat("the folder cannot be read: ", error.message()));
  for (const fs::path& path : entries) {
    if (path.filename().string()[0] == '.' || files.size() >= kMaxFiles) continue;
    if (!fs::is_directory(path, error)) {
      if (IsDocument(path)) files.insert(path.string());
    } else if (depth < kMaxDepth && !fs::is_symlink(path, error)) {
      Collect(path, depth + 1, files, problems);
    }
  }
}

// The paths a pattern stands for; itself when it is no glob.
std::vector<std::string> Expand(const std::string& pattern) {
  if (pattern.find_first_of("*?[") == std::string::npos) return {pattern};
  std::vector<std::string> paths;
  glob_t found{};
  if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  }
  ::globfree(&found);
  return paths;
}

std::string Absolute(const std::string& pattern, const std::string& base) {
  if (pattern.starts_with('/') || base.empty()) return pattern;
  return StrCat(base, "/", pattern);
}

}  // namespace

uint64_t RuleTexts::Fingerprint() const {
  uint64_t hash = 1;
  for (const auto& [path, text] : texts) hash = Fnv1a64(text, Fnv1a64(path, hash));
  for (const Diagnostic& problem : problems.Sorted())
    hash = Fnv1a64(problem.message, Fnv1a64(problem.file, hash));
  return hash;
}

RuleTexts ReadRuleTexts(const std::vector<std::string>& patterns, const std::string& base) {
  RuleTexts out;
  std::set<std::string> files;
  for (const std::string& pattern : patterns) {
    for (const std::string& path : Expand(Absolute(pattern, base))) {
      std::error_code error;
      if (fs::is_directory(path, error)) {
        Collect(path, 0, files, out.problems);
      } else {
        files.insert(path);
      }
    }
  }
  for (const std::string& file : files) {
    auto text = kube::ReadSmallFile(file, 16U << 20);
    if (text) {
      out.texts.emplace(file, std::move(*text));
    } else {
      out.problems.Error(file, {}, text.error().message);
    }
  }
  return out;
}

FileLibrary ParseRuleTexts(const RuleTexts& texts) {
  FileLibrary out;
  out.problems.Append(texts.problems);
  for (const auto& [file, text] : texts.texts)
    spec::LoadText(file, text, out.library, out.problems);
  for (const spec::Guard& guard : out.library.guards)
    out.problems.Warning(
        guard.origin.file, {},
        StrCat("the Guard ", guard.Id(), " is not taken from a file; apply it to the cluster"));
  out.library.guards.clear();
  out.library.configs.clear();
  return out;
}

std::string RenderProblems(const Diagnostics& problems,
                           const std::map<std::string, std::string>& texts) {
  std::string out;
  for (const Diagnostic& problem : problems.Sorted()) {
    auto text = texts.find(problem.file);
    out += Render(problem, text == texts.end() ? std::string_view() : text->second);
  }
  return out;
}

}  // namespace rollguard::serve
