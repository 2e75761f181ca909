// SPDX-License-Identifier: Apache-2.0
#include "agent/app/environments.h"

#include "agent/base/text.h"
#include "agent/kube/resources.h"

namespace rollguard::app {
namespace {

// Nobody has asked for so long: no more reading.
constexpr Duration kForgotten = std::chrono::minutes(2);

}  // namespace

struct ClusterEnvironments::Entry {
  std::string context;
  std::string ns;
  std::string name;
  Cluster* cluster = nullptr;
  Reading reading;
  Time asked;  // by somebody who wants to know
  bool under_way = false;
  TimerId timer = 0;
};

ClusterEnvironments::ClusterEnvironments(Timers& timers, const Clock& clock, Duration interval)
    : timers_(timers), clock_(clock), interval_(interval) {}

ClusterEnvironments::~ClusterEnvironments() {
  for (auto& [key, entry] : entries_) {
    if (entry->timer != 0) timers_.CancelTimer(entry->timer);
  }
}

void ClusterEnvironments::Add(const std::string& context, Cluster* cluster) {
  clusters_[context] = cluster;
}

Environments::Reading ClusterEnvironments::Read(const std::string& context, const std::string& ns,
                                                const std::string& name) {
  auto cluster = clusters_.find(context);
  if (cluster == clusters_.end()) {
    return {Json(), StrCat("there is no cluster ", Quote(context),
                           " under otherClusters of the agent's configuration")};
  }
  EntryPtr& entry = entries_[StrCat(context, "/", ns, "/", name)];
  if (entry == nullptr) {
    entry = std::make_shared<Entry>();
    entry->context = context;
    entry->ns = ns;
    entry->name = name;
    entry->cluster = cluster->second;
    entry->reading.trouble = StrCat("the cluster ", context, " is being asked");
  }
  entry->asked = clock_.Now();
  if (!entry->under_way && entry->timer == 0) Ask(entry);
  return entry->reading;
}

void ClusterEnvironments::Ask(const EntryPtr& entry) {
  entry->under_way = true;
  ClusterRequest request;
  request.verb = Verb::kGet;
  request.type = kube::resources::Guards();
  request.ns = entry->ns;
  request.name = entry->name;
  entry->cluster->Call(std::move(request),
                       [this, weak = std::weak_ptr(entry)](Expected<Json> object) {
                         if (EntryPtr held = weak.lock()) Hear(*held, std::move(object));
                       });
}

void ClusterEnvironments::Hear(Entry& entry, Expected<Json> object) {
  entry.under_way = false;
  Reading heard;
  if (object) {
    heard.status = object->At("status");
  } else if (object.error().code == ErrorCode::kNotFound) {
    heard.trouble =
        StrCat("there is no guard ", entry.ns, "/", entry.name, " in the cluster ", entry.context);
  } else {
    heard = {entry.reading.status,
             StrCat("the cluster ", entry.context, " cannot be asked: ", object.error().message)};
  }
  const bool news =
      heard.trouble != entry.reading.trouble || !(heard.status == entry.reading.status);
  entry.reading = std::move(heard);
  const std::string key = StrCat(entry.context, "/", entry.ns, "/", entry.name);
  entry.timer = timers_.After(interval_, [this, key] {
    auto found = entries_.find(key);
    if (found == entries_.end()) return;
    found->second->timer = 0;
    if (clock_.Now() - found->second->asked > kForgotten) {
      entries_.erase(found);
    } else {
      Ask(found->second);
    }
  });
  if (news && changed_) changed_();
}

}  // namespace rollguard::app
