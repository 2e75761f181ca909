// SPDX-License-Identifier: Apache-2.0
// Text with {{ actions }} is cut into pieces first, then rendered by one recursive descent over
// them, as deep as blocks nest (at most 20). An action is a pipeline: command | command; a command
// is a function with arguments, or a value.
#include "agent/analysis/template_text.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "agent/analysis/template_functions.h"
#include "agent/base/text.h"

namespace rollguard::analysis {
namespace {

constexpr size_t kMaxOutput = 64U << 10;
constexpr size_t kMaxInput = 64U << 10;
constexpr int kMaxNesting = 20;
constexpr int kMaxSteps = 100'000;

struct Piece {
  bool action = false;
  std::string text;
};

// "{{-" and "-}}" trim the text beside them.
Expected<std::vector<Piece>> Cut(std::string_view text) {
  std::vector<Piece> pieces;
  bool trim_next = false;
  while (true) {
    size_t open = text.find("{{");
    std::string plain(text.substr(0, open));
    if (trim_next) plain.erase(0, std::min(plain.find_first_not_of(" \t\r\n"), plain.size()));
    if (open == std::string_view::npos) {
      pieces.push_back({false, std::move(plain)});
      return pieces;
    }
    size_t close = text.find("}}", open);
    if (close == std::string_view::npos)
      return Error(ErrorCode::kInvalid, "{{ is never closed with }}");
    std::string_view inner = text.substr(open + 2, close - open - 2);
    if (inner.starts_with("- ") || inner == "-") {
      inner.remove_prefix(1);
      size_t last = plain.find_last_not_of(" \t\r\n");
      plain.resize(last == std::string::npos ? 0 : last + 1);
    }
    trim_next = inner.ends_with(" -");
    if (trim_next) inner.remove_suffix(1);
    pieces.push_back({false, std::move(plain)});
    inner = Trim(inner);
    if (!inner.starts_with("/*")) pieces.push_back({true, std::string(inner)});
    text.remove_prefix(close + 2);
  }
}

// Words of an action: names, $variables, .fields, numbers, quoted text, ( ) | , :=
std::optional<std::vector<std::string>> Words(std::string_view text) {
  std::vector<std::string> words;
  size_t at = 0;
  while (at < text.size()) {
    char c = text[at];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      ++at;
      continue;
    }
    size_t start = at;
    if (c == '"' || c == '`') {
      for (++at; at < text.size() && text[at] != c; ++at) {
        if (c == '"' && text[at] == '\\') ++at;
      }
      if (at >= text.size()) return std::nullopt;
      ++at;
    } else if (c == '(' || c == ')' || c == '|' || c == ',') {
      ++at;
    } else if (text.substr(at, 2) == ":=") {
      at += 2;
    } else {
      at = std::min(text.find_first_of(" \t\r\n()|,\"`", at), text.size());
    }
    words.emplace_back(text.substr(start, at - start));
  }
  return words;
}

class Renderer {
 public:
  Renderer(const TemplateData& data, std::vector<Piece> pieces)
      : data_(data), pieces_(std::move(pieces)) {}

  Expected<std::string> Run() {
    Block(true, 0);
    if (error_.empty() && at_ < pieces_.size())
      Fail(StrCat("unexpected {{", pieces_[at_].text, "}}"));
    if (!error_.empty()) return Error(ErrorCode::kInvalid, StrCat("template: ", error_));
    return std::move(out_);
  }

 private:
  void Fail(std::string message) {
    if (error_.empty()) error_ = std::move(message);
  }

  static std::string_view Keyword(const Piece& piece) {
    std::string_view text = piece.text;
    return text.substr(0, std::min(text.find(' '), text.size()));
  }

  // Up to (not including) end or else; `live`: what is here is written out.
  void Block(bool live, int depth) {
    if (depth > kMaxNesting) return Fail("nested too deeply");
    while (error_.empty() && at_ < pieces_.size()) {
      const Piece& piece = pieces_[at_];
      if (++steps_ > kMaxSteps) return Fail("takes too long");
      if (!piece.action) {
        if (live) Write(piece.text);
        ++at_;
        continue;
      }
      std::string_view word = Keyword(piece);
      if (word == "end" || word == "else") return;
      if (word == "if") {
        If(live, depth);
      } else if (word == "range") {
        Range(live, depth);
      } else if (word == "with" || word == "define" || word == "template" || word == "block") {
        return Fail(StrCat("{{", word, "}} is not supported"));
      } else {
        if (live) Action(piece.text);
        ++at_;
      }
    }
  }

