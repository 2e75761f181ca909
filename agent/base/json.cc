// SPDX-License-Identifier: Apache-2.0
#include "agent/base/json.h"

#include <algorithm>
#include <cmath>

#include "agent/base/text.h"

namespace rollguard {
namespace {

const Json& Null() {
  static const Json null;
  return null;
}

void AppendEscaped(std::string& out, std::string_view text) {
  bool valid = IsValidUtf8(text);
  out += '"';
  for (char c : text) {
    auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (u < 0x20) {
      out += Format("\\u%04x", u);
    } else if (!valid && u >= 0x80) {
      out += "\xEF\xBF\xBD";
    } else {
      out += c;
    }
  }
  out += '"';
}

void AppendDouble(std::string& out, double value) {
  if (!std::isfinite(value)) {
    AppendEscaped(out, FormatNumber(value));
    return;
  }
  out += value == 0 ? "0" : FormatNumber(value);  // -0 equals 0: one text for both
}

class Printer {
 public:
  Printer(int indent, bool sorted) : indent_(indent), sorted_(sorted) {}

  void Print(const Json& v, int depth) {
    switch (v.type()) {
      case Json::Type::kNull: out_ += "null"; return;
      case Json::Type::kBool: out_ += v.BoolOr(false) ? "true" : "false"; return;
      case Json::Type::kInt: out_ += std::to_string(v.IntOr(0)); return;
      case Json::Type::kDouble: AppendDouble(out_, v.DoubleOr(0)); return;
      case Json::Type::kString: AppendEscaped(out_, v.StringOr({})); return;
      case Json::Type::kArray: PrintArray(v.items(), depth); return;
      case Json::Type::kObject: PrintObject(v.members(), depth); return;
    }
  }

  std::string Take() { return std::move(out_); }

 private:
  void NewLine(int depth) {
    if (indent_ <= 0) return;
    out_ += '\n';
    out_.append(static_cast<size_t>(indent_) * static_cast<size_t>(depth), ' ');
  }

  void PrintArray(const Json::Array& items, int depth) {
    out_ += '[';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += ',';
      NewLine(depth + 1);
      Print(items[i], depth + 1);
    }
    if (!items.empty()) NewLine(depth);
    out_ += ']';
  }

  void PrintObject(const Json::Object& members, int depth) {
    std::vector<const Json::Member*> order;
    order.reserve(members.size());
    for (const auto& m : members) order.push_back(&m);
    if (sorted_) {
      std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->first < b->first; });
    }
    out_ += '{';
    for (size_t i = 0; i < order.size(); ++i) {
      if (i > 0) out_ += ',';
      NewLine(depth + 1);
      AppendEscaped(out_, order[i]->first);
      out_ += indent_ > 0 ? ": " : ":";
      Print(order[i]->second, depth + 1);
    }
    if (!order.empty()) NewLine(depth);
    out_ += '}';
  }

  std::string out_;
  int indent_;
  bool sorted_;
};

bool EqualObjects(const Json& a, const Json& b) {
  if (a.size() != b.size()) return false;
  return std::all_of(a.members().begin(), a.members().end(), [&](const Json::Member& m) {
    const Json* other = b.Find(m.first);
    return other != nullptr && *other == m.second;
  });
}

}  // namespace

bool Json::BoolOr(bool fallback) const {
  const bool* v = std::get_if<bool>(&value_);
  return v != nullptr ? *v : fallback;
}

int64_t Json::IntOr(int64_t fallback) const {
  if (const auto* v = std::get_if<int64_t>(&value_)) return *v;
  const auto* d = std::get_if<double>(&value_);
  if (d == nullptr || *d != std::trunc(*d) || std::fabs(*d) > 9e15) return fallback;
  return static_cast<int64_t>(*d);
}

double Json::DoubleOr(double fallback) const {
  if (const auto* v = std::get_if<double>(&value_)) return *v;
  if (const auto* v = std::get_if<int64_t>(&value_)) return static_cast<double>(*v);
  return fallback;
}

const std::string& Json::StringOr(const std::string& fallback) const {
  const auto* v = std::get_if<std::string>(&value_);
  return v != nullptr ? *v : fallback;
}

std::string Json::Str() const {
  const auto* v = std::get_if<std::string>(&value_);
  return v != nullptr ? *v : std::string();
}

const Json::Array& Json::items() const {
  static const Array empty;
  const auto* v = std::get_if<Array>(&value_);
  return v != nullptr ? *v : empty;
}

const Json::Object& Json::members() const {
  static const Object empty;
  const auto* v = std::get_if<Object>(&value_);
  return v != nullptr ? *v : empty;
}

Json::Array& Json::items() {
  if (!is_array()) value_ = Array();
  return std::get<Array>(value_);
}

Json::Object& Json::members() {
  if (!is_object()) value_ = Object();
  return std::get<Object>(value_);
}

size_t Json::size() const { return is_array() ? items().size() : members().size(); }

const Json* Json::Find(std::string_view key) const {
  for (const Member& m : members()) {
    if (m.first == key) return &m.second;
  }
  return nullptr;
}

Json* Json::Find(std::string_view key) {
  return const_cast<Json*>(static_cast<const Json*>(this)->Find(key));
}

const Json& Json::At(std::string_view key) const {
  const Json* found = Find(key);
  return found != nullptr ? *found : Null();
}

const Json& Json::At(size_t index) const {
  return index < items().size() ? items()[index] : Null();
}

Json& Json::operator[](std::string_view key) {
  if (Json* found = Find(key)) return *found;
  return members().emplace_back(std::string(key), Json()).second;
}

Json& Json::Set(std::string_view key, Json value) {
  (*this)[key] = std::move(value);
  return *this;
}

bool Json::Erase(std::string_view key) {
  if (!is_object()) return false;
  return std::erase_if(members(), [&](const Member& m) { return m.first == key; }) > 0;
}

Json& Json::Push(Json value) {
  items().push_back(std::move(value));
  return *this;
}

bool operator==(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is_int() && b.is_int()) return a.IntOr(0) == b.IntOr(0);
    return a.DoubleOr(0) == b.DoubleOr(0);
  }
  if (a.type() != b.type()) return false;
  if (a.is_object()) return EqualObjects(a, b);
  return a.value_ == b.value_;
}

std::string Json::Dump(int indent) const {
  Printer printer(indent, false);
  printer.Print(*this, 0);
  return printer.Take();
}

std::string Json::Canonical() const {
  Printer printer(0, true);
  printer.Print(*this, 0);
  return printer.Take();
}

}  // namespace rollguard
