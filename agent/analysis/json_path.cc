// SPDX-License-Identifier: Apache-2.0
#include "agent/analysis/json_path.h"

#include <array>
#include <optional>

#include "agent/base/text.h"

namespace rollguard::analysis {
namespace {

class Walker {
 public:
  Walker(const Json& root, std::string_view path) : at_(&root), path_(path) {}

  Expected<const Json*> Run() {
    rest_ = Trim(path_);
    if (rest_.starts_with('{') && rest_.ends_with('}'))
      rest_ = Trim(rest_.substr(1, rest_.size() - 2));
    if (rest_.starts_with('$') || rest_.starts_with('@')) rest_.remove_prefix(1);
    while (error_.empty() && !rest_.empty()) Step();
    if (!error_.empty())
      return Error(ErrorCode::kInvalid, StrCat("jsonPath ", Quote(path_), ": ", error_));
    return at_;
  }

 private:
  void Step() {
    if (rest_.starts_with("..")) {
      error_ = "\"..\" is not supported";
    } else if (rest_[0] == '.') {
      rest_.remove_prefix(1);
      if (!rest_.empty() && rest_[0] != '[') Name();
    } else if (rest_[0] == '[') {
      Bracket();
    } else {
      Name();
    }
  }

  void Name() {
    size_t end = std::min(rest_.find_first_of(".["), rest_.size());
    std::string_view name = rest_.substr(0, end);
    rest_.remove_prefix(end);
    name == "*" ? First() : Member(name);
  }

  void Member(std::string_view name) {
    const Json* found = at_->Find(name);
    if (found == nullptr) {
      error_ = StrCat(Quote(name), " is not found");
    } else {
      at_ = found;
    }
  }

  void First() {
    if (at_->is_array() && at_->size() > 0) {
      at_ = &at_->items()[0];
    } else if (at_->is_object() && at_->size() > 0) {
      at_ = &at_->members()[0].second;
    } else {
      error_ = "[*] found nothing";
    }
  }

  // The closing bracket may stand inside quotes.
  std::optional<std::string_view> Inside() {
    char quote = '\0';
    for (size_t i = 1; i < rest_.size(); ++i) {
      char c = rest_[i];
      if (quote != '\0') {
        if (c == quote) quote = '\0';
      } else if (c == '\'' || c == '"') {
        quote = c;
      } else if (c == ']') {
        std::string_view inside = Trim(rest_.substr(1, i - 1));
        rest_.remove_prefix(i + 1);
        return inside;
      }
    }
    return std::nullopt;
  }

  void Bracket() {
    auto inside = Inside();
    if (!inside) {
      error_ = "\"[\" is never closed";
      return;
    }
    if (inside->size() >= 2 && (inside->front() == '\'' || inside->front() == '"')) {
      Member(inside->substr(1, inside->size() - 2));
    } else if (*inside == "*") {
      First();
    } else if (inside->starts_with("?(") && inside->ends_with(")")) {
      Filter(inside->substr(2, inside->size() - 3));
    } else if (auto index = ParseInt(*inside)) {
      Index(*index);
    } else {
      error_ = StrCat("cannot read ", Quote(*inside));
    }
  }

  void Index(int64_t index) {
    auto size = static_cast<int64_t>(at_->size());
    int64_t place = index < 0 ? size + index : index;
    if (!at_->is_array() || place < 0 || place >= size) {
      error_ = StrCat("array index out of bounds: index ", index, ", length ", size);
    } else {
      at_ = &at_->items()[static_cast<size_t>(place)];
    }
  }

  // @.path OP literal; the first element for which it holds.
  void Filter(std::string_view test) {
    static constexpr std::array<std::string_view, 6> kOps = {"==", "!=", "<=", ">=", "<", ">"};
    for (std::string_view op : kOps) {
      size_t split = test.find(op);
      if (split == std::string_view::npos) continue;
      std::string_view path = Trim(test.substr(0, split));
      auto want = Literal(Trim(test.substr(split + op.size())));
      if (!want) {
        error_ = StrCat("cannot read the filter ", Quote(test));
        return;
      }
      for (const Json& item : at_->items()) {
        auto have = Walker(item, path).Run();
        if (!have || !Holds(**have, op, *want)) continue;
        at_ = &item;
        return;
      }
      error_ = StrCat("no element matches ", Quote(test));
      return;
    }
    error_ = StrCat("cannot read the filter ", Quote(test));
  }

  static std::optional<Json> Literal(std::string_view text) {
    if (text.size() >= 2 && (text[0] == '\'' || text[0] == '"') && text.back() == text[0]) {
      return Json(text.substr(1, text.size() - 2));
    }
    auto json = ParseJson(text);
    return json ? std::optional(*json) : std::nullopt;
  }

  static bool Holds(const Json& have, std::string_view op, const Json& want) {
    if (op == "==") return have == want;
    if (op == "!=") return !(have == want);
    if (!have.is_number() || !want.is_number()) return false;
    double a = have.DoubleOr(0);
    double b = want.DoubleOr(0);
    if (op == "<") return a < b;
    if (op == ">") return a > b;
    return op == "<=" ? a <= b : a >= b;
  }

  const Json* at_;
  std::string_view path_;
  std::string_view rest_;
  std::string error_;
};

}  // namespace

Expected<const Json*> FindJsonPath(const Json& root, std::string_view path) {
  return Walker(root, path).Run();
}

}  // namespace rollguard::analysis
