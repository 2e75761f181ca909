// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/leases.h"

#include "agent/kube/resources.h"

namespace rollguard::kube {
namespace {

ClusterRequest Base(Verb verb, const std::string& ns, const std::string& name) {
  ClusterRequest request;
  request.verb = verb;
  request.type = resources::Leases();
  request.ns = ns;
  request.name = name;
  return request;
}

Time ReadTime(const Json& value) {
  Expected<Time> time = ParseRfc3339(value.Str());
  return time.ok() ? *time : Time{};
}

bool LostRace(const Error& error) {
  return error.code == ErrorCode::kConflict || error.code == ErrorCode::kAlreadyExists;
}

using LeaseDone = std::function<void(Expected<Lease>)>;

void ReadLease(Cluster& cluster, const LeaseClaim& claim, LeaseDone done) {
  cluster.Call(Base(Verb::kGet, claim.ns, claim.name),
               [done = std::move(done)](Expected<Json> answer) {
                 if (answer.ok()) {
                   done(ParseLease(*answer));
                 } else {
                   done(answer.error());
                 }
               });
}

// Create when there is none, else replace guarded by the version read.
void WriteLease(Cluster& cluster, const LeaseClaim& claim, Lease lease, LeaseDone done) {
  bool exists = !lease.resource_version.empty();
  ClusterRequest request =
      Base(exists ? Verb::kReplace : Verb::kCreate, claim.ns, exists ? claim.name : "");
  request.body = FormatLease(lease);
  cluster.Call(std::move(request), [&cluster, claim, done](Expected<Json> answer) {
    if (answer.ok()) {
      done(ParseLease(*answer));
    } else if (LostRace(answer.error())) {
      ReadLease(cluster, claim, done);
    } else {
      done(answer.error());
    }
  });
}

Lease Claimed(Lease lease, const LeaseClaim& claim) {
  if (lease.holder != claim.holder) {
    lease.acquired = claim.now;
    // The first holder ever is no transition.
    if (!lease.resource_version.empty()) ++lease.transitions;
  }
  lease.ns = claim.ns;
  lease.name = claim.name;
  lease.holder = claim.holder;
  lease.duration = claim.duration;
  lease.renewed = claim.now;
  return lease;
}

}  // namespace

Lease ParseLease(const Json& object) {
  Lease lease;
  const Json& metadata = object.At("metadata");
  const Json& spec = object.At("spec");
  lease.ns = metadata.At("namespace").Str();
  lease.name = metadata.At("name").Str();
  lease.resource_version = metadata.At("resourceVersion").Str();
  lease.holder = spec.At("holderIdentity").Str();
  lease.duration = std::chrono::seconds(spec.At("leaseDurationSeconds").IntOr(0));
  lease.acquired = ReadTime(spec.At("acquireTime"));
  lease.renewed = ReadTime(spec.At("renewTime"));
  lease.transitions = spec.At("leaseTransitions").IntOr(0);
  return lease;
}

Json FormatLease(const Lease& lease) {
  auto seconds = std::chrono::ceil<std::chrono::seconds>(lease.duration).count();
  Json metadata = Json::Obj({{"name", lease.name}, {"namespace", lease.ns}});
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

void ClaimLease(Cluster& cluster, LeaseClaim claim, LeaseDone done) {
  ReadLease(cluster, claim, [&cluster, claim, done](Expected<Lease> read) {
    if (!read.ok() && read.error().code != ErrorCode::kNotFound) {
      done(read.error());
      return;
    }
    Lease lease = read.ok() ? std::move(*read) : Lease{};
    bool ours = lease.holder == claim.holder;
    if (read.ok() && !ours && !lease.Free(claim.now)) {
      done(std::move(lease));
      return;
    }
    WriteLease(cluster, claim, Claimed(std::move(lease), claim), done);
  });
}

void ReleaseLease(Cluster& cluster, LeaseClaim claim, std::function<void(Status)> done) {
  ReadLease(cluster, claim, [&cluster, claim, done](Expected<Lease> read) {
    if (!read.ok() || read->holder != claim.holder) {
      bool gone = read.ok() || read.error().code == ErrorCode::kNotFound;
      done(gone ? Status() : Status(read.error()));
      return;
    }
    Lease lease = std::move(*read);
    lease.holder.clear();
    lease.duration = std::chrono::seconds(1);
    lease.renewed = claim.now;
    WriteLease(cluster, claim, std::move(lease), [done](Expected<Lease> written) {
      done(written.ok() ? Status() : Status(written.error()));
    });
  });
}

}  // namespace rollguard::kube
