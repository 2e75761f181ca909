// SPDX-License-Identifier: Apache-2.0
#include "agent/yaml/yaml.h"

#include "agent/base/text.h"
#include "tests/support/catch.h"

using namespace rollguard;
using yaml::Node;

namespace {

// The tree in one line: types, values and where each scalar stands.
std::string Dump(const Node& node, bool positions) {
  std::string at = positions ? StrCat("@", node.span.line, ":", node.span.column) : "";
  switch (node.kind) {
    case yaml::Kind::kNull: return "null" + at;
    case yaml::Kind::kScalar: return StrCat(yaml::ToString(node.type), " ", Quote(node.text), at);
    case yaml::Kind::kSequence: {
      std::string out = "[";
      for (const Node& item : node.items)
        out += (out.size() > 1 ? ", " : "") + Dump(item, positions);
      return out + "]";
    }
    case yaml::Kind::kMapping: {
      std::string out = "{";
      for (const auto& e : node.entries)
        out += StrCat(out.size() > 1 ? ", " : "", e.key, ": ", Dump(e.value, positions));
      return out + "}";
    }
  }
  return {};
}

std::string ParseAndDump(std::string_view text, bool positions = false, yaml::Limits limits = {}) {
  Diagnostics diagnostics;
  std::string out;
  for (const Node& root : yaml::Parse("f", text, diagnostics, limits))
    out += (out.empty() ? "" : " --- ") + Dump(root, positions);
  for (const Diagnostic& d : diagnostics.Sorted())
    out += StrCat(out.empty() ? "" : " ! ", d.span.line, ":", d.span.column, "+", d.span.length,
                  " ", d.message);
  return out;
}

struct Row {
  std::string_view name;
  std::string_view input;
  std::string_view want;
};

}  // namespace

