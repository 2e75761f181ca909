// SPDX-License-Identifier: Apache-2.0
// ConfigMaps and Secrets that a template uses, kept per revision. A snapshot is one Secret of ours
// with the objects' data as JSON; it is taken while the revision is the one in the spec, and put
// back with it. Data is never logged and never part of state or decisions.
#include <algorithm>
#include <array>

#include "agent/base/text.h"
#include "agent/release/context.h"
#include "agent/release/observe.h"
#include "agent/routing/edit.h"

namespace rollguard::release {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr size_t kMaxSnapshot = 700 * 1024;
// Configuration is written a moment before the template that it belongs to.
constexpr Duration kTogether = std::chrono::seconds(10);

std::string Encode64(std::string_view in) {
  std::string out;
  out.reserve((in.size() + 2) / 3 * 4);
  for (size_t i = 0; i < in.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) {
      bits = (bits << 8) | (i + k < in.size() ? static_cast<uint8_t>(in[i + k]) : 0U);
    }
    for (size_t k = 0; k < 4; ++k) {
      const bool padding = i + k > in.size();
      out += padding ? '=' : kAlphabet[(bits >> (18 - 6 * k)) & 63U];
    }
  }
  return out;
}

std::string Decode64(std::string_view in) {
  std::string out;
  uint32_t bits = 0;
  int have = 0;
  for (char ch : in) {
    const size_t at = kAlphabet.find(ch);
    if (at == std::string_view::npos) continue;
    bits = (bits << 6) | static_cast<uint32_t>(at);
    have += 6;
    if (have >= 8) {
      have -= 8;
      out += static_cast<char>((bits >> have) & 0xFFU);
    }
  }
  return out;
}

Json Content(const Json& object) {
  Json out =
      Json::Obj({{"kind", object.At("kind").Str()}, {"name", object.At("metadata", "name").Str()}});
  for (const char* member : {"data", "binaryData"}) {
    if (const Json* value = object.Find(member)) out.Set(member, *value);
  }
  const std::string type = object.At("type").Str();
  if (!type.empty() && type != "Opaque") out.Set("type", type);
  return out;
}

bool Excluded(const Context& c, const std::string& name) {
  const auto& list = c.guard.configs.exclude;
  return std::find(list.begin(), list.end(), name) != list.end();
}

Json CurrentContent(const Context& c) {
  Json all = Json::Arr();
  for (const Json* object : c.obs.configs.current) {
    if (object != nullptr && !Excluded(c, object->At("metadata", "name").Str())) {
      all.Push(Content(*object));
    }
  }
  return all;
}

Json SavedContent(const Json& snapshot) {
  auto parsed = ParseJson(Decode64(snapshot.At("data", "snapshot.json").Str()));
  return parsed ? *parsed : Json();
}

// What is kept, or ends a rollback, is what the server has: a watch may lag behind the template
// that the configuration came with.
Progress ReadAnew(Context& c, const std::string& purpose) {
  if (c.obs.configs.read_for == purpose) return Progress::kDone;
  std::vector<ObjectId> objects = ConfigsOf(c.guard, TemplateOf(*c.obs.target.object));
  std::erase_if(objects, [&](const ObjectId& id) { return Excluded(c, id.name); });
  if (objects.empty()) return Progress::kDone;
  c.Do(ReadObjects{std::move(objects), purpose});
  c.Wait("the configuration is being read");
  return Progress::kWaiting;
}

