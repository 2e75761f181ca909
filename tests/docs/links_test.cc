// SPDX-License-Identifier: Apache-2.0
// Links lead to files and sections that exist, docs/README.md to every design note, and every alert
// to its section of the runbook.
#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "agent/base/text.h"
#include "tests/docs/pages.h"
#include "tests/support/agent_process.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::docs {
namespace {

// GitHub's anchor of a heading: lower case, blanks to hyphens, other signs dropped.
std::string AnchorOf(std::string_view heading) {
  std::string anchor;
  for (char c : ToLower(Trim(heading))) {
    if (c == ' ') anchor += '-';
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_') anchor += c;
  }
  return anchor;
}

std::set<std::string> AnchorsOf(const std::string& page) {
  std::set<std::string> anchors;
  bool inside = false;
  const std::string text = testing::ReadFile(Source(page));
  for (std::string_view line : Split(std::string_view(text), '\n')) {
    if (Trim(line).starts_with("```")) inside = !inside;
    const size_t level = line.find_first_not_of('#');
    if (inside || level == 0 || level == std::string_view::npos || line[level] != ' ') continue;
    std::string anchor = AnchorOf(line.substr(level));
    for (int i = 1; !anchors.insert(anchor).second; ++i)
      anchor = StrCat(AnchorOf(line.substr(level)), "-", i);
  }
  return anchors;
}

// "" when `link`, written in `page`, leads somewhere.
std::string DeadEnd(const std::string& page, const std::string& link) {
  const size_t hash = link.find('#');
  std::string target = link.substr(0, hash);
  target = target.empty()
               ? page
               : (std::filesystem::path(page).parent_path() / target).lexically_normal().string();
  if (!std::filesystem::exists(Source(target))) return StrCat("there is no ", target);
  if (hash == std::string::npos || !target.ends_with(".md")) return {};
  return AnchorsOf(target).contains(link.substr(hash + 1))
             ? ""
             : StrCat(target, " has no section for #", link.substr(hash + 1));
}

TEST_CASE("links between pages lead to a file and a section") {
  size_t seen = 0, sections = 0;
  for (const std::string& page : Pages()) {
    const std::string text = testing::ReadFile(Source(page));
    for (size_t at = text.find("]("); at != std::string::npos; at = text.find("](", at + 1)) {
      const std::string link = text.substr(at + 2, text.find(')', at) - at - 2);
      if (link.empty() || link.find("://") != std::string::npos ||
          link.find_first_of(" \n\"") != std::string::npos)
        continue;
      INFO(page << ": " << link);
      CHECK(DeadEnd(page, link) == "");
      ++seen;
      sections += link.find('#') != std::string::npos ? 1 : 0;
    }
  }
  CHECK(seen >= 60);
  CHECK(sections >= 30);
  CHECK(DeadEnd("docs/rules.md", "nothing.md") != "");
  CHECK(DeadEnd("docs/rules.md", "guard.md#no-such-section") != "");
}

TEST_CASE("docs/README.md leads to every design note and every reference page") {
  const std::string map = testing::ReadFile(Source("docs/README.md"));
  size_t held = 0;
  for (const std::string& page : Pages()) {
    const std::string text = testing::ReadFile(Source(page));
    const bool printed = text.find("\nWritten by `rollguard ") != std::string::npos;
    if (!page.starts_with("docs/design/") && !printed) continue;
    INFO(page);
    CHECK(map.find(StrCat("](", page.substr(5), ")")) != std::string::npos);
    ++held;
  }
  CHECK(held >= 14);
}

TEST_CASE("every alert leads to its section of the runbook, and every section is of an alert") {
  const std::set<std::string> anchors = AnchorsOf("docs/operations.md");
  std::set<std::string> alerts;
  const std::string text = testing::ReadFile(Source("alertmanager/rules/rollguard-alerts.yaml"));
  std::string alert;
  for (std::string_view line : Split(std::string_view(text), '\n')) {
    line = Trim(line);
    if (line.starts_with("- alert: ")) alert = ToLower(line.substr(9));
    if (!line.starts_with("runbook: ")) continue;
    INFO(alert << ": " << line);
    CHECK(line == StrCat("runbook: 'docs/operations.md#", alert, "'"));
    CHECK(anchors.contains(alert));
    CHECK(alerts.insert(alert).second);
  }
  size_t rules = 0;
  for (size_t at = text.find("- alert: "); at != std::string::npos;
       at = text.find("- alert: ", at + 1))
    ++rules;
  CHECK(alerts.size() == rules);
  for (const std::string& anchor : anchors) {
    INFO(anchor);
    CHECK((!anchor.starts_with("rollguard") || alerts.contains(anchor)));
  }
}

}  // namespace
}  // namespace rollguard::docs