TEST_CASE("yaml: trees") {
  const Row rows[] = {
      {"empty", "", ""},
      {"comment only", "# nothing\n", ""},
      {"scalar", "a", "string \"a\""},
      {"types", "[1, -2, 0x10, 017, 1.5, 1e3, .inf, yes, No, on, y, ~, null, , 2024-01-02, 1_000]",
       "[int \"1\", int \"-2\", int \"0x10\", int \"017\", float \"1.5\", float \"1e3\", float "
       "\".inf\", bool \"yes\", bool \"No\", bool \"on\", bool \"y\", null \"~\", null \"null\", "
       "null, string \"2024-01-02\", int \"1_000\"]"},
      {"quoted are strings", "[\"1\", 'yes', \"~\"]",
       "[string \"1\", string \"yes\", string \"~\"]"},
      {"not numbers", "[1.2.3, 10m, 08, +, -, ., 1e, 0xZ]",
       "[string \"1.2.3\", string \"10m\", float \"08\", string \"+\", string \"-\", string \".\", "
       "string \"1e\", string \"0xZ\"]"},
      {"order kept", "b: 1\na: 2\n", "{b: int \"1\", a: int \"2\"}"},
      {"nothing behind a key", "a:\nb: x\n", "{a: null, b: string \"x\"}"},
      {"documents", "a: 1\n---\nb: 2\n---\n---\n# c\n", "{a: int \"1\"} --- {b: int \"2\"}"},
      {"end marks", "a: 1\n...\nb: 2\n", "{a: int \"1\"} --- {b: int \"2\"}"},
      {"json", "{\"a\": [true, null, {\"b\": \"x\\u00e9\\/\"}]}",
       "{a: [bool \"true\", null \"null\", {b: string \"x\xC3\xA9/\"}]}"},
      {"json surrogates", "{\"a\": \"\\ud83d\\ude00\"}", "{a: string \"\xF0\x9F\x98\x80\"}"},
      {"json escaped backslash", "{\"a\": \"\\\\ud83d\"}", "{a: string \"\\\\ud83d\"}"},
      {"alias", "a: &x [1]\nb: *x\n", "{a: [int \"1\"], b: [int \"1\"]}"},
      {"tags", "a: !!str 5\nb: !!float 2\n", "{a: string \"5\", b: float \"2\"}"},
      {"byte order mark",
       "\xEF\xBB\xBF"
       "a: 1\n",
       "{a: int \"1\"}"},
      {"windows lines", "a: 1\r\nb: x\r\n", "{a: int \"1\", b: string \"x\"}"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(ParseAndDump(row.input) == row.want);
  }
}

TEST_CASE("yaml: positions count characters from 1") {
  const Row rows[] = {
      {"block", "a:\n  - b: 1\n    c: xyz\n", "{a: [{b: int \"1\"@2:8, c: string \"xyz\"@3:8}]}"},
      {"behind wide characters", "\"h\xC3\xA9\xC3\xA9\": x\n",
       "{h\xC3\xA9\xC3\xA9: string \"x\"@1:8}"},
      {"anchor and tag in front", "a: &n !!str  5\n", "{a: string \"5\"@1:14}"},
      {"absent value stands at its key", "x: 1\nabc:\n", "{x: int \"1\"@1:4, abc: null@2:1}"},
      {"last key without value", "abc:", "{abc: null@1:1}"},
      {"flow", "{a: [1, 'two']}", "{a: [int \"1\"@1:6, string \"two\"@1:9]}"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(ParseAndDump(row.input, true) == row.want);
  }
}

TEST_CASE("yaml: what is refused, and where") {
  const Row rows[] = {
      {"duplicate key", "a: 1\nb: 2\na: 3\n",
       "{a: int \"1\", b: int \"2\", a: int \"3\"} ! 3:1+1 the key \"a\" is there twice"},
      {"merge key", "a: &x {b: 1}\nc:\n  <<: *x\n",
       "3:3+2 merge keys (<<) are not supported; write the fields out"},
      {"content after the root", "a: 1\n- b\n",
       "2:1+1 end of map not found (is this line indented as its neighbours are?)"},
      {"content after a flow root", "{a: 1}\nb: 2\n",
       "{a: int \"1\"} ! 2:1+1 content after the end of the document (a new document begins with "
       "---)"},
      {"content after an end marker", "a:\n... &1,",
       "{a: null} ! 2:7+1 content after the end of the document (a new document begins with ---)"},
      {"self reference", "a: &x [*x]\n", "1:8+1 an alias refers to the value it stands in"},
      {"unknown alias", "a: *x\n", "1:4+1 the referenced anchor is not defined"},
      {"tab", "a:\n\tb: 1\n", "2:1+1 a tab cannot indent YAML; use spaces"},
      {"two colons", "a: b: c\n",
       "1:5+1 illegal map value (a value that holds \": \" must be quoted, and keys of one mapping "
       "must align)"},
      {"unclosed quote", "a: \"x\n", "1:4+1 the quote is never closed"},
      {"unclosed flow", "a: [1, 2\n", "2:1+1 end of sequence flow not found"},
      {"NUL", std::string_view("a: \0", 4), "1:4+1 a NUL byte: this is not a text file"},
      {"invalid UTF-8", "a: 1\nb: \xC3\x28\n", "2:4+1 not valid UTF-8: save the file as UTF-8"},
      {"a mapping as key", "{a: 1}: 2\n", "1:1+1 a key must be a single word or a quoted string"},
      {"unknown tag", "a: !!python/object x\n",
       "1:20+1 the tag \"tag:yaml.org,2002:python/object\" is not supported here"},
      {"bad json escape", "{\"a\": \"\\ud83d\"}", "1:14+1 not a character: half of a \\u pair"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(ParseAndDump(row.input) == row.want);
  }
}

TEST_CASE("yaml: many keys are still unique") {
  std::string text;
  for (int i = 0; i < 100; ++i) text += StrCat("k", i, ": 1\n");
  text += "k57: 2\n";
  Diagnostics diagnostics;
  yaml::Parse("f", text, diagnostics);
  REQUIRE(diagnostics.Sorted().size() == 1);
  CHECK(diagnostics.Sorted()[0].span == SourceSpan{101, 1, 3});
}

TEST_CASE("yaml: reading stops after a hundred duplicate keys") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "a: 1\n";
  Diagnostics diagnostics;
  yaml::Parse("f", text, diagnostics);
  CHECK(diagnostics.Sorted().size() == 100);
}

TEST_CASE("yaml: an alias bomb is refused before it is expanded") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += StrCat("a", i, ": &a", i, " [");
    for (int j = 0; j < 10; ++j) bomb += StrCat(j ? ", *a" : "*a", i - 1);
    bomb += "]\n";
  }
  CHECK(ParseAndDump(bomb).find("values after aliases are expanded") != std::string::npos);
  std::string wide = "a: &a \"" + std::string(1 << 20, 'x') + "\"\nb: [";
  for (int i = 0; i < 1000; ++i) wide += "*a, ";
  wide += "]\n";
  CHECK(ParseAndDump(wide).find("bytes of text after aliases are expanded") != std::string::npos);
}

