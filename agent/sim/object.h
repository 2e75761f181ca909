// SPDX-License-Identifier: Apache-2.0
// Reading Kubernetes objects held as Json: metadata, owners, selectors, replicas, readiness.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/json.h"
#include "agent/base/time.h"

namespace rollguard::sim {

// An object as it stands at one resourceVersion. Never changed once shared.
using ObjectPtr = std::shared_ptr<const Json>;

// The text of a string, "" for anything else; points into `value`.
std::string_view Text(const Json& value);

const Json& Meta(const Json& object);
std::string_view NameOf(const Json& object);
std::string_view NamespaceOf(const Json& object);
std::string_view UidOf(const Json& object);
uint64_t VersionOf(const Json& object);  // metadata.resourceVersion as a number, 0 when absent
std::string_view LabelOf(const Json& object, std::string_view key);
std::string_view AnnotationOf(const Json& object, std::string_view key);
bool IsTerminating(const Json& object);

// The ownerReference with controller: true, or a null value.
const Json& ControllerOf(const Json& object);
bool IsControlledBy(const Json& object, std::string_view uid);
// One ownerReference with controller and blockOwnerDeletion set.
Json ControllerRef(const Json& owner);

// The object's condition of that type, or a null value.
const Json& ConditionOf(const Json& object, std::string_view type);
// "True" status of that condition.
bool ConditionIsTrue(const Json& object, std::string_view type);
// Sets a condition; lastTransitionTime moves only when the status changes. True when anything did.
bool SetCondition(Json& status, std::string_view type, std::string_view value,
                  std::string_view reason, std::string_view message, Time now,
                  bool with_update_time = false);

bool PodIsReady(const Json& pod);
// Ready for at least `min_ready` at `now`.
bool PodIsAvailable(const Json& pod, Duration min_ready, Time now);

// "25%" or 3 of `total`; percentages round as asked.
int64_t ResolveIntOrPercent(const Json& value, int64_t total, bool round_up, int64_t fallback);

// Ten letters or fewer naming a pod template (the pod-template-hash label left out), alphabet as in
// Kubernetes ("bcdfghjklmnpqrstvwxz2456789"). `collisions` is the owner's status.collisionCount.
std::string TemplateHash(const Json& pod_template, int64_t collisions);
// Equality of pod templates, the pod-template-hash label left out.
bool SameTemplate(const Json& a, const Json& b);

}  // namespace rollguard::sim
