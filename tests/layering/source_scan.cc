// SPDX-License-Identifier: Apache-2.0
#include "tests/layering/source_scan.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "agent/base/text.h"

namespace rollguard::layering {
namespace {

constexpr size_t kMaxLines = 600;

constexpr std::array<std::string_view, 8> kPure = {"promql",   "expr",   "spec",    "stats",
                                                   "analysis", "alerts", "routing", "release"};

// What brings threads, locks, files, sockets or randomness.
constexpr std::array<std::string_view, 19> kImpureHeaders = {
    "thread",   "mutex",      "shared_mutex", "condition_variable", "future",     "fstream",
    "iostream", "filesystem", "random",       "semaphore",          "stop_token", "latch",
    "unistd.h", "fcntl.h",    "netdb.h",      "pthread.h",          "sys/",       "netinet/",
    "arpa/"};

constexpr std::array<std::string_view, 6> kClockReads = {
    "::now(", "random_device", "sleep_for", "sleep_until", "getenv", "clock_gettime"};

std::vector<std::string> Words(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), ',', ' ');
  std::istringstream stream(spaced);
  return {std::istream_iterator<std::string>(stream), {}};
}

// Lines of the n-th ``` block.
std::vector<std::string> FencedBlock(std::string_view markdown, int wanted) {
  std::vector<std::string> lines;
  int fences = 0;
  for (std::string_view line : Split(markdown, '\n')) {
    if (line.starts_with("```")) {
      ++fences;
    } else if (fences == 2 * wanted + 1) {
      lines.emplace_back(line);
    }
  }
  return lines;
}

bool Matches(std::string_view text, std::string_view pattern) {
  return pattern.ends_with("/") ? text.starts_with(pattern) : text == pattern;
}

struct Include {
  std::string target;
  bool angle = false;
  size_t line = 0;
};

std::vector<Include> Includes(const SourceFile& file) {
  std::vector<Include> found;
  size_t number = 0;
  for (std::string_view line : Split(file.text, '\n')) {
    ++number;
    line = Trim(line);
    if (!line.starts_with("#include")) continue;
    line = Trim(line.substr(8));
    if (line.size() < 2) continue;
    const bool angle = line[0] == '<';
    const size_t end = line.find(angle ? '>' : '"', 1);
    if (end == std::string_view::npos) continue;
    found.push_back({std::string(line.substr(1, end - 1)), angle, number});
  }
  return found;
}

std::string FolderOf(std::string_view path) {
  if (!path.starts_with("agent/")) return "";
  const size_t slash = path.find('/', 6);
  return slash == std::string_view::npos ? "" : std::string(path.substr(6, slash - 6));
}

// The line without string literals and comments.
std::string CodeOf(std::string_view line) {
  std::string code;
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == '\\') ++i;
      if (c == quote) quote = 0;
      continue;
    }
    if (c == '"') {
      quote = c;
    } else if (c == '/' && i + 1 < line.size() && line[i + 1] == '/') {
      break;
    } else {
      code += c;
    }
  }
  return code;
}

std::string Place(const SourceFile& file, size_t line, std::string_view what) {
  return StrCat(file.path, ":", line, ": ", what);
}

// "agent/spec   what it is   -> yaml, promql": the folders named, and what their arrow says.
void ParseArrowLine(std::string_view line, House& house) {
  const size_t arrow = line.find("->");
  std::set<std::string> targets;
  if (arrow != std::string_view::npos) {
    const std::string_view right = Trim(line.substr(arrow + 2));
    if (right == "all of the above") {
      for (const auto& [folder, may] : house.arrows) targets.insert(folder);
    } else {
      for (const std::string& word : Words(right)) {
        targets.insert(word);
        const auto known = house.arrows.find(word);
        if (known != house.arrows.end()) {
          targets.insert(known->second.begin(), known->second.end());
        }
      }
    }
  }
  for (const std::string& word : Words(line.substr(0, arrow))) {
    if (!word.starts_with("agent/")) continue;
    std::set<std::string> may = targets;
    may.insert(word.substr(6));
    house.arrows[word.substr(6)] = std::move(may);
  }
}

}  // namespace

std::string SourceFile::Folder() const { return FolderOf(path); }

House ParseHouse(std::string_view markdown) {
  House house;
  for (const std::string& line : FencedBlock(markdown, 0)) ParseArrowLine(line, house);
  for (const std::string& line : FencedBlock(markdown, 1)) {
    const std::vector<std::string> words = Words(line);
    if (words.empty()) continue;
    house.libraries[words[0]] = std::set<std::string>(words.begin() + 1, words.end());
  }
  for (const std::string& line : FencedBlock(markdown, 2)) {
    const std::vector<std::string> words = Words(line);
    if (!words.empty()) house.clock_readers.push_back(words[0]);
  }
  return house;
}

