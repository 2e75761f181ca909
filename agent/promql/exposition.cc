// SPDX-License-Identifier: Apache-2.0
#include "agent/promql/exposition.h"

#include <charconv>
#include <cmath>
#include <deque>
#include <string>

#include "agent/base/text.h"
#include "agent/promql/aggregate.h"

namespace rollguard::promql {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

std::string_view SkipBlanks(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  return text;
}

// Cuts the text before the first blank off `text`.
std::string_view TakeWord(std::string_view& text) {
  text = SkipBlanks(text);
  size_t end = 0;
  while (end < text.size() && !IsBlank(text[end])) ++end;
  std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

// The end of the name and labels: the first blank outside of braces and quotes, or after `}`.
std::optional<size_t> SeriesEnd(std::string_view line) {
  size_t at = 0;
  while (at < line.size() && line[at] != '{' && !IsBlank(line[at])) ++at;
  size_t blank = at;
  while (blank < line.size() && IsBlank(line[blank])) ++blank;
  if (blank == line.size() || line[blank] != '{') return at;
  bool quoted = false;
  for (size_t i = blank; i < line.size(); ++i) {
    if (quoted && line[i] == '\\') {
      ++i;
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == '}' && !quoted) {
      return i + 1;
    }
  }
  return std::nullopt;
}

std::optional<double> ReadValue(std::string_view word) {
  std::string_view digits = word;
  if (!digits.empty() && (digits[0] == '+' || digits[0] == '-')) digits.remove_prefix(1);
  std::string lower = ToLower(digits.substr(0, 9));
  double sign = word.starts_with('-') ? -1 : 1;
  if (lower == "inf" || lower == "infinity") return sign * HUGE_VAL;
  if (lower == "nan") return std::bit_cast<double>(kNormalNanBits);
  double value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end != digits.data() + digits.size() || error == std::errc::invalid_argument) {
    return std::nullopt;
  }
  if (error == std::errc::result_out_of_range)
    value = std::strtod(std::string(digits).c_str(), nullptr);
  return sign * value;
}

std::optional<Millis> ReadTime(std::string_view word, bool open_metrics) {
  if (!open_metrics) {
    auto whole = ParseInt(word);
    return whole ? std::optional<Millis>(*whole) : std::nullopt;
  }
  auto seconds = ReadValue(word);
  if (!seconds || !(std::abs(*seconds) < 9e15)) return std::nullopt;
  return static_cast<Millis>(std::llround(*seconds * 1000.0));
}

// One page being read.
class Page {
 public:
  Page(std::string_view text, const ExpositionOptions& options) : rest_(text), options_(options) {}

  Expected<std::vector<ExpositionSample>> Read() {
    while (!rest_.empty()) {
      size_t end = rest_.find('\n');
      std::string_view line = rest_.substr(0, end);
      rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
      ++line_number_;
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (const char* problem = ReadLine(line)) {
        return Error(ErrorCode::kInvalid, StrCat("line ", line_number_, " of the metrics page: ",
                                                 problem, ": ", Quote(Abbreviate(line, 120))));
      }
    }
    if (options_.open_metrics && !eof_) {
      return Error(ErrorCode::kInvalid,
                   "the metrics page is cut short: OpenMetrics text must end with \"# EOF\"");
    }
    return std::move(samples_);
  }

 private:
  const char* ReadLine(std::string_view line) {
    if (eof_) return "nothing may follow \"# EOF\"";
    if (!options_.open_metrics) line = SkipBlanks(line);
    if (line.empty()) return options_.open_metrics ? "empty lines are not allowed" : nullptr;
    if (line.front() == '#') return ReadComment(line.substr(1));
    auto end = SeriesEnd(line);
    if (!end) return "the labels are not closed";
    if (*end == 0) return "expected a metric name";
    if (samples_.size() >= options_.max_samples) return "too many samples on one page";
    ExpositionSample sample;
    sample.series = line.substr(0, *end);
    line.remove_prefix(*end);
    auto value = ReadValue(TakeWord(line));
    if (!value) return "expected a value after the series";
    sample.value = *value;
    if (std::string_view word = TakeWord(line); !word.empty() && word != "#") {
      sample.t = ReadTime(word, options_.open_metrics);
      if (!sample.t) return "expected a time after the value";
      word = TakeWord(line);
      if (!word.empty() && word != "#") return "unexpected text after the sample";
      if (word == "#" && !options_.open_metrics) return "unexpected text after the sample";
    } else if (word == "#" && !options_.open_metrics) {
      return "unexpected text after the sample";
    }
    if (!IsCreated(sample.series)) samples_.push_back(sample);
    return nullptr;
  }

