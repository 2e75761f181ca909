// SPDX-License-Identifier: Apache-2.0
// What the command line prints with: YAML, tables, bars, event lines; completion and the manual.
#include "agent/base/text.h"

#include <fstream>
#include <iterator>

#include "agent/cli/command.h"
#include "agent/cli/event_lines.h"
#include "agent/cli/guard_text.h"
#include "agent/cli/manual.h"
#include "agent/cli/table.h"
#include "agent/cli/yaml_text.h"
#include "agent/yaml/yaml.h"
#include "tests/cli/call.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::cli {

TEST_CASE("JSON as YAML", "[cli]") {
  struct Row {
    const char* json;
    const char* yaml;
  };
  const Row rows[] = {
      {R"({"a": 1, "b": [1, {"c": "x", "d": []}], "e": {}})",
       "a: 1\nb:\n- 1\n- c: x\n  d: []\ne: {}\n"},
      {R"({"text": "one\ntwo\n", "open": "one\ntwo"})",
       "text: |\n  one\n  two\nopen: |-\n  one\n  two\n"},
      {R"(["yes", "1.5", "2024-01-01", "a: b", "#x", "", " x", "plain words", "-", "0x1f", "null"])",
       "- \"yes\"\n- \"1.5\"\n- \"2024-01-01\"\n- \"a: b\"\n- \"#x\"\n- \"\"\n- \" x\"\n"
       "- plain words\n- \"-\"\n- \"0x1f\"\n- \"null\"\n"},
      {R"([[1, 2], [{"a": null}]])", "- - 1\n  - 2\n- - a: null\n"},
      {R"("alone")", "alone\n"},
      {R"({"on": true})", "\"on\": true\n"},
      {R"({"tab": "a\tb\nc"})", "tab: \"a\\tb\\nc\"\n"},
  };
  for (const Row& row : rows) {
    INFO(row.json);
    CHECK(ToYaml(*ParseJson(row.json)) == row.yaml);
  }
}

TEST_CASE("what is wide is cut, colours count for nothing", "[cli]") {
  CHECK(Width("né✓") == 3);
  CHECK(Width("\x1b[31mred\x1b[0m") == 3);
  CHECK(Fit("abcdef", 4) == "abc…");
  CHECK(Fit("abcd", 4) == "abcd");
  CHECK(Bar(0.5, 4) == "██░░");
  CHECK(Bar(7, 2) == "██");
  Table table({"A", "LONGER"});
  table.Add({"wide cell", "x"});
  CHECK(table.Text(0) == "A           LONGER\nwide cell   x\n");
}

TEST_CASE("events are read from pieces of any size", "[cli]") {
  const std::string text =
      ": heartbeat\n\nid: 7\nevent: decision\ndata: {\"a\":\ndata: 1}\n\r\nevent: x\ndata: "
      "broken{\n\n"
      "id:8\nevent:guard\ndata:[2]\n\n";
  for (size_t size : {size_t{1}, size_t{5}, text.size()}) {
    EventLines lines;
    std::vector<RemoteEvent> events;
    for (size_t at = 0; at < text.size(); at += size)
      for (RemoteEvent& event : lines.Take(std::string_view(text).substr(at, size)))
        events.push_back(std::move(event));
    REQUIRE(events.size() == 2);
    CHECK(events[0].id == "7");
    CHECK(events[0].type == "decision");
    CHECK(events[0].data.At("a").IntOr(0) == 1);
    CHECK(events[1].type == "guard");
  }
}

TEST_CASE("status names the replica that decides, where there are several", "[cli]") {
  Json guard = Json::Obj(
      {{"summary", Json::Obj({{"id", "shop/checkout"}, {"state", "Idle"}, {"stable", "v1"}})}});
  const TextStyle style{80, false, Time{}};
  CHECK(StatusText(guard, style).find("decided by") == std::string::npos);
  guard.Set("replica", "agent-1");
  CHECK(StatusText(guard, style).find("\ndecided by agent-1\n") != std::string::npos);
}

TEST_CASE("every command explains itself with usage and an example", "[cli]") {
  for (const Command& command : Commands()) {
    INFO(command.name);
    CHECK(command.help.starts_with(StrCat("usage: rollguard ", command.name)));
    CHECK(command.help.ends_with('\n'));
    CHECK_FALSE(command.summary.empty());
    for (std::string_view line : Split(command.help, '\n')) CHECK(Width(line) <= 120);
  }
}

TEST_CASE("docs/cli.md is what `rollguard help --markdown` prints", "[cli]") {
  std::ifstream stream(std::string(ROLLGUARD_SOURCE_DIR) + "/docs/cli.md");
  const std::string page((std::istreambuf_iterator<char>(stream)), {});
  const bool same = page == Manual();
  INFO("write it anew: build/rollguard help --markdown > docs/cli.md");
  CHECK(same);
}

TEST_CASE("the reference pages are what `rollguard schema page` prints", "[cli]") {
  for (const auto& [page, file] :
       {std::pair("guard", "guard.md"), std::pair("rules", "rule-reference.md"),
        std::pair("configuration", "configuration.md")}) {
    std::ifstream stream(StrCat(ROLLGUARD_SOURCE_DIR, "/docs/", file));
    const std::string text((std::istreambuf_iterator<char>(stream)), {});
    const bool same = text == Call({"schema", "page", page}).out;
    INFO("write it anew: build/rollguard schema page " << page << " > docs/" << file);
    CHECK(same);
  }
  CHECK(Call({"schema", "page", "gaurd"}).code == 2);
}

TEST_CASE("a typo is answered with the right word", "[cli]") {
  CHECK(Call({"statsu"}).code == 2);
  CHECK(Call({"help", "status"}).out.starts_with("usage: rollguard status"));
  CHECK(Call({"help"}).code == 0);
}

TEST_CASE("each shell takes the completion and completes with it", "[cli]") {
  TempFile bash(StrCat(Call({"completion", "bash"}).out, R"(
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _rollguard; echo "${COMPREPLY[*]}"; }
)"));
  // The function itself: zsh's own part is given by it.
  TempFile zsh(StrCat("compdef() { : }\n", Call({"completion", "zsh"}).out, R"(
compadd() { shift; print -r -- ${(M)@:#${words[CURRENT]}*} }
_files() { : }
try() { words=("$@"); CURRENT=$#; _rollguard }
)"));
  TempFile fish(StrCat(Call({"completion", "fish"}).out, R"(
function try; complete -C (string join -- ' ' $argv) | string replace -r '\t.*' ''; end
)"));
  for (const auto& [shell, script, guards] :
       {std::tuple("bash", bash.path(),
                   "rollguard() { printf '      \"id\": \"shop/checkout\",\\n'; }"),
        std::tuple("zsh", zsh.path(),
                   "rollguard() { printf '      \"id\": \"shop/checkout\",\\n'; }"),
        std::tuple("fish", fish.path(),
                   "function rollguard; printf '      \"id\": \"shop/checkout\",\\n'; end")}) {
    const std::string all = StrCat(". ", script, "\n", guards, R"(
try rollguard statu
try rollguard status s
try rollguard promote --fu
try rollguard promql e
try rollguard promql eval --ser
try rollguard get ru
)");
    INFO(shell);
    auto run = testing::Run({shell, "-c", all});
    CHECK(run.err == "");
    CHECK(run.out == "status\nshop/checkout\n--full\neval\n--series\nrules\n");
  }
  CHECK(Call({"completion", "tcsh"}).code == 2);
}

}  // namespace rollguard::cli