std::vector<SourceFile> ReadSources(const std::string& root,
                                    const std::vector<std::string>& folders) {
  namespace fs = std::filesystem;
  std::vector<SourceFile> files;
  for (const std::string& folder : folders) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root + "/" + folder)) {
      const std::string extension = entry.path().extension();
      if (extension != ".h" && extension != ".cc") continue;
      std::ifstream stream(entry.path());
      std::string text((std::istreambuf_iterator<char>(stream)), {});
      files.push_back({fs::relative(entry.path(), root).string(), std::move(text)});
    }
  }
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

std::vector<std::string> CheckArrows(const House& house, const SourceFile& file) {
  const std::string from = file.Folder();
  const auto may = house.arrows.find(from);
  if (may == house.arrows.end()) {
    return {Place(file, 1, StrCat("folder agent/", from, " is not in docs/design/house.md"))};
  }
  std::vector<std::string> breaches;
  for (const Include& include : Includes(file)) {
    if (include.angle) continue;
    const std::string to = FolderOf(include.target);
    if (to.empty()) {
      breaches.push_back(Place(file, include.line,
                               StrCat("include from the project's root, not \"", include.target,
                                      "\"; agent/ includes nothing of other folders")));
    } else if (!may->second.contains(to)) {
      breaches.push_back(Place(file, include.line, StrCat("no arrow from ", from, " to ", to)));
    }
  }
  return breaches;
}

std::vector<std::string> CheckLibraries(const House& house, const SourceFile& file) {
  std::vector<std::string> breaches;
  for (const Include& include : Includes(file)) {
    if (!include.angle) continue;
    for (const auto& [pattern, folders] : house.libraries) {
      if (!Matches(include.target, pattern)) continue;
      if (file.IsHeader() && !folders.contains("headers")) {
        breaches.push_back(Place(file, include.line,
                                 StrCat("<", include.target, "> in a header; .cc files only")));
      } else if (!folders.contains(file.Folder())) {
        breaches.push_back(Place(file, include.line,
                                 StrCat("<", include.target, "> does not belong into agent/",
                                        file.Folder(), "; see docs/design/house.md")));
      }
    }
    if (include.target == "regex" || include.target.starts_with("nlohmann/")) {
      breaches.push_back(
          Place(file, include.line, StrCat("<", include.target, "> is not used here")));
    }
  }
  return breaches;
}

std::vector<std::string> CheckPurity(const House& house, const SourceFile& file) {
  std::vector<std::string> breaches;
  const bool pure = std::find(kPure.begin(), kPure.end(), file.Folder()) != kPure.end();
  if (pure) {
    for (const Include& include : Includes(file)) {
      for (std::string_view header : kImpureHeaders) {
        if (include.angle && Matches(include.target, header)) {
          breaches.push_back(
              Place(file, include.line, StrCat("<", include.target, "> in the pure core")));
        }
      }
    }
  }
  for (const std::string& reader : house.clock_readers) {
    if (Matches(file.path, reader)) return breaches;
  }
  size_t number = 0;
  for (std::string_view line : Split(file.text, '\n')) {
    ++number;
    const std::string code = CodeOf(line);
    for (std::string_view read : kClockReads) {
      if (code.find(read) != std::string::npos) {
        breaches.push_back(Place(file, number, StrCat(read, " may not stand here")));
      }
    }
  }
  return breaches;
}

std::vector<std::string> CheckShape(const SourceFile& file) {
  std::vector<std::string> breaches;
  const auto lines = static_cast<size_t>(std::count(file.text.begin(), file.text.end(), '\n'));
  const bool table = file.path.ends_with("_table.cc");  // rows, which read no worse for being many
  if (lines > kMaxLines && !table) {
    breaches.push_back(Place(file, lines, StrCat("more than ", kMaxLines, " lines; split it")));
  }
  if (!file.text.starts_with("// SPDX-License-Identifier: Apache-2.0\n")) {
    breaches.push_back(Place(file, 1, "the first line must be the SPDX licence line"));
  }
  if (file.IsHeader() && file.text.find("\n#pragma once\n") == std::string::npos) {
    breaches.push_back(Place(file, 1, "a header needs #pragma once"));
  }
  return breaches;
}

std::vector<std::string> CheckNoDisabledTest(const SourceFile& file) {
  // Written in pieces, so that this file does not find itself.
  static const std::array<std::string, 6> kDisabling = {std::string("\"[."),
                                                        std::string("[!may") + "fail]",
                                                        std::string("[!should") + "fail]",
                                                        std::string("[!hi") + "de]",
                                                        std::string("#if ") + "0",
                                                        std::string("SKI") + "P("};
  std::vector<std::string> breaches;
  size_t number = 0;
  for (std::string_view line : Split(file.text, '\n')) {
    ++number;
    for (const std::string& pattern : kDisabling) {
      const bool tag = pattern[0] == '"';
      if (tag && line.find("TEST_CASE") == std::string_view::npos &&
          !Trim(line).starts_with("\"[.")) {
        continue;
      }
      if (line.find(pattern) != std::string_view::npos) {
        breaches.push_back(Place(file, number, "a disabled test; repair it or remove it"));
      }
    }
  }
  return breaches;
}

}  // namespace rollguard::layering
