// SPDX-License-Identifier: Apache-2.0
// One tag byte a value. Tags from kWord up are followed by nothing for small dictionary numbers;
// lengths and numbers are varints (7 bits a byte, low first); integers are zigzag varints.
//   null false true | int varint | double 8 bytes | text length bytes | word number
//   array count values | object count (key value)*, a key being a word or a text
//   again varint: where, from the beginning, the length and bytes of the same text stand
//   uid 16 bytes, of 8-4-4-4-12 small hexadecimal digits | time varint, milliseconds since 1970
#include "agent/kube/packed.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>

#include "agent/base/time.h"

namespace rollguard::kube {
namespace {

enum Tag : char {
  kNull,
  kFalse,
  kTrue,
  kInt,
  kDouble,
  kText,
  kWord,
  kArray,
  kObject,
  kAgain,
  kUid,
  kTime
};

constexpr int kMaxDepth = 200;
// Label and annotation keys are keys too, and may be many; beyond this they are written out.
constexpr size_t kMaxWords = 8192;
constexpr size_t kMaxWordLength = 128;
// Beside a few in any case, one word for as many objects as must have it to gain from it.
constexpr size_t kFewLearnt = 64;
constexpr size_t kObjectsPerWord = 16;
constexpr uint32_t kOften = 24;
// Shorter texts gain nothing; of more texts in one object the first are looked through.
constexpr size_t kWorthPointing = 4;
constexpr size_t kMaxTexts = 64;

constexpr size_t kUidLength = 36;
constexpr std::string_view kHex = "0123456789abcdef";

bool IsDash(size_t at) { return at == 8 || at == 13 || at == 18 || at == 23; }

// 16 bytes; nothing when the text is no uid as Kubernetes writes it.
std::string UidBytes(std::string_view text) {
  std::string bytes;
  if (text.size() != kUidLength) return bytes;
  bytes.reserve(16);
  for (size_t i = 0; i < text.size();) {
    if (IsDash(i)) {
      if (text[i++] != '-') return {};
      continue;
    }
    const size_t high = kHex.find(text[i]), low = kHex.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return {};
    bytes += static_cast<char>(high << 4U | low);
    i += 2;
  }
  return bytes;
}

std::string UidText(std::string_view bytes) {
  std::string text;
  text.reserve(kUidLength);
  for (char c : bytes) {
    if (IsDash(text.size())) text += '-';
    text += kHex[static_cast<unsigned char>(c) >> 4U];
    text += kHex[static_cast<unsigned char>(c) & 0xfU];
  }
  return text;
}

constexpr std::string_view kShortTime = "2006-01-02T15:04:05Z",
                           kLongTime = "2006-01-02T15:04:05.000Z";
constexpr uint64_t kLastMillis = 253'402'300'799'999;  // of the year 9999

std::string TimeText(uint64_t millis) {
  return FormatRfc3339(FromUnixMillis(static_cast<int64_t>(std::min(millis, kLastMillis))));
}

// Milliseconds since 1970; nothing when the time would not read the same again.
std::optional<uint64_t> TimeMillis(std::string_view text) {
  if (text.size() != kShortTime.size() && text.size() != kLongTime.size()) return std::nullopt;
  if (text[10] != 'T' || text.back() != 'Z') return std::nullopt;
  const auto at = ParseRfc3339(text);
  if (!at || ToUnixMillis(*at) < 0) return std::nullopt;
  const auto millis = static_cast<uint64_t>(ToUnixMillis(*at));
  if (TimeText(millis) != text) return std::nullopt;
  return millis;
}

void AppendVarint(uint64_t value, std::string& out) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

void AppendText(std::string_view text, std::string& out) {
  out += static_cast<char>(kText);
  AppendVarint(text.size(), out);
  out += text;
}

// Reads what Pack wrote: the text is our own, so bounds are held by construction; running out gives
// zeroes.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  char Byte() {
    if (at_ >= text_.size()) return 0;
    return text_[at_++];
  }
  uint64_t Varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      auto byte = static_cast<unsigned char>(Byte());
      value |= static_cast<uint64_t>(byte & 0x7fU) << shift;
      if (byte < 0x80) break;
    }
    return value;
  }
  std::string_view Text(size_t length) {
    std::string_view part = text_.substr(at_, length);
    at_ += part.size();
    return part;
  }
  // The text whose length stands there.
  std::string_view Earlier(uint64_t at) const {
    Reader there(text_);
    there.at_ = std::min<size_t>(at, text_.size());
    return there.Text(there.Varint());
  }
  size_t left() const { return text_.size() - at_; }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

