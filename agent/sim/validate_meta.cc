// SPDX-License-Identifier: Apache-2.0
// What is checked on objects of every kind, and on kinds that the agent itself writes: metadata,
// leases, and fields whose type the real server's decoder insists on.
#include <algorithm>
#include <array>

#include "agent/base/text.h"
#include "agent/base/time.h"
#include "agent/sim/object.h"
#include "agent/sim/validate.h"

namespace rollguard::sim {
namespace {

using Problems = std::vector<FieldProblem>;

bool Contains(const Json& list, const Json& wanted) {
  const auto& items = list.items();
  return std::find(items.begin(), items.end(), wanted) != items.end();
}

// An object that is being deleted takes no new finalizer.
void CheckFinalizers(const Json& before, const Json& object, Problems& problems) {
  if (before.is_null() || Text(Meta(before).At("deletionTimestamp")).empty()) return;
  for (const Json& item : Meta(object).At("finalizers").items()) {
    if (Contains(Meta(before).At("finalizers"), item)) continue;
    problems.push_back(
        ForbiddenField("metadata.finalizers",
                       StrCat("no new finalizers can be added if the object is being deleted, "
                              "found new finalizer ",
                              Quote(Text(item)))));
  }
}

void CheckOwners(const Json& object, Problems& problems) {
  const Json& owners = Meta(object).At("ownerReferences");
  int controllers = 0;
  for (size_t i = 0; i < owners.size(); ++i) {
    const Json& owner = owners.At(i);
    for (auto key : {"apiVersion", "kind", "name", "uid"}) {
      if (Text(owner.At(key)).empty())
        problems.push_back(RequiredField(StrCat("metadata.ownerReferences[", i, "].", key)));
    }
    if (owner.At("controller").BoolOr(false)) ++controllers;
  }
  if (controllers > 1) {
    problems.push_back(InvalidField("metadata.ownerReferences", owners,
                                    "Only one reference can have Controller set to true"));
  }
}

void CheckLease(const Json& spec, Problems& problems) {
  for (auto key : {"renewTime", "acquireTime"}) {
    const Json& value = spec.At(key);
    if (!value.is_null() && !ParseRfc3339(Text(value)).ok())
      problems.push_back(InvalidField(StrCat("spec.", key), value, "must be an RFC 3339 time"));
  }
  const Json& duration = spec.At("leaseDurationSeconds");
  if (!duration.is_null() && duration.IntOr(0) <= 0)
    problems.push_back(
        InvalidField("spec.leaseDurationSeconds", duration, "must be greater than 0"));
}

// The numbers of workloads' specs; the real server fails to decode anything else.
void CheckNumbers(const Json& spec, Problems& problems) {
  static constexpr std::array<std::string_view, 8> kIntegers = {
      "replicas",    "minReadySeconds", "revisionHistoryLimit",  "progressDeadlineSeconds",
      "parallelism", "completions",     "activeDeadlineSeconds", "backoffLimit"};
  for (std::string_view key : kIntegers) {
    const Json& value = spec.At(key);
    if (!value.is_null() && !value.is_int())
      problems.push_back(InvalidField(StrCat("spec.", key), value, "must be an integer"));
  }
}

}  // namespace

void ValidateMeta(const TypeInfo& info, const Json& before, const Json& object,
                  Problems& problems) {
  CheckFinalizers(before, object, problems);
  CheckOwners(object, problems);
  if (info.custom) return;
  if (info.type.kind == "Lease") CheckLease(object.At("spec"), problems);
  if (info.type.group == "apps" || info.type.group == "batch")
    CheckNumbers(object.At("spec"), problems);
}

}  // namespace rollguard::sim
