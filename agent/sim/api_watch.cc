// SPDX-License-Identifier: Apache-2.0
// Watches: replay of history, then each commit as it happens. An object that leaves a selector is
// DELETED to that watch, one that enters it is ADDED.
#include "agent/base/text.h"
#include "agent/sim/api_server.h"
#include "agent/sim/selector.h"

namespace rollguard::sim {

struct WatchFilter {
  LabelSelector labels;
  FieldSelector fields;

  bool Matches(const ObjectPtr& object) const {
    return object && labels.Matches(Meta(*object).At("labels")) && fields.Matches(*object);
  }
  bool all() const { return labels.empty() && fields.empty(); }
};

namespace {

struct Seen {
  WatchEvent::Type type;
  ObjectPtr object;
};

// What a watch with this filter is told of a change; nothing when the object was and is outside.
std::optional<Seen> See(const Change& change, const WatchFilter& filter) {
  bool was = filter.Matches(change.before);
  bool is = filter.Matches(change.after);
  if (is) return Seen{was ? WatchEvent::Type::kModified : WatchEvent::Type::kAdded, change.after};
  if (!was) return std::nullopt;
  if (!change.after) return Seen{WatchEvent::Type::kDeleted, change.last};
  Json last = *change.before;
  last["metadata"].Set("resourceVersion", std::to_string(change.version));
  return Seen{WatchEvent::Type::kDeleted, std::make_shared<const Json>(std::move(last))};
}

ObjectPtr Bookmark(const ResourceType& type, uint64_t version) {
  return std::make_shared<const Json>(
      Json::Obj({{"kind", type.kind},
                 {"apiVersion", type.ApiVersion()},
                 {"metadata", Json::Obj({{"resourceVersion", std::to_string(version)}})}}));
}

}  // namespace

Expected<WatchId> ApiServer::OpenWatch(const WatchRequest& request, WatchSink sink) {
  const TypeInfo* info = types_.Find(request.type.group, request.type.plural);
  if (info == nullptr || !info->Serves(request.type.version)) {
    return Error(ErrorCode::kNotFound,
                 StrCat("watch ", request.type.plural,
                        ": the server could not find the requested resource"));
  }
  auto filter = std::make_shared<WatchFilter>();
  auto labels = LabelSelector::Parse(request.label_selector);
  if (!labels) return labels.error();
  auto fields = FieldSelector::Parse(request.field_selector);
  if (!fields) return fields.error();
  if (std::string path = fields->Unsupported(info->type, info->custom); !path.empty()) {
    return Error(ErrorCode::kInvalid,
                 StrCat("watch ", request.type.plural, ": field label not supported: ", path));
  }
  *filter = {std::move(*labels), std::move(*fields)};
  bool from_now = request.resource_version.empty() || request.resource_version == "0";
  auto since = from_now ? std::optional<int64_t>(0) : ParseInt(request.resource_version);
  if (!since || *since < 0) {
    return Error(ErrorCode::kInvalid,
                 StrCat("watch ", request.type.plural, ": invalid resource version ",
                        Quote(request.resource_version)));
  }
  auto version = static_cast<uint64_t>(*since);
  if (!from_now && version < store_.compacted()) {
    return Error(ErrorCode::kGone,
                 StrCat("watch ", request.type.plural, ": too old resource version: ", version,
                        " (", store_.compacted(), ")"));
  }
  std::string ns = info->type.namespaced ? request.ns : "";
  WatchId id = next_watch_++;
  watchers_[id] = {id,
                   info->id,
                   request.type.version,
                   ns,
                   request.label_selector,
                   request.field_selector,
                   filter,
                   request.bookmarks,
                   sink};
  if (from_now) {
    for (const ObjectPtr& object : store_.List(info->id, ns)) {
      if (filter->Matches(object))
        sink(WatchEvent::Type::kAdded, InVersion(*info, request.type.version, object));
    }
    return id;
  }
  const auto& history = store_.history();
  for (size_t i = 0; i < history.size(); ++i) {
    const Change& change = history[i];
    if (change.version <= version || change.key.type != info->id ||
        (!ns.empty() && change.key.ns != ns))
      continue;
    if (auto seen = See(change, *filter))
      sink(seen->type, InVersion(*info, request.type.version, seen->object));
  }
  return id;
}

void ApiServer::CloseWatch(WatchId id) { watchers_.erase(id); }

void ApiServer::Deliver(const Change& change) {
  for (auto it = watchers_.begin(); it != watchers_.end();) {
    const Watcher& watcher = (it++)->second;  // a sink may close its own watch
    if (watcher.type != change.key.type || (!watcher.ns.empty() && watcher.ns != change.key.ns))
      continue;
    auto seen = See(change, *watcher.filter);
    if (!seen) continue;
    WatchSink sink = watcher.sink;
    sink(seen->type, InVersion(*types_.Get(change.key.type), watcher.version, seen->object));
  }
}

void ApiServer::SendBookmarks() {
  for (auto it = watchers_.begin(); it != watchers_.end();) SendBookmark((it++)->first);
}

void ApiServer::SendBookmark(WatchId id) {
  const auto it = watchers_.find(id);
  if (it == watchers_.end() || !it->second.bookmarks) return;
  const WatchSink sink = it->second.sink;  // it may close its own watch
  ResourceType type = types_.Get(it->second.type)->type;
  type.version = it->second.version;
  sink(WatchEvent::Type::kBookmark, Bookmark(type, store_.version()));
}

}  // namespace rollguard::sim