bool CommonValue(std::string_view text) {
  static constexpr std::string_view kCommon[] = {"v1",
                                                 "apps/v1",
                                                 "Deployment",
                                                 "ReplicaSet",
                                                 "Pod",
                                                 "Service",
                                                 "TCP",
                                                 "UDP",
                                                 "RollingUpdate",
                                                 "Always",
                                                 "IfNotPresent",
                                                 "ClusterFirst",
                                                 "25%",
                                                 "default-scheduler",
                                                 "/dev/termination-log",
                                                 "File",
                                                 "True",
                                                 "False",
                                                 "Available",
                                                 "Progressing",
                                                 "MinimumReplicasAvailable",
                                                 "NewReplicaSetAvailable",
                                                 "Running",
                                                 "Ready",
                                                 "Initialized",
                                                 "ContainersReady",
                                                 "PodScheduled",
                                                 "Deployment has minimum availability.",
                                                 "HTTP",
                                                 "apiserver",
                                                 "ClusterIP",
                                                 "None",
                                                 "IPv4",
                                                 "BestEffort",
                                                 "Burstable",
                                                 "Guaranteed",
                                                 "Guard",
                                                 "rollguard.dev/v1alpha1"};
  for (std::string_view common : kCommon) {
    if (common == text) return true;
  }
  return false;
}

Json Read(Reader& in, const std::deque<std::string>& words, int depth) {
  auto word = [&](uint64_t number) {
    return number < words.size() ? words[number] : std::string();
  };
  switch (static_cast<Tag>(in.Byte())) {
    case kNull: return {};
    case kFalse: return Json(false);
    case kTrue: return Json(true);
    case kInt: {
      uint64_t z = in.Varint();
      return Json(static_cast<int64_t>(z >> 1) ^ -static_cast<int64_t>(z & 1));
    }
    case kDouble: {
      double value = 0;
      std::string_view bytes = in.Text(sizeof value);
      if (bytes.size() == sizeof value) std::memcpy(&value, bytes.data(), sizeof value);
      return Json(value);
    }
    case kText: return Json(in.Text(in.Varint()));
    case kWord: return Json(word(in.Varint()));
    case kAgain: return Json(in.Earlier(in.Varint()));
    case kUid: return Json(UidText(in.Text(16)));
    case kTime: return Json(TimeText(in.Varint()));
    case kArray: {
      Json::Array items;
      uint64_t count = in.Varint();
      items.reserve(std::min<size_t>(count, in.left()));
      for (uint64_t i = 0; i < count && depth < kMaxDepth && in.left() > 0; ++i) {
        items.push_back(Read(in, words, depth + 1));
      }
      return Json(std::move(items));
    }
    case kObject: {
      Json::Object members;
      uint64_t count = in.Varint();
      members.reserve(std::min<size_t>(count, in.left()));
      for (uint64_t i = 0; i < count && depth < kMaxDepth && in.left() > 0; ++i) {
        bool known = static_cast<Tag>(in.Byte()) == kWord;
        uint64_t number = in.Varint();
        std::string key = known ? word(number) : std::string(in.Text(number));
        Json value = Read(in, words, depth + 1);
        members.emplace_back(std::move(key), std::move(value));
      }
      return Json(std::move(members));
    }
  }
  return {};
}

}  // namespace

