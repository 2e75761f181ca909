// SPDX-License-Identifier: Apache-2.0
#include "agent/promql/series_notation.h"

#include <charconv>
#include <cmath>

#include "agent/base/text.h"
#include "agent/promql/parser.h"

namespace rollguard::promql {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Reads one word of the sequence, left to right.
class WordReader {
 public:
  explicit WordReader(std::string_view word) : word_(word) {}

  bool done() const { return at_ == word_.size(); }
  size_t at() const { return at_; }
  char peek() const { return done() ? '\0' : word_[at_]; }
  bool Accept(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }

  // An unsigned number, `Inf` or `NaN` in any case. No hexadecimal: `0x3` is four zeros.
  std::optional<double> Number() {
    std::string lower = ToLower(word_.substr(at_, 3));
    if (lower == "inf" || lower == "nan") {
      at_ += 3;
      return lower == "inf" ? HUGE_VAL : std::bit_cast<double>(kNormalNanBits);
    }
    if (!IsDigit(peek()) && peek() != '.') return std::nullopt;
    double value = 0;
    const char* begin = word_.data() + at_;
    auto [end, error] = std::from_chars(begin, word_.data() + word_.size(), value);
    if (error == std::errc::invalid_argument) return std::nullopt;
    if (error == std::errc::result_out_of_range) {
      value = std::strtod(std::string(begin, end).c_str(), nullptr);
    }
    at_ += static_cast<size_t>(end - begin);
    return value;
  }

  std::optional<size_t> Count() {
    size_t value = 0;
    const char* begin = word_.data() + at_;
    auto [end, error] = std::from_chars(begin, word_.data() + word_.size(), value);
    if (error != std::errc() || value > kMaxSeriesValues) return std::nullopt;
    at_ += static_cast<size_t>(end - begin);
    return value;
  }

 private:
  std::string_view word_;
  size_t at_ = 0;
};

constexpr const char* kBadCount =
    "expected the number of repetitions after \"x\" (at most 1000000)";
constexpr const char* kBadValue =
    "expected a value: a number, NaN, Inf, stale, _, a+bxN, a-bxN or axN";

// Appends what one word means; the message of what is wrong, or nullptr. `at` is where.
const char* ReadWord(std::string_view word, SeriesValues& out, size_t& at) {
  if (word == "stale") {
    out.push_back(StaleMarker());
    return nullptr;
  }
  WordReader reader(word);
  auto fail = [&](const char* message) {
    at = reader.at();
    return message;
  };
  if (reader.Accept('_')) {
    size_t count = 1;
    if (reader.Accept('x')) {
      auto number = reader.Count();
      if (!number) return fail(kBadCount);
      count = *number;
    }
    if (!reader.done()) return fail(kBadValue);
    if (out.size() + count > kMaxSeriesValues) return fail("the series is too long");
    out.resize(out.size() + count);
    return nullptr;
  }
  double sign = reader.Accept('-') ? -1 : 1;
  if (sign > 0) reader.Accept('+');
  auto first = reader.Number();
  if (!first) return fail(kBadValue);
  double value = sign * *first;
  double step = 0;
  bool stepped = reader.peek() == '+' || reader.peek() == '-';
  if (stepped) {
    double direction = reader.Accept('-') ? -1 : 1;
    if (direction > 0) reader.Accept('+');
    auto number = reader.Number();
    if (!number) return fail("expected the step after the sign");
    step = direction * *number;
  }
  size_t repeats = 0;
  if (reader.Accept('x')) {
    auto number = reader.Count();
    if (!number) return fail(kBadCount);
    repeats = *number;
  } else if (stepped) {
    return fail("expected \"x\" and the number of repetitions");
  }
  if (!reader.done()) return fail(kBadValue);
  if (out.size() + repeats >= kMaxSeriesValues) return fail("the series is too long");
  for (size_t i = 0; i <= repeats; ++i) {
    out.emplace_back(value);
    value += step;
  }
  return nullptr;
}

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

SeriesValues ParseSeriesValues(std::string_view text, std::optional<NotationError>& error) {
  SeriesValues out;
  size_t at = 0;
  while (at < text.size()) {
    if (IsSpace(text[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < text.size() && !IsSpace(text[end])) ++end;
    size_t wrong = 0;
    if (const char* message = ReadWord(text.substr(at, end - at), out, wrong)) {
      error = NotationError{at + wrong, std::max<size_t>(1, end - at - wrong), message};
      return {};
    }
    at = end;
  }
  return out;
}

Labels ParseSeriesName(std::string_view text, std::optional<NotationError>& error) {
  ParseResult parsed = Parse(text);
  if (!parsed.ok()) {
    const ParseError& first = parsed.errors.front();
    error = NotationError{first.span.begin, std::max(1U, first.span.end - first.span.begin),
                          first.message};
    return {};
  }
  auto* selector = parsed.query.As<SelectorNode>(parsed.query.root);
  if (selector == nullptr || selector->is_range || selector->shift != TimeShift()) {
    error = NotationError{0, text.size(), "expected a metric with labels, like up{job=\"a\"}"};
    return {};
  }
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  if (!selector->metric.empty()) pairs.emplace_back(kMetricName, selector->metric);
  for (const Matcher& matcher : selector->matchers) {
    if (matcher.op != MatchOp::kEqual) {
      error = NotationError{matcher.value_span.begin, 1,
                            "a series has exact labels: only \"=\" can stand here"};
      return {};
    }
    pairs.emplace_back(matcher.name, matcher.value);
  }
  return Labels::FromPairs(std::move(pairs));
}

Status AppendSeries(MemoryStore& store, const Labels& labels, const SeriesValues& values,
                    Millis start, Millis interval) {
  auto id = store.Intern(labels);
  Millis t = start;
  for (const auto& value : values) {
    if (value) {
      if (Status status = store.Append(id, t, *value); !status) return status;
    }
    t += interval;
  }
  return {};
}

}  // namespace rollguard::promql
