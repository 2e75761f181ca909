// SPDX-License-Identifier: Apache-2.0
// Two archives over observation_fields.h: one writes, one reads. What is empty is left out; numbers
// and flags always stand. Objects go into a pool and are named by their place in it.
#include "agent/release/observation_json.h"

#include <array>
#include <type_traits>
#include <unordered_map>

#include "agent/base/text.h"
#include "agent/release/observation_fields.h"

namespace rollguard::release {
namespace {

// The words of each enumeration, in its order.
template <class E>
struct Words;
template <>
struct Words<JobView::State> {
  static constexpr std::array<const char*, 3> kAll = {"running", "succeeded", "failed"};
};
template <>
struct Words<RunView::Phase> {
  static constexpr std::array<const char*, 6> kAll = {"pending", "running", "successful",
                                                      "failed",  "error",   "inconclusive"};
};
template <>
struct Words<StartView::Artifacts::State> {
  static constexpr std::array<const char*, 3> kAll = {"accepted", "checking", "refused"};
};
template <>
struct Words<Command::Verb> {
  static constexpr std::array<const char*, 10> kAll = {"promote",  "pause",  "resume",  "abort",
                                                       "rollback", "retry",  "approve", "reject",
                                                       "skip",     "release"};
};
template <>
struct Words<Signal::Source> {
  static constexpr std::array<const char*, 9> kAll = {
      "rule", "alert", "analysis", "health", "workload", "person", "group", "fleet", "hook"};
};
template <>
struct Words<Signal::State> {
  static constexpr std::array<const char*, 5> kAll = {"ok", "pending", "firing", "noData", "error"};
};
template <>
struct Words<spec::TriggerAction> {
  static constexpr std::array<const char*, 3> kAll = {"rollback", "pause", "observe"};
};
template <>
struct Words<spec::RuleSeverity> {
  static constexpr std::array<const char*, 4> kAll = {"critical", "high", "medium", "low"};
};

// Kubernetes objects by their place in a list.
class PoolWriter {
 public:
  explicit PoolWriter(ContentMask& mask) : mask_(mask) {}

  Json Place(const Json* object) {
    if (object == nullptr) return {};
    auto [at, is_new] = places_.try_emplace(object, list_.size());
    if (is_new) list_.Push(mask_.Object(*object));
    return at->second;
  }
  Json Take() { return std::move(list_); }

 private:
  ContentMask& mask_;
  Json list_ = Json::Arr();
  std::unordered_map<const Json*, size_t> places_;
};

class Writer {
 public:
  explicit Writer(PoolWriter& pool) : pool_(pool) {}

  template <class T>
  void operator()(const char* name, const T& field) {
    Json value = Write(field);
    bool empty = value.is_null() || (value.is_array() && value.size() == 0) ||
                 (value.is_string() && value.Str().empty());
    if (!empty) out_.Set(name, std::move(value));
  }
  Json Take() { return std::move(out_); }

 private:
  Json Write(bool v) { return v; }
  Json Write(int64_t v) { return v; }
  Json Write(double v) { return v; }
  Json Write(const std::string& v) { return v; }
  Json Write(const Json& v) { return v; }
  Json Write(const Json* v) { return pool_.Place(v); }
  Json Write(Time v) { return FormatRfc3339(v); }
  Json Write(const std::pair<std::string, std::string>& v) {
    return Json::Arr({v.first, v.second});
  }
  Json Write(const std::pair<ObjectId, const Json*>& v) {
    const ObjectId& id = v.first;
    return Json::Obj({{"id", Json::Arr({id.api_version, id.kind, id.ns, id.name})},
                      {"object", Write(v.second)}});
  }
  template <class T>
  Json Write(const std::optional<T>& v) {
    return v ? Write(*v) : Json();
  }
  template <class T>
  Json Write(const std::vector<T>& v) {
    Json list = Json::Arr();
    for (const T& item : v) list.Push(Write(item));
    return list;
  }
  template <class T>
  Json Write(const T& v) {
    if constexpr (std::is_enum_v<T>) {
      return Words<T>::kAll[static_cast<size_t>(v)];
    } else {
      Writer inner(pool_);
      Fields(inner, v);
      return inner.Take();
    }
  }

  PoolWriter& pool_;
  Json out_ = Json::Obj();
};

class Reader {
 public:
  Reader(const Json& from, const std::vector<const Json*>& pool) : from_(from), pool_(pool) {}

  template <class T>
  void operator()(const char* name, T& field) {
    const Json* found = from_.Find(name);
    if (found != nullptr) Read(*found, field);
  }

 private:
  void Read(const Json& from, bool& v) { v = from.BoolOr(false); }
  void Read(const Json& from, int64_t& v) { v = from.IntOr(0); }
  void Read(const Json& from, double& v) { v = from.DoubleOr(0); }
  void Read(const Json& from, std::string& v) { v = from.Str(); }
  void Read(const Json& from, Json& v) { v = from; }
  void Read(const Json& from, const Json*& v) {
    auto place = static_cast<size_t>(from.IntOr(-1));
    v = from.is_int() && place < pool_.size() ? pool_[place] : nullptr;
  }
  void Read(const Json& from, Time& v) {
    if (auto time = ParseRfc3339(from.Str())) v = *time;
  }
  void Read(const Json& from, std::pair<std::string, std::string>& v) {
    v = {from.At(0).Str(), from.At(1).Str()};
  }
  void Read(const Json& from, std::pair<ObjectId, const Json*>& v) {
    const Json& id = from.At("id");
    v.first = {id.At(0).Str(), id.At(1).Str(), id.At(2).Str(), id.At(3).Str()};
    Read(from.At("object"), v.second);
  }
  template <class T>
  void Read(const Json& from, std::optional<T>& v) {
    Read(from, v.emplace());
  }
  template <class T>
  void Read(const Json& from, std::vector<T>& v) {
    for (const Json& item : from.items()) Read(item, v.emplace_back());
  }
  template <class T>
  void Read(const Json& from, T& v) {
    if constexpr (std::is_enum_v<T>) {
      const std::string word = from.Str();
      for (size_t i = 0; i < Words<T>::kAll.size(); ++i) {
        if (word == Words<T>::kAll[i]) v = static_cast<T>(i);
      }
    } else {
      Reader inner(from, pool_);
      Fields(inner, v);
    }
  }

  const Json& from_;
  const std::vector<const Json*>& pool_;
};

}  // namespace

Json ToJson(const Observation& observation, ContentMask& mask) {
  PoolWriter pool(mask);
  Writer writer(pool);
  Fields(writer, observation);
  Json out = writer.Take();
  out.Set("version", kObservationVersion);
  out.Set("pool", pool.Take());
  return out;
}

Expected<OwnedObservation> ObservationFromJson(const Json& json) {
  if (!json.is_object()) return Error(ErrorCode::kInvalid, "an observation must be an object");
  int64_t version = json.At("version").IntOr(0);
  if (version != kObservationVersion) {
    return Error(ErrorCode::kInvalid,
                 StrCat("the observation has version ", version, ", this program reads ",
                        kObservationVersion, ": use the rollguard that wrote it"));
  }
  OwnedObservation out;
  std::vector<const Json*> pool;
  for (const Json& object : json.At("pool").items())
    pool.push_back(&out.objects.emplace_back(object));
  Reader reader(json, pool);
  Fields(reader, out.observation);
  return out;
}

}  // namespace rollguard::release