TEST_CASE("yaml: depth and size are bounded") {
  CHECK(ParseAndDump(std::string(100'000, '[')).find("nested more than 64 levels deep") !=
        std::string::npos);
  CHECK(ParseAndDump(std::string(100'000, '{')).find("nested more than 64 levels deep") !=
        std::string::npos);
  std::string nested;
  for (int i = 0; i < 80; ++i) nested += std::string(static_cast<size_t>(i), ' ') + "a:\n";
  CHECK(ParseAndDump(nested).find("nested more than 64 levels deep") != std::string::npos);
  std::string deep_alias = "a: &a " + std::string(40, '[') + std::string(40, ']') +
                           "\nb: " + std::string(40, '[') + "*a" + std::string(40, ']') + "\n";
  CHECK(ParseAndDump(deep_alias).find("nested more than 64 levels deep") != std::string::npos);
  CHECK(ParseAndDump(std::string(100U << 20, 'a')) ==
        "0:1+1 the file has 104857600 bytes; at most 16777216 are read");
  yaml::Limits few;
  few.max_nodes = 10;
  CHECK(ParseAndDump("[1,2,3,4,5,6,7,8,9,10,11]", false, few) ==
        "1:20+2 more than 10 values after aliases are expanded");
}

TEST_CASE("yaml: places inside scalars of every style") {
  struct Case {
    std::string_view name;
    std::string_view text;  // the value of `a` is looked at
    std::string_view word;  // where this stands in the value
    SourceSpan want;
  };
  const Case cases[] = {
      {"plain", "a: sum(rat(x))\n", "rat", {1, 8, 3}},
      {"single quotes", "a: 'sum(rat(x))'\n", "rat", {1, 9, 3}},
      {"single quotes with a quote inside", "a: 'it''s rat'\n", "rat", {1, 11, 3}},
      {"double quotes", "a: \"sum(rat(x))\"\n", "rat", {1, 9, 3}},
      {"double quotes with escapes", "a: \"x\\\"y\\\" rat\"\n", "rat", {1, 12, 3}},
      {"double quotes with a unicode escape", "a: \"\\u00e9 rat\"\n", "rat", {1, 12, 3}},
      {"plain over lines", "a: sum(\n    rat(x))\n", "rat", {2, 5, 3}},
      {"literal, first line", "a: |\n  sum(rat(x))\n", "rat", {2, 7, 3}},
      {"literal, later line", "a: |\n  sum(\n    rat(x)\n  )\n", "rat", {3, 5, 3}},
      {"literal behind a blank line", "a: |\n\n  sum(\n  rat\n", "rat", {4, 3, 3}},
      {"literal with indentation given", "a: |2\n    sum(\n  rat\n", "rat", {3, 3, 3}},
      {"literal with a comment", "a: |  # why\n  rat\n", "rat", {2, 3, 3}},
      {"literal behind wide characters", "a: |\n  \xC3\xA9 rat\n", "rat", {2, 5, 3}},
      {"folded", "a: >-\n  sum(x)\n  / rat\n", "rat", {3, 5, 3}},
      {"folded with a paragraph", "a: >\n  one\n\n  two rat\n", "rat", {4, 7, 3}},
      {"double quotes over lines", "a: \"sum(\n   rat\"\n", "rat", {2, 4, 3}},
      {"double quotes, line goes on", "a: \"sum(\\\n   rat\"\n", "rat", {2, 4, 3}},
      {"with an anchor", "a: &x |\n  rat\n", "rat", {2, 3, 3}},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    Diagnostics diagnostics;
    auto roots = yaml::Parse("f", c.text, diagnostics);
    REQUIRE(roots.size() == 1);
    const Node* a = roots[0].Find("a");
    REQUIRE(a);
    INFO(a->text);
    size_t at = a->text.find(c.word);
    REQUIRE(at != std::string::npos);
    CHECK(yaml::SpanInside(*a, at, c.word.size()) == c.want);
  }
}

TEST_CASE("yaml: a span is cut at the end of its line, and past the end stays at the end") {
  Diagnostics diagnostics;
  auto roots = yaml::Parse("f", "a: |\n  one\n  two\n", diagnostics);
  const Node* a = roots[0].Find("a");
  CHECK(yaml::SpanInside(*a, 1, 100) == SourceSpan{2, 4, 2});
  CHECK(yaml::SpanInside(*a, 3, 1).line == 2);
  CHECK(yaml::SpanInside(*a, 1000, 5) == SourceSpan{3, 6, 1});
}

TEST_CASE("yaml: to and from JSON") {
  Diagnostics diagnostics;
  auto roots =
      yaml::Parse("f", "a: 1\nb: [yes, 0x1F, 1.5, ~, 'x', 2.0]\nc: {d: }\non: .inf\n", diagnostics);
  REQUIRE(diagnostics.empty());
  Json json = yaml::ToJson(roots[0]);
  CHECK(json.Dump() == R"({"a":1,"b":[true,31,1.5,null,"x",2],"c":{"d":null},"on":"+Inf"})");
  Json back = yaml::ToJson(yaml::FromJson(json));
  CHECK(back == json);
}

TEST_CASE("yaml: integers at the edges") {
  struct Case {
    std::string_view text;
    std::optional<int64_t> want;
  };
  const Case cases[] = {{"9223372036854775807", INT64_MAX},
                        {"-9223372036854775808", INT64_MIN},
                        {"9223372036854775808", std::nullopt},
                        {"0b101", 5},
                        {"0o17", 15},
                        {"017", 15},
                        {"+3", 3}};
  for (const Case& c : cases) {
    INFO(c.text);
    Diagnostics diagnostics;
    CHECK(yaml::Parse("f", c.text, diagnostics)[0].AsInt() == c.want);
  }
}