// `anew`: what was kept once may be of an earlier attempt with another configuration.
Progress Take(Context& c, const std::string& revision, const std::string& purpose,
              const Json* existing, bool anew) {
  if (c.observing() || (existing != nullptr && !anew)) return Progress::kDone;
  if (ReadAnew(c, purpose) != Progress::kDone) return Progress::kWaiting;
  if (c.obs.configs.current.empty()) return Progress::kDone;
  if (existing != nullptr && SavedContent(*existing) == CurrentContent(c)) return Progress::kDone;
  const std::string text = CurrentContent(c).Dump();
  if (text.size() > kMaxSnapshot) {
    c.SetCondition("Drift", true, "TooLarge", "the configuration is too large to be kept");
    return Progress::kDone;
  }
  const ObjectId id{"v1", "Secret", c.guard.metadata.ns, SnapshotName(c.guard, revision)};
  routing::Tracks tracks;
  tracks.guard = c.guard.metadata.name;
  Json metadata = routing::NewMetadata(id, tracks);
  metadata["labels"].Set("rollguard.dev/snapshot", revision);
  OwnByGuard(c, metadata);
  Json data = Json::Obj({{"snapshot.json", Encode64(text)}});
  c.Wait("the configuration is being kept");
  if (existing != nullptr) {
    Json patch = Json::Obj({{"data", std::move(data)}});
    c.Do(PatchObject{id,
                     PatchObject::Kind::kMerge,
                     std::move(patch),
                     StrCat("keep the configuration of revision ", revision),
                     {},
                     {}});
    return Progress::kWaiting;
  }
  c.Do(CreateObject{id,
                    Json::Obj({{"apiVersion", "v1"},
                               {"kind", "Secret"},
                               {"metadata", std::move(metadata)},
                               {"type", "rollguard.dev/snapshot"},
                               {"data", std::move(data)}}),
                    StrCat("keep the configuration of revision ", revision)});
  return Progress::kWaiting;
}

const char* const kWhy = "configuration of the stable revision";

const Json* Live(const Context& c, const ObjectId& id) {
  for (const Json* object : c.obs.configs.current) {
    if (object != nullptr && object->At("metadata", "name").Str() == id.name &&
        object->At("kind").Str() == id.kind)
      return object;
  }
  return nullptr;
}

// What the template names is looked for; of anything else nothing is known.
bool IsGone(const Context& c, const ObjectId& id) {
  const auto named = ConfigsOf(c.guard, TemplateOf(*c.obs.target.object));
  return std::find(named.begin(), named.end(), id) != named.end();
}

// As its owner's: nothing of it is ours, it does not go with the Guard.
Json MadeAnew(const ObjectId& id, const Json& wanted) {
  Json object = Json::Obj({{"apiVersion", id.api_version},
                           {"kind", id.kind},
                           {"metadata", Json::Obj({{"name", id.name}, {"namespace", id.ns}})}});
  for (const char* member : {"type", "data", "binaryData"}) {
    if (const Json* value = wanted.Find(member)) object.Set(member, *value);
  }
  return object;
}

void Overwrite(Context& c, const ObjectId& id, const Json& object, const Json& wanted) {
  if (object.At("immutable").BoolOr(false)) return;
  Json desired = object;
  for (const char* member : {"data", "binaryData"}) {
    desired.Erase(member);
    if (const Json* value = wanted.Find(member)) desired.Set(member, *value);
  }
  std::vector<routing::Change> changes;
  routing::AppendPatch(id, object, desired, changes);
  for (const auto& change : changes) c.Do(change, kWhy, {});
}

// Brings the live objects back to the snapshot, makes those that are gone; returns the names of
// those that differ.
std::vector<std::string> PutBack(Context& c, const Json& snapshot, bool act) {
  std::vector<std::string> differ;
  const Json saved = SavedContent(snapshot);
  for (const Json& wanted : saved.items()) {
    const ObjectId id{"v1", wanted.At("kind").Str(), c.guard.metadata.ns, wanted.At("name").Str()};
    const Json* object = Live(c, id);
    if (object == nullptr ? !IsGone(c, id) || Excluded(c, id.name) : Content(*object) == wanted)
      continue;
    differ.push_back(StrCat(id.kind, " ", id.name));
    if (!act) continue;
    if (object != nullptr) {
      Overwrite(c, id, *object, wanted);
    } else {
      c.Do(CreateObject{id, MadeAnew(id, wanted), kWhy});
    }
  }
  return differ;
}

}  // namespace

