// SPDX-License-Identifier: Apache-2.0
// The decision to go back, and its limits. A limited rollback is held and told, never silent.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {
namespace {

constexpr Duration kHour = std::chrono::hours(1);

// Why a rollback may not happen by itself now; empty: it may.
std::string Limit(Context& c) {
  if (Irreversible(c)) return "the release is irreversible";
  if (!c.obs.rollback_limit.empty()) return c.obs.rollback_limit;
  int64_t lately = 0;
  for (Time at : c.state().rollbacks) lately += c.obs.now - at < kHour ? 1 : 0;
  if (c.guard.rollback.max_per_hour > 0 && lately >= c.guard.rollback.max_per_hour) {
    c.Wake(c.state().rollbacks.front() + kHour);
    return StrCat("there were ", lately, " rollbacks within the hour, maxPerHour is ",
                  c.guard.rollback.max_per_hour);
  }
  if (!c.state().rollbacks.empty()) {
    const Time until = c.state().rollbacks.back() + c.guard.rollback.cooldown;
    if (c.obs.now < until) {
      c.Wake(until);
      return StrCat("the last rollback was at ", FormatRfc3339(c.state().rollbacks.back()),
                    ", cooldown is ", FormatShortDuration(c.guard.rollback.cooldown));
    }
  }
  return {};
}

bool SaysIrreversible(const Json& pod_template) {
  const Json& annotations = pod_template.At("metadata", "annotations");
  return annotations.At("rollguard.dev/irreversible").Str() == "true";
}

}  // namespace

// The guard says so, or the revision that is released (a one-way migration).
bool Irreversible(const Context& c) {
  if (c.guard.irreversible) return true;
  if (!c.active()) return false;
  for (const WorkloadView* w : {&c.obs.target, &c.obs.candidate}) {
    if (w->object == nullptr) continue;
    if (w->revision == c.rel().candidate)
      return SaysIrreversible(w->object->At("spec", "template"));
    if (const RevisionView* found = w->Find(c.rel().candidate)) {
      return SaysIrreversible(TemplateOf(*found));
    }
  }
  return false;
}

void HoldAndPage(Context& c, const std::string& reason, const std::string& limit,
                 std::vector<Signal> signals) {
  const std::string text = StrCat("should be rolled back (", reason, ") but ", limit);
  if (c.state().phase == Phase::kHeld && c.rel().held_reason == limit) {
    c.Wait(text);
    return;
  }
  if (c.state().phase != Phase::kHeld) {
    c.EditRelease().held_from = c.state().phase;
    c.Enter(Phase::kHeld);
  }
  c.EditRelease().held_reason = limit;
  c.Decide(Verdict::kHold, text, "rollguard", std::move(signals));
  c.Tell("limited", spec::RuleSeverity::kCritical, text);
}

void Quarantine(Context& c, const std::string& revision, const std::string& reason) {
  auto& list = c.Edit().quarantine;
  std::erase_if(list, [&](const Rejection& r) { return r.revision == revision; });
  Rejection rejection{revision, reason, c.obs.now, {}};
  if (c.guard.rollback.quarantine_for.count() > 0) {
    rejection.expires = c.obs.now + c.guard.rollback.quarantine_for;
  }
  list.push_back(std::move(rejection));
  if (list.size() > GuardState::kMaxQuarantine) list.erase(list.begin());
  if (c.state().retry == revision) c.Edit().retry.clear();
}

void BeginRollback(Context& c, const std::string& reason, const std::string& actor,
                   std::vector<Signal> signals, bool quarantine, bool person) {
  if (!c.active() || c.state().phase == Phase::kRollingBack) return;
  if (c.observing()) {
    if (c.rel().trigger) return;
    const std::string text = StrCat("would roll back: ", reason);
    Trigger noted{reason,    c.Decide(Verdict::kRollBack, text, actor, std::move(signals)).id,
                  actor,     {},
                  c.obs.now, false};
    c.EditRelease().trigger = std::move(noted);
    return;
  }
  if (!person) {
    const std::string limit = Limit(c);
    if (!limit.empty()) {
      HoldAndPage(c, reason, limit, std::move(signals));
      return;
    }
  }
  Trigger trigger;
  trigger.reason = reason;
  trigger.actor = actor;
  trigger.at = c.obs.now;
  trigger.quarantine = quarantine;
  for (const Signal& signal : signals) {
    if (signal.source == Signal::Source::kRule || signal.source == Signal::Source::kAlert) {
      trigger.signals.push_back(Abbreviate(signal.name, kMaxName));
    }
  }
  // What came in its place, not what was wrong with it.
  const bool superseded = !quarantine && person;
  const Verdict verdict = superseded ? Verdict::kSupersede : Verdict::kRollBack;
  trigger.decision = c.Decide(verdict, reason, actor, std::move(signals)).id;
  const bool from_promoting =
      c.state().phase == Phase::kPromoting ||
      (c.state().phase == Phase::kHeld && c.rel().held_from == Phase::kPromoting);
  c.Enter(Phase::kRollingBack);
  ReleaseState& rel = c.EditRelease();
  rel.held_from = from_promoting ? Phase::kPromoting : Phase::kProgressing;
  rel.paused = false;
  rel.awaiting_approval =
      !person && c.guard.rollback.on_trigger == spec::RollbackSpec::OnTrigger::kApproval;
  rel.trigger = std::move(trigger);
  if (quarantine) {
    Quarantine(c, rel.candidate, reason);
    auto& times = c.Edit().rollbacks;
    std::erase_if(times, [&](Time at) { return c.obs.now - at >= kHour; });
    times.push_back(c.obs.now);
    if (times.size() > 100) times.erase(times.begin());
  }
  if (superseded) {
    c.Tell("superseded", spec::RuleSeverity::kLow, reason);
  } else {
    c.Tell("rolledBack", spec::RuleSeverity::kCritical, StrCat("rolling back: ", reason));
  }
}

}  // namespace rollguard::release