  void Write(std::string_view text) {
    if (out_.size() + text.size() > kMaxOutput) return Fail("the text grows beyond 64 KiB");
    out_ += text;
  }

  bool AtWord(std::string_view word) const {
    return at_ < pieces_.size() && pieces_[at_].action && Keyword(pieces_[at_]) == word;
  }
  void ExpectEnd(std::string_view of) {
    if (!error_.empty()) return;
    if (!AtWord("end")) return Fail(StrCat("{{", of, "}} has no {{end}}"));
    ++at_;
  }

  void If(bool live, int depth) {
    bool done = !live;
    bool more = true;
    std::string condition = pieces_[at_].text.substr(2);
    while (error_.empty() && more) {
      bool take = !done && IsTrue(Evaluate(condition));
      done = done || take;
      ++at_;
      Block(take, depth + 1);
      more = AtWord("else");
      if (!more) break;
      std::string_view rest = Trim(std::string_view(pieces_[at_].text).substr(4));
      if (rest.starts_with("if ")) {
        condition = std::string(rest.substr(3));
      } else if (rest.empty()) {
        ++at_;
        Block(!done, depth + 1);
        more = false;
      } else {
        Fail(StrCat("cannot read {{", pieces_[at_].text, "}}"));
      }
    }
    ExpectEnd("if");
  }

  // {{ range $k, $v := $labels }}, {{ range $v := ... }}, {{ range ... }} with "." as the element.
  void Range(bool live, int depth) {
    std::string head = pieces_[at_].text.substr(5);
    std::vector<std::string> names;
    size_t assign = head.find(":=");
    if (assign != std::string::npos) {
      for (std::string_view name : Split(std::string_view(head).substr(0, assign), ',')) {
        names.emplace_back(Trim(name));
      }
      head = head.substr(assign + 2);
    }
    TemplateValue over = live ? Evaluate(head) : TemplateValue();
    const auto* map = std::get_if<spec::StringMap>(&over);
    if (live && map == nullptr) return Fail("range needs $labels");
    size_t body = ++at_;
    size_t rounds = map == nullptr ? 0 : map->size();
    size_t known = variables_.size();
    for (size_t i = 0; i < rounds && error_.empty(); ++i) {
      at_ = body;
      if (!names.empty()) variables_.emplace_back(names.back(), (*map)[i].second);
      if (names.size() > 1) variables_.emplace_back(names[0], (*map)[i].first);
      if (names.empty()) variables_.emplace_back(".", (*map)[i].second);
      Block(true, depth + 1);
      variables_.resize(known);
    }
    if (rounds == 0) Block(false, depth + 1);
    if (AtWord("else")) {
      ++at_;
      Block(live && rounds == 0, depth + 1);
    }
    ExpectEnd("range");
  }

  void Action(const std::string& text) {
    size_t assign = text.find(":=");
    if (text.starts_with('$') && assign != std::string::npos) {
      TemplateValue value = Evaluate(text.substr(assign + 2));
      variables_.emplace_back(std::string(Trim(std::string_view(text).substr(0, assign))),
                              std::move(value));
      if (variables_.size() > 1000) Fail("too many variables");
      return;
    }
    TemplateValue value = Evaluate(text);
    if (error_.empty()) Write(TextOf(value));
  }

  TemplateValue Evaluate(const std::string& text) {
    auto words = Words(text);
    if (!words) {
      Fail(StrCat("a string in {{", text, "}} is never closed"));
      return {};
    }
    words_ = std::move(*words);
    word_ = 0;
    TemplateValue value = Pipeline(0);
    if (error_.empty() && word_ < words_.size()) Fail(StrCat("unexpected ", Quote(words_[word_])));
    return value;
  }

  TemplateValue Pipeline(int depth) {
    TemplateValue value = Command(nullptr, depth);
    while (error_.empty() && word_ < words_.size() && words_[word_] == "|") {
      ++word_;
      value = Command(&value, depth);
    }
    return value;
  }