  const char* ReadComment(std::string_view rest) {
    std::string_view keyword = TakeWord(rest);
    if (options_.open_metrics && keyword == "EOF") eof_ = true;
    if (keyword == "TYPE") {
      std::string_view name = TakeWord(rest);
      std::string_view type = TakeWord(rest);
      family_ =
          type == "counter" || type == "histogram" || type == "summary" || type == "gaugehistogram"
              ? name
              : std::string_view();
    }
    return nullptr;
  }

  bool IsCreated(std::string_view series) const {
    if (!options_.open_metrics || family_.empty() || !series.starts_with(family_)) return false;
    std::string_view suffix = series.substr(family_.size());
    return suffix.starts_with("_created") && (suffix.size() == 8 || suffix[8] == '{');
  }

  std::string_view rest_;
  const ExpositionOptions& options_;
  std::vector<ExpositionSample> samples_;
  std::string_view family_;  // of the last # TYPE, when its samples may have _created
  size_t line_number_ = 0;
  bool eof_ = false;
};

bool IsMetricName(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (char c : name) {
    if (c != ':' && !IsValidLabelName(std::string_view(&c, 1)) && !(c >= '0' && c <= '9')) {
      return false;
    }
  }
  return true;
}

// The text between quotes, unescaped; moves `rest` behind the closing quote.
std::optional<std::string> ReadQuoted(std::string_view& rest) {
  if (rest.empty() || rest.front() != '"') return std::nullopt;
  std::string out;
  for (size_t i = 1; i < rest.size(); ++i) {
    char c = rest[i];
    if (c == '"') {
      rest.remove_prefix(i + 1);
      return out;
    }
    if (c == '\\' && i + 1 < rest.size()) {
      c = rest[++i];
      if (c == 'n')
        c = '\n';
      else if (c != '\\' && c != '"')
        out += '\\';
    }
    out += c;
  }
  return std::nullopt;
}

Error BadSeries(std::string_view series, std::string_view problem) {
  return Error(ErrorCode::kInvalid, StrCat(problem, " in ", Quote(Abbreviate(series, 160))));
}

}  // namespace

Expected<std::vector<ExpositionSample>> ParseExposition(std::string_view text,
                                                        const ExpositionOptions& options) {
  return Page(text, options).Read();
}

Expected<Labels> ParseExpositionSeries(std::string_view series) {
  size_t brace = series.find('{');
  std::string_view name = Trim(series.substr(0, brace));
  if (!IsMetricName(name)) return BadSeries(series, "invalid metric name");
  std::vector<std::pair<std::string_view, std::string_view>> pairs = {{kMetricName, name}};
  std::deque<std::string> values;
  std::string_view rest = brace == std::string_view::npos ? "}" : series.substr(brace + 1);
  while (true) {
    rest = SkipBlanks(rest);
    if (rest == "}") break;
    size_t equals = rest.find('=');
    if (equals == std::string_view::npos) return BadSeries(series, "expected label=\"value\"");
    std::string_view label = Trim(rest.substr(0, equals));
    if (!IsValidLabelName(label)) return BadSeries(series, "invalid label name");
    rest = SkipBlanks(rest.substr(equals + 1));
    auto value = ReadQuoted(rest);
    if (!value) return BadSeries(series, "expected a quoted label value");
    if (!IsValidUtf8(*value)) return BadSeries(series, "a label value is not UTF-8");
    for (const auto& pair : pairs) {
      if (pair.first == label) return BadSeries(series, "a label is given twice");
    }
    values.push_back(std::move(*value));
    pairs.emplace_back(label, values.back());
    rest = SkipBlanks(rest);
    if (rest.starts_with(',')) {
      rest.remove_prefix(1);
    } else if (rest != "}") {
      return BadSeries(series, "expected \",\" or \"}\" after a label");
    }
  }
  return Labels::FromPairs(std::move(pairs));
}

bool IsOpenMetrics(std::string_view content_type) {
  return ToLower(content_type).starts_with("application/openmetrics-text");
}

}  // namespace rollguard::promql
