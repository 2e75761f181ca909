// SPDX-License-Identifier: Apache-2.0
// The simulated API server: Kubernetes' rules for objects, answered at once and in memory.
// resourceVersions and conflicts, generateName, defaults and validation of what matters, the four
// patch kinds, subresources, paging, watches, finalizers and graceful deletion, dry-run, CRDs.
// No latency and no faults here: SimCluster adds those. Single-threaded.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/random.h"
#include "agent/ports/cluster.h"
#include "agent/sim/object.h"
#include "agent/sim/scheduler.h"
#include "agent/sim/store.h"
#include "agent/sim/type_registry.h"

namespace rollguard::sim {

// What the server would say in a Status object with `status: Failure`.
struct ApiFailure {
  int code = 500;
  std::string reason;  // "NotFound", "Conflict", "Invalid", ...
  std::string message;
  Json details;  // {name, group, kind, causes, retryAfterSeconds}

  Json ToStatus() const;
  // The Error a client makes of it: code by status, message with verb and object in front.
  Error ToError(const ClusterRequest& request) const;
};

// A value, or the failure.
struct ApiReply {
  ObjectPtr object;  // null exactly when `failure` is set
  std::optional<ApiFailure> failure;
  bool created = false;  // HTTP 201

  bool ok() const { return !failure.has_value(); }
};

struct ApiUser {
  std::string name;
  std::vector<std::string> groups;
};

struct ApiOptions {
  uint64_t seed = 1;
  std::map<std::string, ApiUser> users = {};  // by bearer token: what TokenReview answers
  // SubjectAccessReview: user and resourceAttributes; null: everything is allowed.
  std::function<bool(const std::string& user, const Json& attributes)> allow = {};
  // Who owns which field, for every writer; false: tracked only on objects that were applied
  // server-side (cheaper; conflicts with appliers are still found).
  bool track_all_fields = false;
  size_t history = 20'000;  // changes kept for watches and pages; older versions are Gone
  // A finalizer-like veto and mutation point before a write is committed: tests and the scenario
  // hang admission errors here. Returning a failure refuses the write.
  std::function<std::optional<ApiFailure>(const ClusterRequest&, const Json* before, Json& after)>
      admission = {};
};

// Called for each event of a watch, in order and synchronously with the commit. The object is a
// snapshot; for bookmarks it holds only metadata.resourceVersion.
using WatchSink = std::function<void(WatchEvent::Type, const ObjectPtr&)>;

class ApiServer {
 public:
  ApiServer(Scheduler& scheduler, ApiOptions options = {});

  TypeRegistry& types() { return types_; }
  Store& store() { return store_; }
  Scheduler& scheduler() { return scheduler_; }
  Random& random() { return random_; }

  // Answers one request completely. Never throws, whatever the body is.
  ApiReply Serve(const ClusterRequest& request);
  // The same for tests and scenarios, with the failure as an Error.
  Expected<Json> Call(const ClusterRequest& request);

  // Opens a watch; events that history holds after `resource_version` are replayed at once ("" and
  // "0": the present objects as ADDED). Fails with 410 when the version was compacted.
  Expected<WatchId> OpenWatch(const WatchRequest& request, WatchSink sink);
  void CloseWatch(WatchId id);
  // A bookmark with the current version to every watch that asked for them.
  void SendBookmarks();
  void SendBookmark(WatchId id);  // to this one, if it asked for them
  // Forgets history: watches and page tokens from before now become 410 Gone.
  void Compact() { store_.Compact(store_.version()); }

  // --- What controllers use: no validation, no field tracking, no copies but the one written. ---
  ObjectPtr Get(std::string_view group, std::string_view plural, std::string_view ns,
                std::string_view name) const;
  std::vector<ObjectPtr> List(std::string_view group, std::string_view plural,
                              std::string_view ns = {}) const;
  // The objects of a kind that `owner_uid` controls.
  std::vector<ObjectPtr> Controlled(std::string_view owner_uid, int type) const;
  // Copies, lets `change` edit, commits when something differs. Null when the object is gone.
  ObjectPtr Update(const ObjectKey& key, const std::function<void(Json&)>& change);
  ObjectPtr Create(int type, Json object);  // null when the name is taken
  void Delete(const ObjectKey& key);        // background; pods gracefully
  // The kubelet's last word: the object goes now, unless a finalizer holds it.
  void Purge(const ObjectKey& key);
  int TypeId(std::string_view group, std::string_view plural) const;
  static ObjectKey KeyOf(int type, const Json& object);

  // Loads objects (create, or replace when present) as an operator would; every problem is named.
  Status Load(const Json& object_or_list);

 private:
  friend class ApiWriter;
  struct Watcher {
    WatchId id;
    int type;
    std::string version;
    std::string ns;
    std::string label_text, field_text;
    std::shared_ptr<const struct WatchFilter> filter;
    bool bookmarks;
    WatchSink sink;
  };
  void Deliver(const Change& change);
  ObjectPtr InVersion(const TypeInfo& info, const std::string& version, ObjectPtr object) const;
  ApiReply ServeGet(const TypeInfo& info, const ClusterRequest& request);
  ApiReply ServeList(const TypeInfo& info, const ClusterRequest& request);
  ApiReply ServeDelete(const TypeInfo& info, const ClusterRequest& request);
  ObjectPtr CommitUpdate(const ObjectKey& key, const ObjectPtr& before, Json after);
  void OnCrdChange(const Change& change);

  Scheduler& scheduler_;
  ApiOptions options_;
  Random random_;
  TypeRegistry types_;
  Store store_;
  WatchId next_watch_ = 1;
  std::map<WatchId, Watcher> watchers_;
};

// Type descriptions of the kinds everybody needs.
ResourceType DeploymentType();
ResourceType ReplicaSetType();
ResourceType StatefulSetType();
ResourceType DaemonSetType();
ResourceType ControllerRevisionType();
ResourceType PodType();
ResourceType ServiceType();
ResourceType EndpointsType();
ResourceType EndpointSliceType();
ResourceType ConfigMapType();
ResourceType SecretType();
ResourceType EventType();
ResourceType NamespaceType();
ResourceType NodeType();
ResourceType JobType();
ResourceType HpaType();
ResourceType LeaseType();
ResourceType CrdType();

}  // namespace rollguard::sim
