// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/apply.h"

#include <algorithm>

#include "agent/sim/field_set.h"
#include "agent/sim/object.h"

namespace rollguard::sim {
namespace {

// Lays `config` over `target`: objects and keyed lists merge, sets unite, the rest is replaced.
void Overlay(Json& target, const Json& config, const SchemaPosition& at);

void OverlayList(Json& target, const Json& config, const SchemaPosition& at, const ListRule& rule) {
  for (const Json& item : config.items()) {
    auto& items = target.items();
    auto known = std::find_if(items.begin(), items.end(), [&](const Json& i) {
      if (rule.kind == ListKind::kSet) return i == item;
      return std::all_of(rule.keys.begin(), rule.keys.end(), [&](const std::string& key) {
        if (key == "protocol")
          return (i.Find(key) ? i.At(key).Str() : "TCP") ==
                 (item.Find(key) ? item.At(key).Str() : "TCP");
        return i.At(key) == item.At(key);
      });
    });
    if (known == items.end())
      target.Push(item);
    else if (rule.kind == ListKind::kMap)
      Overlay(*known, item, at.Item());
  }
}

void Overlay(Json& target, const Json& config, const SchemaPosition& at) {
  if (config.is_object() && target.is_object() && !at.AtomicObject()) {
    for (const auto& [key, value] : config.members()) {
      if (Json* known = target.Find(key))
        Overlay(*known, value, at.Field(key));
      else
        target.Set(key, value);
    }
    return;
  }
  ListRule rule = config.is_array() && target.is_array() ? at.Applied() : ListRule();
  if (rule.kind != ListKind::kAtomic)
    OverlayList(target, config, at, rule);
  else
    target = config;
}

bool IsEntry(const Json& entry, const FieldWriter& writer, std::string_view operation) {
  return Text(entry.At("manager")) == writer.manager && Text(entry.At("operation")) == operation &&
         Text(entry.At("subresource")) == writer.subresource;
}

Json MakeEntry(const FieldWriter& writer, std::string_view operation, Json fields) {
  Json entry =
      Json::Obj({{"manager", writer.manager},
                 {"operation", operation},
                 {"apiVersion", writer.api_version},
                 {"time", FormatRfc3339(std::chrono::floor<std::chrono::seconds>(writer.now))},
                 {"fieldsType", "FieldsV1"},
                 {"fieldsV1", std::move(fields)}});
  if (!writer.subresource.empty()) entry.Set("subresource", writer.subresource);
  return entry;
}

Json TakeEntries(Json& object) {
  Json entries = Meta(object).At("managedFields");
  return entries.is_array() ? entries : Json::Arr();
}

void PutEntries(Json& object, Json entries) {
  std::erase_if(entries.items(), [](const Json& e) { return e.At("fieldsV1").size() == 0; });
  if (entries.size() == 0)
    object["metadata"].Erase("managedFields");
  else
    object["metadata"].Set("managedFields", std::move(entries));
}

// The applier's fields of before that nobody owns any more go away.
void RemoveLeftOut(Json& object, const Json& last, const Json& now, const Json& others) {
  Json gone = SubtractFields(last, now);
  std::vector<FieldPath> paths;
  ForEachField(gone, [&](const FieldPath& path) {
    if (path.back() != ".") {
      if (!HasField(others, path)) paths.push_back(path);
      return;
    }
    FieldPath item(path.begin(), path.end() - 1);
    if (!HasField(others, item) && !HasField(now, item)) paths.push_back(path);
  });
  std::sort(paths.begin(), paths.end(),
            [](const FieldPath& a, const FieldPath& b) { return a.size() > b.size(); });
  for (const auto& path : paths) RemoveField(object, path);
}

struct Contest {
  std::vector<ApplyConflict> conflicts;
  Json taken = Json::Obj();  // fields whose value changes under other managers
};

void AddPath(Json& fields, const FieldPath& path) {
  Json* at = &fields;
  for (const auto& token : path) {
    at = &(*at)[token];
    if (at->is_null()) *at = Json::Obj();
  }
}

Contest FindContest(const Json& entry, const Json& live, const Json& config, const Json& wanted) {
  Contest contest;
  const Json& owned = entry.At("fieldsV1");
  ForEachField(wanted, [&](const FieldPath& path) {
    if (path.back() == "." || !HasField(owned, path)) return;
    const Json* was = ValueAt(live, path);
    const Json* is = ValueAt(config, path);
    if (was != nullptr && is != nullptr && *was == *is) return;
    contest.conflicts.push_back({entry.At("manager").Str(), FieldPathText(path)});
    AddPath(contest.taken, path);
  });
  return contest;
}

}  // namespace

bool HasAppliers(const Json& object) {
  const auto& entries = Meta(object).At("managedFields").items();
  return std::any_of(entries.begin(), entries.end(),
                     [](const Json& e) { return Text(e.At("operation")) == "Apply"; });
}

ApplyResult ServerSideApply(const Json& live, const Json& config, const FieldWriter& writer,
                            bool force, const SchemaPosition& root) {
  ApplyResult result;
  Json wanted = FieldsOf(config, root);
  if (live.is_null()) {
    result.object = config;
    result.object["metadata"].Erase("managedFields");
    PutEntries(result.object, Json::Arr({MakeEntry(writer, "Apply", wanted)}));
    return result;
  }
  Json entries = Meta(live).At("managedFields");
  if (!entries.is_array() || entries.size() == 0) {
    FieldWriter first = writer;
    first.manager = "before-first-apply";
    entries = Json::Arr({MakeEntry(first, "Update", FieldsOf(live, root))});
  }
  Json last, others = Json::Obj();
  Json kept = Json::Arr();
  for (Json& entry : entries.items()) {
    if (IsEntry(entry, writer, "Apply")) {
      last = entry.At("fieldsV1");
      continue;
    }
    Contest contest = FindContest(entry, live, config, wanted);
    if (!force)
      std::move(contest.conflicts.begin(), contest.conflicts.end(),
                std::back_inserter(result.conflicts));
    entry.Set("fieldsV1", SubtractFields(entry.At("fieldsV1"), contest.taken));
    others = UnionFields(others, entry.At("fieldsV1"));
    kept.Push(std::move(entry));
  }
  if (!result.conflicts.empty()) return result;
  result.object = live;
  Json stripped = config;
  if (Json* meta = stripped.Find("metadata")) {
    for (auto key : {"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"})
      meta->Erase(key);
  }
  Overlay(result.object, stripped, root);
  RemoveLeftOut(result.object, last, wanted, others);
  kept.Push(MakeEntry(writer, "Apply", std::move(wanted)));
  PutEntries(result.object, std::move(kept));
  return result;
}

void TrackUpdate(const Json& before, Json& after, const FieldWriter& writer,
                 const SchemaPosition& root) {
  auto [changed, removed] = before.is_null() ? std::pair(FieldsOf(after, root), Json::Obj())
                                             : ChangedFields(before, after, root);
  if (changed.size() == 0 && removed.size() == 0) return;
  Json entries = TakeEntries(after);
  Json touched = UnionFields(changed, removed);
  bool found = false;
  for (Json& entry : entries.items()) {
    if (IsEntry(entry, writer, "Update")) {
      found = true;
      Json own = UnionFields(SubtractFields(entry.At("fieldsV1"), removed), changed);
      entry = MakeEntry(writer, "Update", std::move(own));
    } else {
      entry.Set("fieldsV1", SubtractFields(entry.At("fieldsV1"), touched));
    }
  }
  if (!found && changed.size() > 0) entries.Push(MakeEntry(writer, "Update", std::move(changed)));
  PutEntries(after, std::move(entries));
}

}  // namespace rollguard::sim
