// SPDX-License-Identifier: Apache-2.0
// Reference pages from the schema. An object is written into its parent's table unless it is large
// or stands in several places: then it gets a section of its own, once, and the parent a link.
// Objects are the same when their tables would be.
#include <map>
#include <set>

#include "agent/base/text.h"
#include "agent/spec/schema.h"

namespace rollguard::spec {
namespace {

constexpr size_t kLarge = 12;  // rows
constexpr size_t kSmall = 3;   // repeating so few is better than a link

const char* TypeWord(const Schema& schema) {
  switch (schema.type) {
    case Schema::Type::kObject: return "object";
    case Schema::Type::kList: return "list";
    case Schema::Type::kMap: return "map of strings";
    case Schema::Type::kString: return "string";
    case Schema::Type::kInteger: return "integer";
    case Schema::Type::kNumber: return "number";
    case Schema::Type::kBool: return "boolean";
    case Schema::Type::kDuration: return "duration";
    case Schema::Type::kIntOrString: return "number or string";
    case Schema::Type::kStringOrObject: return "string or object";
    case Schema::Type::kAny: return "object";
  }
  return "object";
}

const Schema& Inner(const Schema& field) { return field.item.empty() ? field : field.item[0]; }

std::string TypeOf(const Schema& field) {
  if (field.item.empty()) return TypeWord(field);
  switch (field.item[0].type) {
    case Schema::Type::kObject: return "list of objects";
    case Schema::Type::kString: return "list of strings";
    case Schema::Type::kInteger: return "list of integers";
    case Schema::Type::kIntOrString: return "list of numbers or strings";
    default: return "list of strings or objects";
  }
}

std::string WordsOf(const Schema& field) {
  std::string words;
  for (const std::string& word : field.one_of)
    words += StrCat(words.empty() ? " `" : ", `", word, "`");
  return words.empty() ? "" : StrCat(":", words);
}

std::string BoundsOf(const Schema& field) {
  if (field.min && field.max)
    return StrCat(", ", FormatNumber(*field.min), " to ", FormatNumber(*field.max));
  if (field.min) return StrCat(", at least ", FormatNumber(*field.min));
  return field.max ? StrCat(", at most ", FormatNumber(*field.max)) : "";
}

// "How long it lasts (5m)." -> "How long it lasts.", "5m".
struct Meaning {
  std::string text;
  std::string initial;
};
Meaning MeaningOf(const Schema& field) {
  std::string_view text = field.description;
  const size_t open = text.rfind(" (");
  if (!text.ends_with(").") || open == std::string_view::npos) return {std::string(text), ""};
  return {StrCat(text.substr(0, open), "."),
          std::string(text.substr(open + 2, text.size() - open - 4))};
}

std::string Escaped(std::string_view text) { return ReplaceAll(text, "|", "\\|"); }

std::string OneOf(const Schema& schema) {
  std::vector<std::string> keys;
  for (const std::string& key : schema.exactly_one) keys.push_back(StrCat("`", key, "`"));
  return keys.empty() ? "" : StrCat("Exactly one of ", Join(keys, ", "), ".");
}

void AddPlainRows(const Schema& schema, const std::string& path, std::string& out) {
  for (const auto& [key, field] : schema.fields) {
    const std::string name =
        StrCat(path, path.empty() ? "" : ".", key, field.item.empty() ? "" : "[]");
    out += StrCat("| `", name, "`", field.required ? " *" : "", " | ", TypeOf(field),
                  WordsOf(field), " | ", Escaped(field.description), " |\n");
    AddPlainRows(Inner(field), name, out);
  }
}

size_t RowsOf(const Schema& schema) {
  size_t rows = 0;
  for (const auto& [key, field] : schema.fields) rows += 1 + RowsOf(Inner(field));
  return rows;
}

// GitHub's anchor of a heading.
std::string AnchorOf(std::string_view heading) {
  std::string anchor;
  for (char c : ToLower(heading)) {
    if (c == ' ') anchor += '-';
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_') anchor += c;
  }
  return anchor;
}

class Page {
 public:
  explicit Page(std::string root) : root_(std::move(root)) {}

