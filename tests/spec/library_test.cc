// SPDX-License-Identifier: Apache-2.0
// What only several documents together show.
#include "agent/base/text.h"
#include "agent/spec/load.h"
#include "tests/support/catch.h"

using namespace rollguard;

namespace {

std::string Check(std::string_view text, bool complete = false) {
  spec::Library library;
  Diagnostics diagnostics;
  spec::LoadText("f", text, library, diagnostics);
  spec::CheckLibrary(library, complete, diagnostics);
  std::string out;
  for (const Diagnostic& d : diagnostics.Sorted())
    out += StrCat(d.span.line, ":", d.span.column, " ", d.message, "\n");
  return out;
}

std::string Guard(std::string_view rest) {
  return StrCat("apiVersion: rollguard.dev/v1alpha1\nkind: Guard\nmetadata: {name: a}\nspec:\n",
                "  target: {name: a}\n  strategy: {rolling: {}}\n", rest, "---\n");
}

std::string Template(std::string_view name, std::string_view args, std::string_view nested,
                     std::string_view used) {
  return StrCat("apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: ", name,
                "}\nspec:\n  args: [", args, "]\n  templates: [", nested,
                "]\n  metrics:\n    - {name: ", name,
                ", provider: {prometheus: {query: 'up > {{args.", used, "}}'}}}\n---\n");
}

}  // namespace

TEST_CASE("library: a variable is known from the group, the guards that use it, or their policy") {
  constexpr std::string_view kRules =
      "groups: [{name: web, labels: {a: b}, rules: [{rollback: Bad, expr: 'up{z=\"$zone\"} > "
      "1'}]}]\n";
  constexpr std::string_view kPolicy =
      "apiVersion: rollguard.dev/v1alpha1\nkind: RollbackPolicy\nmetadata: {name: p}\nspec: {vars: "
      "{zone: x}, rollback: {rules: [web]}}\n---\n";
  CHECK(Check(kRules) == "1:75 unknown variable $zone (set it under the group's \"vars\")\n");
  CHECK(Check(Guard("  rollback: {rules: [web]}\n  vars: {zone: eu}\n") + std::string(kRules)) ==
        "");
  CHECK(Check(Guard("  rollback: {rules: [{selector: {matchLabels: {a: b}}}]}\n") +
              std::string(kRules)) ==
        "3:18 the rule \"Bad\" of the group \"web\" needs $zone: set it under \"vars\"\n");
  CHECK(Check(Guard("  policy: p\n") + std::string(kPolicy) + std::string(kRules)) == "");
  CHECK(Check(Guard("  rollback: {rules: [other]}\n") + std::string(kRules)) ==
        "9:75 unknown variable $zone (set it under the group's \"vars\")\n");
}

TEST_CASE("library: a health check's variables are the guard's") {
  std::string health =
      "  health: {checks: [{name: q, promql: {query: 'up{z=\"$zone\"}', max: 1}}]}\n";
  CHECK(Check(Guard(health)) ==
        "7:54 unknown variable $zone (set it under the guard's \"vars\")\n");
  CHECK(Check(Guard(health + "  vars: {zone: eu}\n")) == "");
}

TEST_CASE("library: references are errors only when everything is there, or nearly right") {
  CHECK(Check(Guard("  rollback: {rules: [web]}\n")) == "");
  CHECK(Check(Guard("  rollback: {rules: [web]}\n"), true) ==
        "7:22 there is no rule group \"web\"\n");
  CHECK(Check(Guard("  rollback: {rules: [wep]}\n") + "groups: [{name: web, rules: []}]\n") ==
        "7:22 there is no rule group \"wep\" (did you mean \"web\"?)\n");
  // What was left out for its errors proves nothing.
  CHECK(Check(Guard("  rollback: {rules: [web]}\n") + "groups: [{name: web, rules: 1}]\n", true) ==
        "9:29 \"rules\" must be a list, not the number 1\n");
}

TEST_CASE("library: arguments are known within a family of templates") {
  CHECK(Check(Template("a", "{name: x}", "", "x")) == "");
  CHECK(Check(Template("a", "", "", "x")) == "8:54 failed to resolve {{args.x}}\n");
  CHECK(Check(Template("a", "{name: x}", "{templateName: b}", "x") + Template("b", "", "", "x")) ==
        "");
  CHECK(Check(Template("a", "", "{templateName: b}", "x") + Template("b", "{name: x}", "", "x")) ==
        "");
  CHECK(Check(Template("a", "", "{templateName: elsewhere}", "x")) == "");
}

TEST_CASE("library: names are unique") {
  CHECK(Check(Guard("") + Guard("")) == "10:18 the guard \"a\" is there twice, first in f:3\n");
  CHECK(Check(Template("a", "{name: x}", "", "x") + Template("a", "{name: x}", "", "x")) ==
        "12:18 the template \"a\" is there twice, first in f:3\n");
}
