// SPDX-License-Identifier: Apache-2.0
// Checks of texts inside a document: queries, conditions, regular expressions, names, URLs.
#include <re2/re2.h>

#include <algorithm>
#include <array>

#include "agent/promql/parser.h"
#include "agent/spec/reader.h"

namespace rollguard::spec {
namespace {

constexpr promql::ParseOptions kWithVariables = {.variables = true};

void ReportPromql(Context& context, const yaml::Node& node,
                  const std::vector<promql::ParseError>& errors) {
  for (const promql::ParseError& e : errors) {
    size_t length = e.span.end > e.span.begin ? e.span.end - e.span.begin : 1;
    context.Error(yaml::SpanInside(node, e.span.begin, length), e.message);
  }
}

// Every {{...}} replaced by `value`, padded so that what follows keeps its offset where it can.
std::string FillPlaceholders(std::string_view text, std::string_view value) {
  std::string out;
  while (true) {
    size_t open = text.find("{{");
    size_t close = open == std::string_view::npos ? open : text.find("}}", open);
    if (close == std::string_view::npos) return out.append(text);
    out.append(text.substr(0, open)).append(value);
    size_t width = close + 2 - open;
    if (width > value.size()) out.append(width - value.size(), value.back());
    text.remove_prefix(close + 2);
  }
}

// A query with arguments whose values are not known yet. It is good when it is good for some value
// that arguments usually have: a name, a number, a duration.
void CheckTemplateQuery(Context& context, const yaml::Node& node) {
  constexpr std::array<std::string_view, 4> kTries = {"", "x", "1", "1m"};
  std::vector<promql::ParseError> first;
  for (std::string_view value : kTries) {
    // A duration cannot be padded; its offsets only matter when nothing parses.
    std::string text = value.empty() ? node.text : FillPlaceholders(node.text, value);
    auto result = promql::Parse(text, kWithVariables);
    if (value == "1m" && !result.ok()) {
      std::string filled = node.text;
      size_t open;
      while ((open = filled.find("{{")) != std::string::npos) {
        size_t close = filled.find("}}", open);
        if (close == std::string::npos) break;
        filled.replace(open, close + 2 - open, value);
      }
      result = promql::Parse(filled, kWithVariables);
    }
    if (result.ok()) return;
    if (value == "x" || first.empty()) first = std::move(result.errors);
  }
  ReportPromql(context, node, first);
}

}  // namespace

void CheckPromql(Context& context, const yaml::Node& node, Query& out) {
  if (context.placeholders && node.text.find("{{") != std::string::npos) {
    out.text = node.text;
    out.at = node;
    return CheckTemplateQuery(context, node);
  }
  auto result = promql::Parse(node.text, kWithVariables);
  if (!result.ok()) return ReportPromql(context, node, result.errors);
  out.text = node.text;
  out.parsed = std::move(result.query);
  out.at = node;
}

void CheckExpression(Context& context, const yaml::Node& node, Condition& out) {
  if (context.placeholders && node.text.find("{{") != std::string::npos) return;
  auto compiled = expr::Compile(node.text);
  // Positions in a condition are line and column within its text; find the offset they mean.
  for (const expr::Problem& problem : compiled.problems) {
    size_t offset = 0;
    for (uint32_t line = 1; line < problem.span.line; ++line) {
      size_t end = node.text.find('\n', offset);
      if (end == std::string::npos) break;
      offset = end + 1;
    }
    auto starts = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
    auto skip = [&](size_t from, uint32_t characters) {
      for (; characters > 0 && from < node.text.size(); --characters) {
        ++from;
        while (from < node.text.size() && !starts(node.text[from])) ++from;
      }
      return from;
    };
    size_t begin = skip(offset, problem.span.column > 0 ? problem.span.column - 1 : 0);
    size_t end = skip(begin, problem.span.length);
    context.Error(yaml::SpanInside(node, begin, std::max<size_t>(1, end - begin)), problem.message);
  }
  if (!compiled.ok()) return;
  out.text = node.text;
  out.program = compiled.program;
  out.at = node;
}

void CheckRegex(Context& context, const yaml::Node& at, std::string_view text) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  RE2 regex(re2::StringPiece(text.data(), text.size()), options);
  if (!regex.ok())
    context.Error(at.span, StrCat("bad regular expression ", Quote(Abbreviate(text, 80)), ": ",
                                  regex.error()));
}

bool CheckDnsName(Context& context, SourceSpan at, std::string_view key, std::string_view text) {
  auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  bool good = !text.empty() && text.size() <= 253 && alnum(text.front()) && alnum(text.back()) &&
              std::all_of(text.begin(), text.end(),
                          [&](char c) { return alnum(c) || c == '-' || c == '.'; });
  if (!good)
    context.Error(at, StrCat(Quote(key),
                             " must be a Kubernetes name (lower case letters, digits, "
                             "- and .), not ",
                             Quote(Abbreviate(text, 60))));
  return good;
}

void CheckUrl(Context& context, SourceSpan at, std::string_view key, std::string_view text) {
  bool http = text.rfind("http://", 0) == 0 || text.rfind("https://", 0) == 0;
  size_t host = text.find("://");
  bool blank = text.find_first_of(" \t\r\n") != std::string_view::npos;
  if (!http || blank || host + 3 >= text.size() || text[host + 3] == '/') {
    context.Error(at, StrCat(Quote(key), " must be a URL like https://host:port/path, not ",
                             Quote(Abbreviate(text, 80))));
    return;
  }
  std::string_view authority = text.substr(host + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos)
    context.Error(at, StrCat(Quote(key), " must not carry a user name or password; name a file"));
}

void CheckTemplateText(Context& context, const yaml::Node& node) {
  size_t at = 0;
  const std::string& text = node.text;
  while ((at = text.find("{{", at)) != std::string::npos) {
    size_t close = text.find("}}", at + 2);
    size_t again = text.find("{{", at + 2);
    if (close == std::string::npos || again < close) {
      context.Error(yaml::SpanInside(node, at, 2), "{{ is never closed with }}");
      return;
    }
    at = close + 2;
  }
}

}  // namespace rollguard::spec
