// SPDX-License-Identifier: Apache-2.0
// One kind of object kept in memory: list, then watch, for ever. Many readers share one informer.
//
// States: listing pages -> watching from the list's resourceVersion -> (closed, dropped) watching
// again from the last version seen -> (410 Gone) listing again; failures wait with jittered
// backoff. Several in a row, and what is held is `behind`: then a list comes first, because a watch
// would tell all that has happened since one after the other, as if it were the present. While a
// list runs after the first sync the old content stays readable; what the new list lacks is
// reported as deleted when it is complete.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/random.h"
#include "agent/ports/cluster.h"
#include "agent/ports/timers.h"

namespace rollguard::kube {

// Runs a function on the informer's owner thread, later, in order. In the simulation it may run it
// at once.
using Executor = std::function<void(std::function<void()>)>;

struct InformerOptions {
  ResourceType type;
  std::string ns;  // empty: all namespaces
  std::string label_selector;
  std::string field_selector;
  Projection projection;
  int64_t page = 500;
  Duration list_timeout = std::chrono::seconds(60);
  Duration watch_timeout = std::chrono::minutes(5);
  Duration min_backoff = std::chrono::milliseconds(500);
  // Who cannot see takes nothing back: short, though a server that is ailing is asked more often.
  Duration max_backoff = std::chrono::seconds(5);
  // Every so often each object is handed to the handlers again as unchanged; 0: never.
  Duration resync{0};
};

struct InformerHandler {
  // `before` is null when the object is new; on a resync both are the same version. The references
  // are valid during the call only.
  std::function<void(const Json& object, const Json* before)> upsert;
  std::function<void(const Json& last)> deleted;
  std::function<void()> synced;  // once, when the first list is complete
  // Something failed and will be tried again: for logs and the `blind` clock.
  std::function<void(const Error&)> trouble;
  // Ask for `before` in upserts; it costs unpacking the old object each time.
  bool wants_before = false;
};

struct InformerStats {
  bool synced = false;
  bool watching = false;
  bool behind = false;  // nothing was heard of the server for seconds, and no list has ended since
  size_t objects = 0;
  size_t bytes = 0;  // of the packed objects
  uint64_t lists = 0;
  uint64_t relists_gone = 0;
  uint64_t watches = 0;
  uint64_t events = 0;
  uint64_t failures = 0;
  std::string resource_version;
};

// Belongs to one thread, the one `executor` runs things on: every method must be called there, and
// handlers are called there. `cluster` and `timers` must outlive it. It may be destroyed at any
// time, but not from inside a handler.
class Informer {
 public:
  Informer(Cluster& cluster, Timers& timers, Random random, Executor executor,
           InformerOptions options);
  ~Informer();

  void Start();
  // Lists anew at once, whatever the watch says.
  void Relist();

  // Before or after Start. A handler that comes late gets an upsert for each object first (and
  // `synced` when that has been).
  using HandlerId = uint64_t;
  HandlerId AddHandler(InformerHandler handler);
  void RemoveHandler(HandlerId id);

  // From the cache. The object is unpacked for the caller: keep it while it is needed.
  bool Get(std::string_view ns, std::string_view name, Json* object) const;
  bool Has(std::string_view ns, std::string_view name) const;
  // The version held, or "": cheap.
  std::string_view ResourceVersion(std::string_view ns, std::string_view name) const;
  // Calls `visit` for the objects of a namespace (empty: all), in order of namespace and name.
  void ForEach(std::string_view ns, const std::function<void(const Json&)>& visit) const;

  const InformerStats& stats() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace rollguard::kube
