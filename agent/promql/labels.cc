// SPDX-License-Identifier: Apache-2.0
// Packed form: for each pair, length and bytes of the name, then length and bytes of the value. A
// length below 255 is one byte; a longer one is the byte 255 and four bytes, little end first.
#include "agent/promql/labels.h"

#include <algorithm>
#include <cstring>

#include "agent/base/text.h"

namespace rollguard::promql {
namespace {

constexpr unsigned char kLong = 255;

void AppendText(std::string& out, std::string_view text) {
  if (text.size() < kLong) {
    out += static_cast<char>(text.size());
  } else {
    char header[5] = {static_cast<char>(kLong)};
    auto length = static_cast<uint32_t>(text.size());
    std::memcpy(header + 1, &length, sizeof(length));
    out.append(header, sizeof(header));
  }
  out.append(text);
}

const char* ReadText(const char* at, std::string_view& text) {
  auto first = static_cast<unsigned char>(*at++);
  uint32_t length = first;
  if (first == kLong) {
    std::memcpy(&length, at, sizeof(length));
    at += sizeof(length);
  }
  text = {at, length};
  return at + length;
}

uint64_t Mix(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace

void Labels::Iterator::Read() {
  if (at_ == end_) return;
  next_ = ReadText(ReadText(at_, label_.name), label_.value);
}

Labels::Labels(std::initializer_list<std::pair<std::string_view, std::string_view>> pairs)
    : Labels(FromPairs(std::vector<std::pair<std::string_view, std::string_view>>(pairs))) {}

Labels Labels::FromPairs(std::vector<std::pair<std::string_view, std::string_view>> pairs) {
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  Labels out;
  for (size_t i = 0; i < pairs.size(); ++i) {
    bool overruled = i + 1 < pairs.size() && pairs[i + 1].first == pairs[i].first;
    if (!overruled && !pairs[i].second.empty()) out.Append(pairs[i].first, pairs[i].second);
  }
  return out;
}

Labels Labels::FromPairs(std::span<const std::pair<std::string, std::string>> pairs) {
  return FromPairs(
      std::vector<std::pair<std::string_view, std::string_view>>(pairs.begin(), pairs.end()));
}

Labels Labels::FromSorted(std::span<const Label> sorted) {
  Labels out;
  for (const Label& label : sorted) out.Append(label.name, label.value);
  return out;
}

void Labels::Append(std::string_view name, std::string_view value) {
  AppendText(packed_, name);
  AppendText(packed_, value);
}

size_t Labels::size() const {
  size_t count = 0;
  for (auto it = begin(); it != end(); ++it) ++count;
  return count;
}

std::string_view Labels::Get(std::string_view name) const {
  for (const Label& label : *this) {
    if (label.name == name) return label.value;
  }
  return {};
}

bool Labels::Has(std::string_view name) const { return !Get(name).empty(); }

Labels Labels::WithoutName() const {
  Labels out;
  out.packed_.reserve(packed_.size());
  for (const Label& label : *this) {
    if (label.name != kMetricName) out.Append(label.name, label.value);
  }
  return out;
}

Labels Labels::Keep(std::span<const std::string> names) const {
  Labels out;
  for (const Label& label : *this) {
    if (std::binary_search(names.begin(), names.end(), label.name)) {
      out.Append(label.name, label.value);
    }
  }
  return out;
}

Labels Labels::Without(std::span<const std::string> names) const {
  Labels out;
  for (const Label& label : *this) {
    if (label.name != kMetricName && !std::binary_search(names.begin(), names.end(), label.name)) {
      out.Append(label.name, label.value);
    }
  }
  return out;
}

Labels Labels::With(std::string_view name, std::string_view value) const {
  Labels out;
  out.packed_.reserve(packed_.size() + name.size() + value.size() + 2);
  bool done = value.empty();
  for (const Label& label : *this) {
    if (!done && label.name >= name) {
      out.Append(name, value);
      done = true;
    }
    if (label.name != name) out.Append(label.name, label.value);
  }
  if (!done) out.Append(name, value);
  return out;
}

uint64_t Labels::Hash() const {
  uint64_t hash = 0x9e3779b97f4a7c15ULL ^ packed_.size();
  const char* at = packed_.data();
  size_t left = packed_.size();
  for (; left >= 8; left -= 8, at += 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    hash = Mix(hash ^ word, 0xa0761d6478bd642fULL);
  }
  uint64_t tail = 0;
  std::memcpy(&tail, at, left);
  return Mix(hash ^ tail, 0xe7037ed1a0b428dbULL);
}

std::string Labels::ToString() const {
  std::string out(Name());
  std::string inner;
  for (const Label& label : *this) {
    if (label.name == kMetricName) continue;
    if (!inner.empty()) inner += ", ";
    inner += label.name;
    inner += '=';
    inner += Quote(label.value);
  }
  if (!inner.empty() || out.empty()) out += "{" + inner + "}";
  return out;
}

int Labels::Compare(const Labels& a, const Labels& b) {
  auto x = a.begin();
  auto y = b.begin();
  for (; x != a.end() && y != b.end(); ++x, ++y) {
    if (int order = x->name.compare(y->name); order != 0) return order;
    if (int order = x->value.compare(y->value); order != 0) return order;
  }
  if (x != a.end()) return 1;
  return y != b.end() ? -1 : 0;
}

}  // namespace rollguard::promql
