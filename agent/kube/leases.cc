// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/leases.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/kube/resources.h"

namespace rollguard::kube {
namespace {

// Urgent: behind a queue of our own writes it would run out while we are well.
ClusterRequest Base(Verb verb, const std::string& ns, const std::string& name) {
  ClusterRequest request;
  request.verb = verb;
  request.type = resources::Leases();
  request.ns = ns;
  request.name = name;
  request.urgent = true;
  return request;
}

Time ReadTime(const Json& value) {
  Expected<Time> time = ParseRfc3339(value.Str());
  return time.ok() ? *time : Time{};
}

}  // namespace

Lease ParseLease(const Json& object) {
  Lease lease;
  const Json& metadata = object.At("metadata");
  const Json& spec = object.At("spec");
  lease.ns = metadata.At("namespace").Str();
  lease.name = metadata.At("name").Str();
  lease.resource_version = metadata.At("resourceVersion").Str();
  lease.about = metadata.At("labels").At(kLeaseLabel).Str();
  if (auto shards = ParseInt(metadata.At("labels").At(kShardsLabel).Str())) lease.shards = *shards;
  lease.holder = spec.At("holderIdentity").Str();
  lease.duration = std::chrono::seconds(
      std::clamp<int64_t>(spec.At("leaseDurationSeconds").IntOr(0), 0, INT32_MAX));
  lease.acquired = ReadTime(spec.At("acquireTime"));
  lease.renewed = ReadTime(spec.At("renewTime"));
  lease.transitions = spec.At("leaseTransitions").IntOr(0);
  return lease;
}

Json FormatLease(const Lease& lease) {
  auto seconds = std::chrono::ceil<std::chrono::seconds>(lease.duration).count();
  Json metadata = Json::Obj({{"name", lease.name}, {"namespace", lease.ns}});
  Json labels = Json::Obj();
  if (!lease.about.empty()) labels.Set(kLeaseLabel, lease.about);
  if (lease.shards > 0) labels.Set(kShardsLabel, StrCat(lease.shards));
  if (labels.size() > 0) metadata.Set("labels", std::move(labels));
  if (!lease.resource_version.empty()) metadata.Set("resourceVersion", lease.resource_version);
  return Json::Obj({{"apiVersion", "coordination.k8s.io/v1"},
                    {"kind", "Lease"},
                    {"metadata", std::move(metadata)},
                    {"spec", Json::Obj({{"holderIdentity", lease.holder},
                                        {"leaseDurationSeconds", static_cast<int64_t>(seconds)},
                                        {"acquireTime", FormatMicroTime(lease.acquired)},
                                        {"renewTime", FormatMicroTime(lease.renewed)},
                                        {"leaseTransitions", lease.transitions}})}});
}

void ReadLease(Cluster& cluster, const std::string& ns, const std::string& name,
               std::function<void(Expected<Lease>)> done) {
  cluster.Call(Base(Verb::kGet, ns, name), [done = std::move(done)](Expected<Json> answer) {
    if (answer) {
      done(ParseLease(*answer));
    } else {
      done(answer.error());
    }
  });
}

void WriteLease(Cluster& cluster, const Lease& lease, std::function<void(Expected<Lease>)> done) {
  const bool exists = !lease.resource_version.empty();
  ClusterRequest request =
      Base(exists ? Verb::kReplace : Verb::kCreate, lease.ns, exists ? lease.name : "");
  request.body = FormatLease(lease);
  request.timeout = lease.duration;  // later than that the answer says nothing
  cluster.Call(std::move(request), [done = std::move(done)](Expected<Json> answer) {
    if (answer) {
      done(ParseLease(*answer));
    } else {
      done(answer.error());
    }
  });
}

void DeleteLease(Cluster& cluster, const Lease& lease, std::function<void(Status)> done) {
  ClusterRequest request = Base(Verb::kDelete, lease.ns, lease.name);
  request.precondition_version = lease.resource_version;
  cluster.Call(std::move(request), [done = std::move(done)](Expected<Json> answer) {
    done(answer ? Status() : Status(answer.error()));
  });
}

}  // namespace rollguard::kube
