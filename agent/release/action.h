// SPDX-License-Identifier: Apache-2.0
// What Step wants done: plain structs with absolute targets, in order. The executor carries them
// out one after another, stops at the first failure, observes again and calls Step anew. Every
// action may therefore come twice and must be harmless then: creating what exists, deleting what is
// gone and starting what runs count as done.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/base/json.h"
#include "agent/release/decision.h"
#include "agent/routing/routing.h"
#include "agent/spec/strategy_kinds.h"

namespace rollguard::release {

using routing::ObjectId;

// A change with a precondition: the patch itself carries the resourceVersion, a conflict means
// "observe again". `weight`: the candidate's share after it, for routes.
struct PatchObject {
  enum class Kind { kJson, kMerge };
  ObjectId object;
  Kind kind = Kind::kJson;
  Json patch;
  std::string why;
  std::optional<int64_t> weight;
  std::string subresource;
  // Of the way back that was staged: tests what it replaces instead of pinning a resourceVersion,
  // and may find its work done. A failure does not keep what follows from being tried.
  bool staged = false;
};
struct CreateObject {
  ObjectId object;
  Json body;
  std::string why;
};
struct DeleteObject {
  ObjectId object;
  std::string uid;  // precondition; empty: none
  std::string why;
};
// spec.replicas of a workload. Preconditions as seen when it was decided: a workload that was
// replaced, or scaled by somebody else meanwhile, is looked at again first.
struct ScaleTo {
  ObjectId object;
  int64_t replicas = 0;
  std::string why;
  std::string uid;
  std::string resource_version;
};
// Read anew from the server: what is decided next must not rest on a watch that lags. Afterwards
// the observation says so by `purpose` (see ConfigsView).
struct ReadObjects {
  std::vector<ObjectId> objects;
  std::string purpose;
};
struct StartAnalysis {
  std::string run;
  spec::AnalysisRef analysis;
  std::string purpose;         // "step 3", "background", "prePromotion"
  bool background = false;     // runs until stopped
  std::string stable_hash;     // podTemplateHashValue: Stable
  std::string candidate_hash;  // podTemplateHashValue: Latest
};
struct StopAnalysis {
  std::string run;
};
struct AskGate {
  std::string key;
  spec::WebhookGate gate;
};
// Goes out after what stands before it succeeded. Events: see spec::NotificationEvents().
struct Notify {
  std::string event;
  spec::RuleSeverity severity = spec::RuleSeverity::kLow;
  std::string text;
  std::string decision;  // id
};
// Append to the history before the cluster changes that follow.
struct RecordDecision {
  Decision decision;
};

using Action = std::variant<RecordDecision, PatchObject, CreateObject, DeleteObject, ScaleTo,
                            ReadObjects, StartAnalysis, StopAnalysis, AskGate, Notify>;

// True for actions that change the cluster.
bool ChangesCluster(const Action& action);
// The merge patch of a ScaleTo, preconditions included.
Json ScalePatch(const ScaleTo& action);
// One line for people: "patch VirtualService shop/checkout (weight 20)".
std::string Describe(const Action& action);
Json ToJson(const Action& action);

}  // namespace rollguard::release
