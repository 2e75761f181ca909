// SPDX-License-Identifier: Apache-2.0
// The Guard: what is watched, how it is released, what takes it back. A value as loaded and
// checked; references to policies and named strategies are followed by Resolve() (load.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/spec/health.h"
#include "agent/spec/strategy_kinds.h"
#include "agent/spec/values.h"

namespace rollguard::spec {

inline constexpr std::string_view kApiVersion = "rollguard.dev/v1alpha1";
inline constexpr std::string_view kGroup = "rollguard.dev";

struct Metadata {
  std::string name;
  std::string ns;
  StringMap labels;
  StringMap annotations;
  std::string uid;               // from the API only
  std::string resource_version;  // from the API only
  int64_t generation = 0;        // from the API only
};

struct Target {
  std::string api_version = "apps/v1";
  std::string kind = "Deployment";
  std::string name;
};

enum class Mode { kEnforce, kObserve };

// Rule groups by name, or by labels of the group.
struct RuleRef {
  std::string name;
  Selector selector;
  SourceSpan span;
};

struct AlertTrigger {
  std::vector<Matcher> matchers;
  TriggerAction action = TriggerAction::kRollback;
  RuleSeverity severity = RuleSeverity::kCritical;
  SourceSpan span;
};

// Defaults are the product's; a policy overrides them, the guard overrides the policy. Fields that
// were not written anywhere are absent until Resolve().
struct RollbackSpec {
  enum class OnTrigger { kImmediate, kGradual, kApproval };
  struct Gradual {
    int64_t step = 20;  // percent of weight per interval
    Duration interval = std::chrono::seconds(30);
  };
  std::vector<RuleRef> rules;
  std::vector<AlertTrigger> alerts;
  OnTrigger on_trigger = OnTrigger::kImmediate;
  Gradual gradual;
  Approval approval;
  int64_t max_per_hour = 3;
  Duration cooldown = std::chrono::minutes(10);
  Duration verify_for = std::chrono::minutes(5);
  Duration quarantine_for{0};  // 0: until someone says `retry`
};

struct Confidence {
  double threshold = 0.7;
  int64_t consecutive = 2;
  double health = 0.4;
  double trend = 0.3;
  double severity = 0.3;  // the three are normalised to sum to 1
};

struct Blind {
  enum class Then { kHold, kPause, kRollback };
  Duration after = std::chrono::minutes(2);
  Then then = Then::kHold;
  double min_coverage = 0.5;  // share of the track's pods that must be scraped
};

// A revision that was stable not long ago is taken back without steps.
struct RollbackWindow {
  int64_t revisions = 0;  // 0: off
  Duration within{0};     // 0: any age
};

struct NotificationRef {
  std::string channel;              // of the agent's configuration
  std::vector<std::string> events;  // empty: every terminal outcome
};

struct Hooks {
  std::vector<Hook> pre_release;
  std::vector<Hook> post_promote;
  std::vector<Hook> rollback;
  std::vector<Hook> verify;
};

// ConfigMaps and Secrets the pod template uses.
struct ConfigsSpec {
  bool restore = true;               // with the revision
  bool reconcile = false;            // put drift back while nothing is released
  std::vector<std::string> exclude;  // names
};

struct Artifacts {
  bool require_digest = false;
  std::vector<std::string> public_keys;  // PEM
  std::string annotation = "rollguard.dev/signature";
};

struct PromotionAfter {
  ObjectRef guard;
  Duration bake{0};
  std::string context;  // another cluster, by kubeconfig context
};

struct Concurrency {
  enum class Policy { kQueue, kSupersede, kReject };
  std::string key;
  Policy policy = Policy::kQueue;
};

struct Freeze {
  std::string cron;  // five fields
  Duration duration{0};
  std::string timezone = "UTC";  // "UTC" or a fixed offset "+01:00"
  std::string reason;
  SourceSpan span;
};

// `strategy: {ref: {...}}`: a named strategy, or the matrix' choice for a type and a risk.
struct StrategyRef {
  std::string name;
  std::string service_type;
  std::string risk;
  bool empty() const { return name.empty() && service_type.empty() && risk.empty(); }
};

struct Guard {
  Metadata metadata;
  Target target;
  Mode mode = Mode::kEnforce;
  bool suspend = false;  // watch nothing, decide nothing
  std::string service;   // $service; empty: stableService or activeService
  std::string policy;    // a RollbackPolicy's name, or empty
  std::string environment;
  StrategyRef strategy_ref;
  Strategy strategy;
  Duration bake{0};
  RollbackSpec rollback;
  Confidence confidence;
  NoData no_data = NoData::kHold;
  Blind blind;
  HealthSpec health;
  std::vector<NotificationRef> notifications;
  Hooks hooks;
  ConfigsSpec configs;
  Artifacts artifacts;
  std::string group;
  std::vector<ObjectRef> depends_on;
  std::vector<PromotionAfter> promotion_after;
  std::optional<Concurrency> concurrency;
  std::vector<Freeze> freeze;
  bool irreversible = false;
  StringMap vars;
  Duration progress_deadline = std::chrono::minutes(10);
  RollbackWindow rollback_window;

  Origin origin;
  yaml::Node raw;  // the spec as written; Resolve() reads it again over a policy

  std::string Id() const { return metadata.ns + "/" + metadata.name; }
};

const char* ToString(Mode mode);
const char* ToString(RollbackSpec::OnTrigger value);

}  // namespace rollguard::spec