  // A function takes what is piped in as its last argument.
  TemplateValue Command(const TemplateValue* piped, int depth) {
    if (depth > kMaxNesting) Fail("nested too deeply");
    if (!error_.empty() || word_ >= words_.size()) {
      Fail("a value is missing");
      return {};
    }
    if (!IsTemplateFunction(words_[word_])) {
      TemplateValue value = Operand(depth);
      if (piped != nullptr) Fail("a pipe must lead to a function");
      return value;
    }
    std::string name = words_[word_++];
    std::vector<TemplateValue> args;
    while (error_.empty() && word_ < words_.size() && words_[word_] != "|" &&
           words_[word_] != ")") {
      args.push_back(Operand(depth));
    }
    if (piped != nullptr) args.push_back(*piped);
    if (!error_.empty()) return {};
    auto result = CallTemplateFunction(name, args);
    if (result) return *result;
    Fail(result.error().message);
    return {};
  }

  TemplateValue Operand(int depth) {
    std::string word = words_[word_++];
    if (word == "(") {
      TemplateValue value = Pipeline(depth + 1);
      if (word_ >= words_.size() || words_[word_] != ")") {
        Fail("\")\" is missing");
        return {};
      }
      ++word_;
      return value;
    }
    if (word[0] == '"' || word[0] == '`') return Unquote(word);
    if (word == "true" || word == "false") return word == "true";
    if (word[0] == '$' || word[0] == '.') return Variable(word);
    if (auto number = ParseDouble(word)) return *number;
    if (IsTemplateFunction(word)) {
      Fail(StrCat("put ", word, " and its arguments in parentheses"));
      return {};
    }
    Fail(StrCat("function ", Quote(word), " not defined",
                Suggestion(word, TemplateFunctionNames())));
    return {};
  }

  static std::string Unquote(const std::string& word) {
    std::string out;
    for (size_t i = 1; i + 1 < word.size(); ++i) {
      char c = word[i];
      if (word[0] == '"' && c == '\\') {
        c = word[++i];
        c = c == 'n' ? '\n' : (c == 't' ? '\t' : c);
      }
      out += c;
    }
    return out;
  }

  // $value .Value $labels .Labels $labels.pod .Labels.pod $name
  TemplateValue Variable(const std::string& word) {
    for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
      if (it->first == word) return it->second;
    }
    if (word == "$value" || word == ".Value") return data_.value;
    if (word == "$labels" || word == ".Labels") return data_.labels;
    if (word == "$externalLabels" || word == ".ExternalLabels") return data_.external_labels;
    // As with $labels, one that is missing is empty.
    for (std::string_view prefix : {"$externalLabels.", ".ExternalLabels."}) {
      if (!word.starts_with(prefix)) continue;
      const std::string* value =
          spec::FindIn(data_.external_labels, std::string_view(word).substr(prefix.size()));
      return value ? *value : std::string();
    }
    for (std::string_view prefix : {"$labels.", ".Labels."}) {
      if (!word.starts_with(prefix)) continue;
      const std::string* label =
          spec::FindIn(data_.labels, std::string_view(word).substr(prefix.size()));
      return label == nullptr ? std::string() : *label;
    }
    if (word[0] == '$') {
      if (const std::string* value = spec::FindIn(data_.vars, std::string_view(word).substr(1)))
        return *value;
    }
    Fail(StrCat("undefined variable ", Quote(word),
                Suggestion(word, {"$value", "$labels", "$externalLabels"})));
    return {};
  }

  const TemplateData& data_;
  std::vector<Piece> pieces_;
  size_t at_ = 0;
  int steps_ = 0;
  std::vector<std::string> words_;
  size_t word_ = 0;
  std::vector<std::pair<std::string, TemplateValue>> variables_;
  std::string out_;
  std::string error_;
};

}  // namespace

Expected<std::string> RenderTemplate(std::string_view text, const TemplateData& data) {
  if (text.size() > kMaxInput)
    return Error(ErrorCode::kTooLarge, "template: the text is longer than 64 KiB");
  if (text.find("{{") == std::string_view::npos) return std::string(text);
  auto pieces = Cut(text);
  if (!pieces) return Error(ErrorCode::kInvalid, StrCat("template: ", pieces.error().message));
  return Renderer(data, std::move(*pieces)).Run();
}

}  // namespace rollguard::analysis