  std::string Write(const Schema& schema) {
    Count(schema);
    waiting_.push_back({root_, &schema});
    while (!waiting_.empty() || !shared_.empty()) {
      if (waiting_.empty()) {
        waiting_.push_back(shared_.front());
        shared_.erase(shared_.begin());
      }
      const auto [heading, object] = waiting_.front();
      waiting_.erase(waiting_.begin());
      next_ = waiting_.begin();
      out_ += StrCat("## ", heading, "\n\n");
      if (const std::string one = OneOf(*object); !one.empty()) out_ += StrCat(one, "\n\n");
      out_ += "| key | type | default | meaning |\n| --- | --- | --- | --- |\n";
      AddRows(*object, heading, "");
      out_ += "\n";
    }
    while (out_.ends_with("\n\n")) out_.pop_back();
    return out_;
  }

 private:
  struct Section {
    std::string heading;
    const Schema* object;
  };

  static std::string Signature(const Schema& schema) {
    std::string rows;
    AddPlainRows(schema, "", rows);
    return rows;
  }

  void Count(const Schema& schema) {
    for (const auto& [key, field] : schema.fields) {
      if (Inner(field).fields.empty()) continue;
      ++places_[Signature(Inner(field))];
      Count(Inner(field));
    }
  }

  // The heading of the object's own section; "" when it has none. `path` is where it stands here.
  std::string SectionOf(const Schema& object, const std::string& key, const std::string& path) {
    const size_t rows = RowsOf(object);
    const std::string signature = Signature(object);
    const bool shared = places_[signature] > 1;
    if (rows <= kSmall || (!shared && rows <= kLarge)) return {};
    auto [it, is_new] = headings_.try_emplace(signature);
    if (!is_new) return it->second;
    it->second = shared ? StrCat(root_, ": ", key) : path;
    if (!anchors_.insert(AnchorOf(it->second)).second) it->second = path;
    if (shared)
      shared_.push_back({it->second, &object});
    else
      next_ = waiting_.insert(next_, {it->second, &object}) + 1;
    return it->second;
  }

  void AddRows(const Schema& schema, const std::string& heading, const std::string& path) {
    for (const auto& [key, field] : schema.fields) {
      const Schema& inner = Inner(field);
      const std::string name =
          StrCat(path, path.empty() ? "" : ".", key, field.item.empty() ? "" : "[]");
      const std::string own =
          inner.fields.empty() ? "" : SectionOf(inner, key, StrCat(heading, ".", name));
      Meaning meaning = MeaningOf(field);
      if (field.required) meaning.initial = "required";
      if (!own.empty())
        meaning.text += StrCat(" See [", own, "](#", AnchorOf(own), ").");
      else if (!inner.exactly_one.empty())
        meaning.text += StrCat(" ", OneOf(inner));
      out_ += StrCat("| `", name, "` | ", TypeOf(field), WordsOf(field), BoundsOf(field), " | ",
                     Escaped(meaning.initial), " | ", Escaped(meaning.text), " |\n");
      if (own.empty()) AddRows(inner, heading, name);
    }
  }

  const std::string root_;
  std::map<std::string, int> places_;            // by signature
  std::map<std::string, std::string> headings_;  // by signature
  std::set<std::string> anchors_;
  std::vector<Section> waiting_;  // an object's own sections follow it
  std::vector<Section>::iterator next_;
  std::vector<Section> shared_;  // last
  std::string out_;
};

}  // namespace

std::string ReferenceTable(const Schema& schema) {
  std::string out = "| key | type | what |\n| --- | --- | --- |\n";
  AddPlainRows(schema, "", out);
  return out;
}

std::string ReferenceSections(const Schema& schema, const std::string& title) {
  return Page(title).Write(schema);
}

}  // namespace rollguard::spec