namespace {

// Whether some of the names are not among those that were told.
bool HasMore(const std::vector<std::string>& names, const std::string& told) {
  const auto known = Split(told, ',');
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return std::none_of(known.begin(), known.end(),
                        [&](std::string_view one) { return Trim(one) == name; });
  });
}

// `kept`: of a revision that is gone back to.
Progress Return(Context& c, const Json& kept) {
  const size_t before = c.out().actions.size();
  PutBack(c, kept, true);
  if (c.out().actions.size() == before) return Progress::kDone;
  c.Wait("the configuration is being put back");
  return Progress::kWaiting;
}

}  // namespace

Progress SnapshotConfigs(Context& c) {
  if (!c.guard.configs.restore) return Progress::kDone;
  const Json* kept = c.obs.configs.snapshot_candidate;
  const std::string purpose = StrCat(c.rel().id, "/begin");
  if (kept != nullptr && c.state().retry == c.rel().candidate) {
    return ReadAnew(c, purpose) == Progress::kDone ? Return(c, *kept) : Progress::kWaiting;
  }
  const auto& history = c.state().history;
  const bool was_stable = std::any_of(history.begin(), history.end(), [&](const StableRecord& r) {
    return r.revision == c.rel().candidate;
  });
  return Take(c, c.rel().candidate, purpose, kept, !was_stable);
}

Progress RestoreConfigs(Context& c) {
  if (!c.guard.configs.restore || c.obs.configs.snapshot_stable == nullptr) return Progress::kDone;
  return Return(c, *c.obs.configs.snapshot_stable);
}

Progress ConfirmConfigs(Context& c) {
  if (!c.guard.configs.restore || c.obs.configs.snapshot_stable == nullptr) return Progress::kDone;
  if (ReadAnew(c, StrCat(c.rel().id, "/back")) != Progress::kDone) return Progress::kWaiting;
  return RestoreConfigs(c);
}

void ReconcileConfigs(Context& c) {
  if (!c.guard.configs.restore || c.active()) return;
  const std::string& stable = c.state().stable;
  if (Take(c, stable, StrCat("rest/", stable), c.obs.configs.snapshot_stable, false) !=
      Progress::kDone) {
    return;
  }
  if (c.obs.configs.snapshot_stable == nullptr) return;
  const Json& kept = *c.obs.configs.snapshot_stable;
  const auto drift = PutBack(c, kept, false);
  const std::string what = Join(drift, ", ");
  if (drift.empty()) {
    c.SetCondition("Drift", false, "AsKept", what);
    return;
  }
  const Condition* known = c.state().FindCondition("Drift");
  const Time until = (known != nullptr && known->status ? known->since : c.obs.now) + kTogether;
  if (c.obs.now < until) {
    c.SetCondition("Drift", true, "Changed", what);
    c.Wake(until);
    return;
  }
  if (known->reason != "Drifted" || HasMore(drift, known->message)) {
    c.Decide(Verdict::kHold, StrCat("configuration has drifted from the snapshot: ", what));
    c.Tell("drift", spec::RuleSeverity::kMedium, StrCat("configuration has drifted: ", what));
  }
  c.SetCondition("Drift", true, "Drifted", what);
  if (c.guard.configs.reconcile) PutBack(c, kept, true);
}

void DropConfigs(Context& c) {
  if (!c.guard.configs.restore || c.active() || c.observing()) return;
  bool all_gone = true;
  for (const std::string& revision : OutlivedRevisions(c.state())) {
    const ObjectId id{"v1", "Secret", c.guard.metadata.ns, SnapshotName(c.guard, revision)};
    const Json* kept = c.obs.FindObject(id);
    if (!CreatedByUs(c, kept)) continue;
    all_gone = false;
    c.Do(DeleteObject{id, kept->At("metadata", "uid").Str(),
                      StrCat("nobody goes back to revision ", revision)});
  }
  if (!all_gone || c.state().history.size() <= GuardState::kMaxHistory) return;
  auto& history = c.Edit().history;
  history.erase(history.begin(), history.end() - GuardState::kMaxHistory);
}

}  // namespace rollguard::release
