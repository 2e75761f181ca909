// SPDX-License-Identifier: Apache-2.0
// Checks of texts inside a document: queries, conditions, regular expressions, names, URLs.
#include <re2/re2.h>

#include <algorithm>
#include <array>

#include "agent/base/secret_line.h"
#include "agent/promql/parser.h"
#include "agent/spec/analysis_template.h"
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

bool HasPlaceholder(const yaml::Node& node) { return node.text.find("{{") != std::string::npos; }

// The node with every argument that is still open standing for `value`.
yaml::Node Fill(const yaml::Node& node, std::string_view value) {
  Diagnostics unused;  // reported where arguments are resolved
  return Substitute(
      node, [&](std::string_view) { return std::optional<std::string>(value); }, "", unused);
}

// A query with arguments whose values are not known yet. It is good when it is good for some value
// that arguments usually have; else the try that came farthest says what is wrong.
void CheckTemplateQuery(Context& context, const yaml::Node& node) {
  constexpr std::array<std::string_view, 4> kTries = {"x", "1", "5m", "{{}}"};
  yaml::Node farthest;
  std::vector<promql::ParseError> errors;
  for (std::string_view value : kTries) {
    yaml::Node filled = value == "{{}}" ? node : Fill(node, value);
    auto result = promql::Parse(filled.text, kWithVariables);
    if (result.ok()) return;
    if (!errors.empty() && result.errors[0].span.begin <= errors[0].span.begin) continue;
    errors = std::move(result.errors);
    farthest = std::move(filled);
  }
  ReportPromql(context, farthest, errors);
}

size_t SkipCharacters(std::string_view text, size_t from, uint32_t characters) {
  auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  for (; characters > 0 && from < text.size(); --characters) {
    ++from;
    while (from < text.size() && continues(text[from])) ++from;
  }
  return from;
}

// The byte at which a line and column within `text` stand (both from 1).
size_t OffsetOf(std::string_view text, uint32_t line, uint32_t column) {
  size_t offset = 0;
  for (; line > 1; --line) {
    size_t end = text.find('\n', offset);
    if (end == std::string_view::npos) break;
    offset = end + 1;
  }
  return SkipCharacters(text, offset, column > 0 ? column - 1 : 0);
}

}  // namespace

void CheckPromql(Context& context, const yaml::Node& node, Query& out) {
  if (context.placeholders && HasPlaceholder(node)) {
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

void CheckExpression(Context& context, const yaml::Node& written, Condition& out) {
  // An argument whose value is not known yet usually is a number, or part of a quoted string.
  bool open = context.placeholders && HasPlaceholder(written);
  const yaml::Node node = open ? Fill(written, "1") : written;
  auto compiled = expr::Compile(node.text);
  for (const expr::Problem& problem : compiled.problems) {
    size_t begin = OffsetOf(node.text, problem.span.line, problem.span.column);
    size_t end = SkipCharacters(node.text, begin, problem.span.length);
    context.Error(yaml::SpanInside(node, begin, std::max<size_t>(1, end - begin)), problem.message);
  }
  if (!compiled.ok() || open) return;
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
    // What stands before an @ may be a password.
    if (text.find('@') != std::string_view::npos) {
      SecretError(context, at, StrCat(Quote(key), " must be a URL like https://host:port/path"));
    } else {
      context.Error(at, StrCat(Quote(key), " must be a URL like https://host:port/path, not ",
                               Quote(Abbreviate(text, 80))));
    }
    return;
  }
  std::string_view authority = text.substr(host + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos)
    SecretError(context, at,
                StrCat(Quote(key), " must not carry a user name or password; name a file"));
}

void CheckNoPassword(Context& context, SourceSpan at, std::string_view url,
                     std::string_view instead) {
  size_t host = url.find("://");
  host = host == std::string_view::npos ? 0 : host + 3;
  const std::string_view user = url.substr(host, url.find_first_of("/?#", host) - host);
  const size_t end = user.rfind('@');
  const bool in_user = end != std::string_view::npos && user.find(':') < end;
  // libpq takes it as a parameter and as a word, too.
  if (in_user || url.find("password=") != std::string_view::npos)
    SecretError(context, at, StrCat("\"url\" must not carry a password; use ", instead));
}

void SecretError(Context& context, SourceSpan at, std::string message) {
  context.diagnostics.Add({Severity::kError, std::string(context.file), at, std::move(message),
                           std::string(kSecretLine)});
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