bool Packer::AppendKnown(std::string_view text, bool learn, std::string& out) {
  auto found = numbers_.find(text);
  if (found == numbers_.end()) {
    if (!learn || words_.size() >= kMaxWords || text.size() > kMaxWordLength) return false;
    auto number = static_cast<uint32_t>(words_.size());
    found = numbers_.emplace(words_.emplace_back(text), number).first;
  }
  out += static_cast<char>(kWord);
  AppendVarint(found->second, out);
  return true;
}

bool OftenSeen::Vote(size_t hash) {
  Place& place = places_[hash % places_.size()];
  const auto mark = static_cast<uint32_t>(hash >> 16U);
  if (place.votes == 0) place.hash = mark;
  if (place.hash != mark) {
    --place.votes;
    return false;
  }
  if (++place.votes < kOften) return false;
  place.votes = 0;
  return true;
}

bool Packer::AppendAgain(std::string_view text, size_t hash, std::string& out) {
  const Reader packed(out);
  for (const auto& [known, at] : texts_) {
    if (known != hash || packed.Earlier(at) != text) continue;
    out += static_cast<char>(kAgain);
    AppendVarint(at, out);
    return true;
  }
  return false;
}

void Packer::AppendValue(std::string_view text, std::string& out) {
  if (AppendKnown(text, CommonValue(text), out)) return;
  if (text.size() < kWorthPointing) {
    AppendText(text, out);
    return;
  }
  if (const std::string uid = UidBytes(text); !uid.empty()) {
    out += static_cast<char>(kUid);
    out += uid;
    return;
  }
  if (const auto millis = TimeMillis(text)) {
    out += static_cast<char>(kTime);
    AppendVarint(*millis, out);
    return;
  }
  const size_t hash = std::hash<std::string_view>()(text);
  if (AppendAgain(text, hash, out)) return;
  if (learnt_ < most_learnt_ && often_.Vote(hash) && AppendKnown(text, true, out)) {
    ++learnt_;
    return;
  }
  if (texts_.size() < kMaxTexts) texts_.emplace_back(hash, out.size() + 1);
  AppendText(text, out);
}

void Packer::AppendKey(std::string_view key, std::string& out) {
  if (!AppendKnown(key, /*learn=*/true, out)) AppendText(key, out);
}

void Packer::Append(const Json& value, int depth, std::string& out) {
  static const std::string kNothing;
  if (depth >= kMaxDepth) {
    out += static_cast<char>(kNull);
    return;
  }
  switch (value.type()) {
    case Json::Type::kNull: out += static_cast<char>(kNull); return;
    case Json::Type::kBool: out += static_cast<char>(value.BoolOr(false) ? kTrue : kFalse); return;
    case Json::Type::kInt: {
      int64_t number = value.IntOr(0);
      out += static_cast<char>(kInt);
      AppendVarint(static_cast<uint64_t>(number) << 1 ^ static_cast<uint64_t>(number >> 63), out);
      return;
    }
    case Json::Type::kDouble: {
      double number = value.DoubleOr(0);
      char bytes[sizeof number];
      std::memcpy(bytes, &number, sizeof number);
      out += static_cast<char>(kDouble);
      out.append(bytes, sizeof bytes);
      return;
    }
    case Json::Type::kString: AppendValue(value.StringOr(kNothing), out); return;
    case Json::Type::kArray:
      out += static_cast<char>(kArray);
      AppendVarint(value.size(), out);
      for (const Json& item : value.items()) Append(item, depth + 1, out);
      return;
    case Json::Type::kObject:
      out += static_cast<char>(kObject);
      AppendVarint(value.size(), out);
      for (const Json::Member& member : value.members()) {
        AppendKey(member.first, out);
        Append(member.second, depth + 1, out);
      }
      return;
  }
}

void Packer::Holds(size_t objects) {
  most_learnt_ = std::min(kMaxLearnt, kFewLearnt + objects / kObjectsPerWord);
}

std::string Packer::Pack(const Json& value) {
  std::string out;
  out.reserve(1024);
  texts_.clear();
  Append(value, 0, out);
  out.shrink_to_fit();
  return out;
}

Json Packer::Unpack(std::string_view packed) const {
  Reader in(packed);
  return Read(in, words_, 0);
}

}  // namespace rollguard::kube
