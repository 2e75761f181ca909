// SPDX-License-Identifier: Apache-2.0
// The Kubernetes API as the agent needs it: calls and watches on JSON objects. Implemented by
// agent/kube over HTTPS and by agent/sim in memory; the conformance suite holds both to one
// behaviour.
//
// Nothing here blocks. A callback runs exactly once, on the implementation's own loop (or, in the
// simulation, from the virtual scheduler); it must be short and must not call back into Cancel for
// itself. The agent's controller posts what it gets to its own queue.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/expected.h"
#include "agent/base/json.h"
#include "agent/base/time.h"

namespace rollguard {

// One kind of object and where it is served.
struct ResourceType {
  std::string group;    // "" for the core group
  std::string version;  // "v1"
  std::string plural;   // "deployments"
  std::string kind;     // "Deployment"
  bool namespaced = true;

  std::string ApiVersion() const { return group.empty() ? version : group + "/" + version; }
  friend bool operator==(const ResourceType&, const ResourceType&) = default;
  friend auto operator<=>(const ResourceType&, const ResourceType&) = default;
};

// What to keep of an object while it is read: everything but the paths named here. Applied by the
// implementation during decoding, so that what is dropped never costs memory.
struct Projection {
  // Dotted paths from the object's root, e.g. "metadata.managedFields".
  std::vector<std::string> drop = {"metadata.managedFields"};
};

enum class Verb { kGet, kList, kCreate, kReplace, kPatch, kDelete };
enum class PatchKind { kJson, kMerge, kStrategic, kApply };

struct ClusterRequest {
  Verb verb = Verb::kGet;
  ResourceType type;
  std::string ns;  // empty: cluster scope, or all namespaces for a list
  std::string name;
  std::string subresource;  // "status", "scale", ...
  Json body;                // create, replace, patch; DeleteOptions are built from the fields below
  PatchKind patch = PatchKind::kMerge;

  std::string label_selector;
  std::string field_selector;
  std::string resource_version;
  int64_t limit = 0;           // list: page size, 0 for one answer
  std::string continue_token;  // list: from the last page's metadata.continue
  std::string field_manager;   // empty: "rollguard"
  bool force = false;          // server-side apply
  bool dry_run = false;
  std::string propagation;           // delete: "Foreground", "Background", "Orphan"
  std::string precondition_uid;      // delete
  std::string precondition_version;  // delete
  Duration timeout = std::chrono::seconds(15);
  // Takes a bad revision back, or says who decides: waits for no limit of our own, and its answer
  // for nothing else.
  bool urgent = false;
  std::shared_ptr<const Projection> projection;  // null: keep everything
};

// The object, the list (with "items"), or a Status-derived Error whose message says verb, object
// and status, and whose code tells conflict, not found, gone, throttled, ... apart.
using ClusterDone = std::function<void(Expected<Json>)>;

struct WatchRequest {
  ResourceType type;
  std::string ns;  // empty: all namespaces
  std::string label_selector;
  std::string field_selector;
  std::string resource_version;  // start after this
  bool bookmarks = true;
  Duration timeout = std::chrono::minutes(5);
  std::shared_ptr<const Projection> projection;
};

struct WatchEvent {
  enum class Type { kAdded, kModified, kDeleted, kBookmark };
  Type type = Type::kAdded;
  Json object;
};

// Callbacks of one watch. `closed` comes once and last: an ok Status when the server ended it
// normally, kGone when the version was compacted (list again), or another error.
struct WatchHandler {
  std::function<void(WatchEvent)> event;
  std::function<void(Status)> closed;
};

using WatchId = uint64_t;

class Cluster {
 public:
  virtual ~Cluster() = default;
  virtual void Call(ClusterRequest request, ClusterDone done) = 0;
  virtual WatchId Watch(WatchRequest request, WatchHandler handler) = 0;
  // After this returns no callback of the watch runs any more, `closed` included.
  virtual void CancelWatch(WatchId id) = 0;
};

}  // namespace rollguard
