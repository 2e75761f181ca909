// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/object.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "agent/base/hash.h"
#include "agent/base/text.h"

namespace rollguard::sim {
namespace {

constexpr std::string_view kHashLabel = "pod-template-hash";

Json WithoutHash(const Json& pod_template) {
  Json copy = pod_template;
  if (Json* meta = copy.Find("metadata"); meta != nullptr && meta->is_object()) {
    meta->Erase("creationTimestamp");
    if (Json* labels = meta->Find("labels")) {
      labels->Erase(kHashLabel);
      if (labels->size() == 0) meta->Erase("labels");
    }
    if (meta->size() == 0) copy.Erase("metadata");
  }
  return copy;
}

}  // namespace

std::string_view Text(const Json& value) {
  static const std::string empty;
  return value.StringOr(empty);
}

const Json& Meta(const Json& object) { return object.At("metadata"); }
std::string_view NameOf(const Json& object) { return Text(Meta(object).At("name")); }
std::string_view NamespaceOf(const Json& object) { return Text(Meta(object).At("namespace")); }
std::string_view UidOf(const Json& object) { return Text(Meta(object).At("uid")); }

uint64_t VersionOf(const Json& object) {
  std::string_view text = Text(Meta(object).At("resourceVersion"));
  uint64_t version = 0;
  std::from_chars(text.data(), text.data() + text.size(), version);
  return version;
}

std::string_view LabelOf(const Json& object, std::string_view key) {
  return Text(Meta(object).At("labels").At(key));
}

std::string_view AnnotationOf(const Json& object, std::string_view key) {
  return Text(Meta(object).At("annotations").At(key));
}

bool IsTerminating(const Json& object) { return !Meta(object).At("deletionTimestamp").is_null(); }

const Json& ControllerOf(const Json& object) {
  static const Json none;
  for (const Json& owner : Meta(object).At("ownerReferences").items()) {
    if (owner.At("controller").BoolOr(false)) return owner;
  }
  return none;
}

bool IsControlledBy(const Json& object, std::string_view uid) {
  return Text(ControllerOf(object).At("uid")) == uid;
}

Json ControllerRef(const Json& owner) {
  return Json::Obj({{"apiVersion", owner.At("apiVersion")},
                    {"kind", owner.At("kind")},
                    {"name", NameOf(owner)},
                    {"uid", UidOf(owner)},
                    {"controller", true},
                    {"blockOwnerDeletion", true}});
}

const Json& ConditionOf(const Json& object, std::string_view type) {
  static const Json none;
  for (const Json& condition : object.At("status", "conditions").items()) {
    if (Text(condition.At("type")) == type) return condition;
  }
  return none;
}

bool ConditionIsTrue(const Json& object, std::string_view type) {
  return Text(ConditionOf(object, type).At("status")) == "True";
}

bool SetCondition(Json& status, std::string_view type, std::string_view value,
                  std::string_view reason, std::string_view message, Time now,
                  bool with_update_time) {
  Json& list = status["conditions"];
  Json::Array& items = list.items();
  auto it = std::find_if(items.begin(), items.end(),
                         [&](const Json& c) { return Text(c.At("type")) == type; });
  std::string stamp = FormatRfc3339(std::chrono::floor<std::chrono::seconds>(now));
  if (it == items.end()) {
    list.Push(Json::Obj({{"type", type}, {"status", ""}}));
    it = items.end() - 1;
  }
  bool flipped = Text(it->At("status")) != value;
  bool same = !flipped && Text(it->At("reason")) == reason && Text(it->At("message")) == message;
  if (same) return false;
  it->Set("status", value);
  if (with_update_time) it->Set("lastUpdateTime", stamp);
  if (flipped) it->Set("lastTransitionTime", stamp);
  if (!reason.empty()) it->Set("reason", reason);
  if (!message.empty()) it->Set("message", message);
  return true;
}

bool PodIsReady(const Json& pod) { return ConditionIsTrue(pod, "Ready"); }

bool PodIsAvailable(const Json& pod, Duration min_ready, Time now) {
  const Json& ready = ConditionOf(pod, "Ready");
  if (Text(ready.At("status")) != "True") return false;
  if (min_ready.count() == 0) return true;
  auto since = ParseRfc3339(Text(ready.At("lastTransitionTime")));
  return since.ok() && *since + min_ready <= now;
}

int64_t ResolveIntOrPercent(const Json& value, int64_t total, bool round_up, int64_t fallback) {
  if (value.is_int()) return value.IntOr(fallback);
  std::string_view text = Text(value);
  if (!text.ends_with('%')) return fallback;
  auto percent = ParseInt(text.substr(0, text.size() - 1));
  if (!percent) return fallback;
  double exact = static_cast<double>(*percent) * static_cast<double>(total) / 100.0;
  return static_cast<int64_t>(round_up ? std::ceil(exact) : std::floor(exact));
}

std::string TemplateHash(const Json& pod_template, int64_t collisions) {
  static constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string text = WithoutHash(pod_template).Canonical();
  if (collisions > 0) text += StrCat("#", collisions);
  uint64_t hash = Fnv1a64(text);
  std::string out;
  for (int i = 0; i < 10; ++i) {
    out += kAlphabet[hash % kAlphabet.size()];
    hash /= kAlphabet.size();
  }
  return out;
}

bool SameTemplate(const Json& a, const Json& b) {
  if (!(a.At("spec") == b.At("spec"))) return false;
  if (!(Meta(a).At("annotations") == Meta(b).At("annotations"))) return false;
  auto covered = [](const Json& one, const Json& other) {
    const auto& labels = one.members();
    return std::all_of(labels.begin(), labels.end(), [&](const Json::Member& m) {
      const Json* same = other.Find(m.first);
      return m.first == kHashLabel || (same != nullptr && *same == m.second);
    });
  };
  const Json& la = Meta(a).At("labels");
  const Json& lb = Meta(b).At("labels");
  return covered(la, lb) && covered(lb, la);
}

}  // namespace rollguard::sim
