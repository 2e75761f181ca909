// SPDX-License-Identifier: Apache-2.0
// What the conformance cases are written against: the port Cluster made synchronous, in a namespace
// of the case's own. The same cases run against a real API server, against the simulation in
// memory, and against the simulation over HTTP; the program that holds them says which.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/json.h"
#include "agent/ports/cluster.h"

namespace rollguard::conformance {

class Api {
 public:
  virtual ~Api() = default;
  virtual Cluster& cluster() = 0;
  // Lets time pass, real or virtual, until `done` holds (true) or `limit` is over (false).
  virtual bool Until(const std::function<bool()>& done, Duration limit) = 0;
  // Makes the server forget which changes led to the present state. False: it cannot be asked to.
  virtual bool ForgetHistory() = 0;
  // A bearer token that the server knows, and whose it is; empty when there is none.
  virtual std::string KnownToken() { return ""; }
  virtual std::string KnownUser() { return ""; }
};

// Defined by the program: the server that all its cases talk to.
Api& TheApi();

// One call, waited for.
Expected<Json> Call(ClusterRequest request);

// JSON with single quotes for double ones; fails the case when it is not JSON.
Json J(std::string_view text);

// A fresh namespace, deleted at the end of the case, and calls within it.
class Space {
 public:
  Space();
  ~Space();
  Space(const Space&) = delete;
  Space& operator=(const Space&) = delete;

  const std::string& name() const { return name_; }

  // A request to this namespace (or to cluster scope, as the type says) to be filled in further.
  ClusterRequest Request(Verb verb, const ResourceType& type, std::string name = {}) const;

  Expected<Json> Get(const ResourceType& type, const std::string& name) const;
  Expected<Json> List(const ResourceType& type, const std::string& labels = {}) const;
  Expected<Json> Create(const ResourceType& type, Json body) const;
  Expected<Json> Replace(const ResourceType& type, Json body, const std::string& sub = {}) const;
  Expected<Json> Patch(const ResourceType& type, const std::string& name, PatchKind kind,
                       Json patch, const std::string& sub = {}) const;
  Expected<Json> Apply(const ResourceType& type, Json body, const std::string& manager,
                       bool force = false) const;
  Expected<Json> Delete(const ResourceType& type, const std::string& name,
                        const std::string& propagation = {}) const;

  // The same, and the case fails with the error when it does not succeed.
  Json MustGet(const ResourceType& type, const std::string& name) const;
  Json MustCreate(const ResourceType& type, Json body) const;
  Json MustPatch(const ResourceType& type, const std::string& name, PatchKind kind, Json patch,
                 const std::string& sub = {}) const;
  std::vector<Json> Items(const ResourceType& type, const std::string& labels = {}) const;

  // Waits until the object is as `holds` wants it; false after a generous limit. An absent object
  // is asked about as null.
  bool Becomes(const ResourceType& type, const std::string& name,
               const std::function<bool(const Json&)>& holds) const;
  // The same for the number of objects of a kind under a label selector.
  bool CountBecomes(const ResourceType& type, const std::string& labels, size_t count) const;
  // Waits until the Deployment's controller has seen its newest generation and every replica is
  // updated and available.
  bool Settles(const std::string& deployment) const;
  // Waits a moment in which a wrong reaction would show.
  void Linger() const;

 private:
  std::string name_;
};

// Records one watch. Reading is safe while it runs.
class Recorder {
 public:
  explicit Recorder(WatchRequest request);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  struct Event {
    WatchEvent::Type type;
    Json object;
    // "ADDED name", "MODIFIED name", ...; "BOOKMARK".
    std::string Line() const;
  };
  std::vector<Event> Events() const;       // bookmarks left out
  std::vector<std::string> Lines() const;  // of Events()
  bool SawBookmark() const;
  // Set when the watch was closed: the error's code, or "ok".
  std::string Closed() const;

  bool WaitFor(size_t events) const;
  bool WaitClosed() const;

 private:
  struct State {
    mutable std::mutex mutex;
    std::vector<Event> events;
    bool bookmark = false;
    std::string closed;
  };
  std::shared_ptr<State> state_;
  WatchId id_;
};

// Where a version lies: the watch of a kind in the space from that version on.
WatchRequest WatchFrom(const Space& space, const ResourceType& type, std::string version);
std::string VersionOf(const Json& object_or_list);

// --- Objects ---

ResourceType Type(std::string_view group, std::string_view version, std::string_view plural,
                  std::string_view kind, bool namespaced = true);
inline ResourceType ConfigMaps() { return Type("", "v1", "configmaps", "ConfigMap"); }
inline ResourceType Secrets() { return Type("", "v1", "secrets", "Secret"); }
inline ResourceType Pods() { return Type("", "v1", "pods", "Pod"); }
inline ResourceType Nodes() { return Type("", "v1", "nodes", "Node", false); }
inline ResourceType Services() { return Type("", "v1", "services", "Service"); }
inline ResourceType Endpoints() { return Type("", "v1", "endpoints", "Endpoints"); }
inline ResourceType Namespaces() { return Type("", "v1", "namespaces", "Namespace", false); }
inline ResourceType Deployments() { return Type("apps", "v1", "deployments", "Deployment"); }
inline ResourceType ReplicaSets() { return Type("apps", "v1", "replicasets", "ReplicaSet"); }
inline ResourceType StatefulSets() { return Type("apps", "v1", "statefulsets", "StatefulSet"); }
inline ResourceType DaemonSets() { return Type("apps", "v1", "daemonsets", "DaemonSet"); }
inline ResourceType Jobs() { return Type("batch", "v1", "jobs", "Job"); }
inline ResourceType Leases() { return Type("coordination.k8s.io", "v1", "leases", "Lease"); }

Json ConfigMap(const std::string& name, const std::string& value = "1");
// Two replicas of `image` unless said otherwise, labels {app: name}.
Json Deployment(const std::string& name, const std::string& image = "shop:v1", int replicas = 2);
// What merge-patches a Deployment to another image.
Json ImagePatch(const std::string& image);

// "ok", or the name of the error's code: what most cases compare.
std::string Outcome(const Expected<Json>& result);

}  // namespace rollguard::conformance
