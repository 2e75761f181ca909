// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/support/route_tape.h"

#include "agent/base/text.h"

namespace rollguard::testing {
namespace {

// What people would look at: spec, and annotations that say something.
std::string Shown(const Json& object) {
  Json annotations = Json::Obj();
  for (const auto& [key, value] : object.At("metadata", "annotations").members()) {
    if (!key.starts_with("rollguard.dev/") && !key.starts_with("kubectl."))
      annotations.Set(key, value);
  }
  Json shown = Json::Obj({{"spec", object.At("spec")}});
  if (annotations.size() > 0) shown.Set("annotations", annotations);
  return shown.Canonical();
}

// The values behind "pod-template-hash", numbered.
std::string NumberHashes(std::string text) {
  constexpr std::string_view kKey = "\"pod-template-hash\":\"";
  std::vector<std::string> known;
  size_t at = 0;
  while ((at = text.find(kKey, at)) != std::string::npos) {
    at += kKey.size();
    const size_t end = text.find('"', at);
    const std::string hash = text.substr(at, end - at);
    size_t number = 0;
    while (number < known.size() && known[number] != hash) ++number;
    if (number == known.size()) known.push_back(hash);
    const std::string name = StrCat("<hash ", number + 1, ">");
    text.replace(at, hash.size(), name);
    at += name.size();
  }
  return text;
}

}  // namespace

RouteTape::RouteTape(BlockingCluster& cluster, const std::string& ns,
                     const std::vector<ResourceType>& types)
    : cluster_(cluster), ns_(ns) {
  for (const ResourceType& type : types) {
    ClusterRequest list;
    list.verb = Verb::kList;
    list.type = type;
    list.ns = ns;
    auto answer = cluster_.Call(list);
    if (!answer) continue;
    auto record = [seen = seen_](const Json& object) {
      const std::string key =
          StrCat(object.At("kind").Str(), "/", object.At("metadata", "name").Str());
      std::lock_guard lock(seen->mutex);
      auto& versions = seen->versions[key];
      std::string shown = Shown(object);
      if (versions.empty() || versions.back() != shown) versions.push_back(std::move(shown));
    };
    for (Json object : answer->At("items").items()) {
      object.Set("kind", type.kind);
      record(object);
    }
    WatchRequest watch;
    watch.type = type;
    watch.ns = ns;
    watch.resource_version = answer->At("metadata", "resourceVersion").Str();
    watch.timeout = std::chrono::minutes(20);
    watches_.push_back(cluster_.client().Watch(
        watch, {.event =
                    [record, seen = seen_](const WatchEvent& event) {
                      if (event.type == WatchEvent::Type::kBookmark) return;
                      if (event.type != WatchEvent::Type::kDeleted) return record(event.object);
                      const std::string key = StrCat(event.object.At("kind").Str(), "/",
                                                     event.object.At("metadata", "name").Str());
                      std::lock_guard lock(seen->mutex);
                      seen->versions[key].emplace_back("gone");
                    },
                .closed = [](Status) {}}));
  }
}

RouteTape::~RouteTape() {
  for (WatchId id : watches_) cluster_.client().CancelWatch(id);
}

std::string RouteTape::Text() const {
  std::lock_guard lock(seen_->mutex);
  std::string text;
  for (const auto& [key, versions] : seen_->versions) {
    for (const std::string& version : versions) text += StrCat(key, " ", version, "\n");
  }
  return ReplaceAll(NumberHashes(std::move(text)), ns_, "<ns>");
}

}  // namespace rollguard::testing
