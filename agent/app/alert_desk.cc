// SPDX-License-Identifier: Apache-2.0
#include "agent/app/alert_desk.h"

#include <algorithm>
#include <set>

#include "agent/base/text.h"
#include "agent/kube/resources.h"

namespace rollguard::app {
namespace {

constexpr size_t kKeepReceipts = 1000;

alerts::GuardFacts FactsOf(const spec::Guard& guard, const release::GuardState& state,
                           double evidence) {
  alerts::GuardFacts facts{.id = guard.Id(),
                           .ns = guard.metadata.ns,
                           .workload = guard.target.name,
                           .service = guard.service,
                           .triggers = &guard.rollback.alerts,
                           .depends_on = {},
                           .releasing = Releasing(state)};
  for (const spec::ObjectRef& ref : guard.depends_on) {
    facts.depends_on.push_back(StrCat(ref.ns.empty() ? guard.metadata.ns : ref.ns, "/", ref.name));
  }
  if (state.release) {
    facts.release_started = state.release->started;
    facts.release_id = state.release->id;
  }
  facts.evidence = evidence;
  return facts;
}

// The namespace an alert can be about; empty: any.
std::string NamespaceOf(const alerts::Alert& alert) {
  std::string named = alert.Label("rollguard_guard");
  if (named.empty()) {
    const std::string* annotation = spec::FindIn(alert.annotations, "rollguard_guard");
    if (annotation != nullptr) named = *annotation;
  }
  return named.empty() ? alert.Label("namespace") : named.substr(0, named.find('/'));
}

release::Signal SignalFrom(const alerts::Alert& alert, const alerts::Match& match,
                           bool pre_existing) {
  release::Signal signal;
  signal.source = release::Signal::Source::kAlert;
  signal.state = release::Signal::State::kFiring;
  signal.name = alert.Name();
  signal.action = match.disposition == alerts::Disposition::kSuspect ? spec::TriggerAction::kObserve
                                                                     : match.action;
  signal.severity = match.severity;
  signal.pre_existing = pre_existing;
  signal.reason = match.reason;
  signal.since = alert.starts_at;
  signal.evidence = Json::Obj({{"alert", alerts::ToJson(alert)},
                               {"matchedBy", alerts::ToString(match.how)},
                               {"rank", match.rank}});
  return signal;
}

}  // namespace

Json ToJson(const AlertReceipt& receipt) {
  Json matches = Json::Arr();
  for (const alerts::Match& m : receipt.matches) {
    matches.Push(Json::Obj({{"guard", m.guard},
                            {"release", m.release_id},
                            {"disposition", alerts::ToString(m.disposition)},
                            {"action", spec::ToString(m.action)},
                            {"matchedBy", alerts::ToString(m.how)},
                            {"rank", m.rank},
                            {"suspicion", Json::Obj({{"time", m.suspicion.time},
                                                     {"dependency", m.suspicion.dependency},
                                                     {"evidence", m.suspicion.evidence}})},
                            {"reason", m.reason}}));
  }
  Json out = alerts::ToJson(receipt.alert);
  out.Set("receivedAt", FormatRfc3339(receipt.received));
  out.Set("disposition", alerts::ToString(receipt.disposition));
  out.Set("matches", std::move(matches));
  return out;
}

std::vector<AlertReceipt> AlertDesk::Receive(const std::vector<alerts::Alert>& alerts) {
  std::vector<AlertReceipt> receipts;
  for (const alerts::Alert& alert : alerts) {
    receipts.push_back(ReceiveOne(alert));
    recent_.push_back(receipts.back());
    if (recent_.size() > kKeepReceipts) recent_.pop_front();
  }
  return receipts;
}

AlertReceipt AlertDesk::ReceiveOne(const alerts::Alert& alert) {
  AlertReceipt receipt{.alert = alert,
                       .received = clock_.Now(),
                       .disposition = alerts::Disposition::kUnmatched,
                       .matches = {}};
  if (!dedupe_.Admit(alert) && unkept_.erase(alert.EventKey()) == 0) {
    receipt.disposition = alerts::Disposition::kDuplicate;
    return receipt;
  }
  receipt.matches = CorrelateNow(alert);
  if (!receipt.matches.empty()) receipt.disposition = receipt.matches[0].disposition;
  if (alert.status == alerts::AlertStatus::kResolved) {
    Resolve(alert.fingerprint);
  } else {
    firing_[alert.fingerprint] = {alert, receipt.matches, false, {}};
  }
  TouchMatched(receipt.matches);
  return receipt;
}

void AlertDesk::TakeKept(const alerts::Alert& alert) {
  alerts::Alert end = alert;
  end.status = alerts::AlertStatus::kResolved;
  if (alert.status == alerts::AlertStatus::kFiring && dedupe_.Seen(end)) return;
  (void)Receive({alert});
}

void AlertDesk::Keep(const std::vector<AlertReceipt>& receipts, std::function<void(Status)> done) {
  struct Batch {
    size_t left = 1;  // this function itself
    Status worst;
    std::function<void(Status)> done;
    void Count(const Status& status) {
      if (!status) worst = status;
      if (--left == 0) done(worst);
    }
  };
  auto batch = std::make_shared<Batch>();
  batch->done = std::move(done);
  for (const AlertReceipt& receipt : receipts) {
    ++batch->left;
    KeepOne(receipt, [batch](const Status& kept) { batch->Count(kept); });
  }
  batch->Count({});
}

void AlertDesk::KeepOne(const AlertReceipt& receipt, std::function<void(Status)> done) {
  const std::string event = receipt.alert.EventKey();
  if (receipt.matches.empty() && !keeping_.contains(event)) {
    done({});
    return;
  }
  Keeping& keeping = keeping_[event];
  keeping.waiting.push_back(std::move(done));
  keeping.under_way += receipt.matches.size();
  for (const alerts::Match& match : receipt.matches) {
    controller_->Keep(match.guard, receipt.alert,
                      [this, event](const Status& kept) { Kept(event, kept); });
  }
}

void AlertDesk::Kept(const std::string& event, const Status& status) {
  Keeping& keeping = keeping_[event];
  if (!status) keeping.worst = status;
  if (!status && unkept_.size() < kKeepReceipts) unkept_.insert(event);
  if (--keeping.under_way > 0) return;
  const Keeping ended = std::move(keeping_.extract(event).mapped());
  for (const auto& waiting : ended.waiting) waiting(ended.worst);
}

void AlertDesk::Unrecorded(const std::vector<alerts::Alert>& alerts) {
  for (const alerts::Alert& alert : alerts) {
    if (unkept_.size() < kKeepReceipts) unkept_.insert(alert.EventKey());
  }
}

std::vector<alerts::Alert> AlertDesk::Reconcile(const std::vector<alerts::Alert>& firing,
                                                const std::vector<std::string>& suppressed,
                                                const std::vector<std::string>& unprocessed,
                                                Duration gone_after) {
  std::set<std::string> quiet(suppressed.begin(), suppressed.end());
  std::set<std::string> present(unprocessed.begin(), unprocessed.end());
  for (const alerts::Alert& alert : firing) present.insert(alert.fingerprint);
  std::vector<std::string> ended;
  for (auto& [fingerprint, held] : firing_) {
    bool was = held.suppressed;
    held.suppressed = quiet.contains(fingerprint);
    if (held.suppressed != was) TouchMatched(held.matches);
    if (held.suppressed || present.contains(fingerprint)) {
      held.absent_since.reset();
      continue;
    }
    if (!held.absent_since) held.absent_since = clock_.Now();
    if (clock_.Now() - *held.absent_since >= gone_after) ended.push_back(fingerprint);
  }
  for (const std::string& fingerprint : ended) Resolve(fingerprint);
  std::vector<alerts::Alert> missed;
  for (const alerts::Alert& alert : firing) {
    if (!dedupe_.Seen(alert) || unkept_.contains(alert.EventKey())) missed.push_back(alert);
  }
  Receive(missed);
  return missed;
}

void AlertDesk::Resolve(const std::string& fingerprint) {
  auto found = firing_.find(fingerprint);
  if (found == firing_.end()) return;
  auto matches = std::move(found->second.matches);
  firing_.erase(found);
  TouchMatched(matches);
}

std::vector<alerts::Match> AlertDesk::CorrelateNow(const alerts::Alert& alert) const {
  std::string ns = NamespaceOf(alert);
  std::vector<alerts::GuardFacts> facts;
  controller_->ForEach(ns, [&](const spec::Guard& guard, const release::GuardState& state) {
    if (!alerts::MaySpeakOf(alert, guard)) return;
    auto evidence = evidence_.find(guard.Id());
    facts.push_back(FactsOf(guard, state, evidence == evidence_.end() ? 0 : evidence->second));
  });
  return alerts::Correlate(alert, facts, [this](std::string_view in, std::string_view pod) {
    return PodOwner(in, pod);
  });
}

// pod -> ReplicaSet -> Deployment, or pod -> StatefulSet / DaemonSet.
std::string AlertDesk::PodOwner(std::string_view ns, std::string_view pod) const {
  Arena arena;
  const Json* object =
      controller_->mirror().Get(kube::resources::Pods(), std::string(ns), std::string(pod), arena);
  if (object == nullptr) return {};
  std::string owner = OwnerOf(*object);
  const Json* set =
      controller_->mirror().Get(kube::resources::ReplicaSets(), std::string(ns), owner, arena);
  std::string workload = set != nullptr ? OwnerOf(*set) : owner;
  // The candidate's pods speak for the guard's own workload.
  constexpr std::string_view kSibling = "-candidate";
  if (workload.ends_with(kSibling)) workload.resize(workload.size() - kSibling.size());
  return workload;
}

void AlertDesk::TouchMatched(const std::vector<alerts::Match>& matches) {
  for (const alerts::Match& match : matches) controller_->Touch(match.guard, Turn::kAtOnce);
}

std::vector<AlertReceipt> AlertDesk::Recent(size_t limit) const {
  std::vector<AlertReceipt> newest;
  for (auto it = recent_.rbegin(); it != recent_.rend() && newest.size() < limit; ++it)
    newest.push_back(*it);
  return newest;
}

// A guard that was not there when alerts arrived (the agent has just started, the guard was just
// made or changed): those that speak of it are correlated anew, among all guards.
void AlertDesk::Consider(const spec::Guard& guard, const release::GuardState& state) {
  auto [at, is_new] = considered_.try_emplace(guard.Id(), guard.metadata.generation);
  if (!is_new && at->second == guard.metadata.generation) return;
  at->second = guard.metadata.generation;
  auto owner = [this](std::string_view ns, std::string_view pod) { return PodOwner(ns, pod); };
  for (auto& [fingerprint, held] : firing_) {
    if (!alerts::Correlate(held.alert, {FactsOf(guard, state, 0)}, owner).empty())
      CorrelateAgain(held);
  }
}

void AlertDesk::CorrelateAgain(Firing& held) {
  held.matches = CorrelateNow(held.alert);
  TouchMatched(held.matches);
}

std::optional<alerts::Alert> AlertDesk::FindFiring(const std::vector<spec::Matcher>& matchers,
                                                   std::optional<Time> since) const {
  for (const auto& [fingerprint, firing] : firing_) {
    if (firing.suppressed || (since && firing.alert.starts_at < *since)) continue;
    if (alerts::MatchesAll(matchers, firing.alert.labels)) return firing.alert;
  }
  return std::nullopt;
}

void AlertDesk::Contribute(const spec::Guard& guard, const release::GuardState& state,
                           release::Observation& observation) {
  std::string id = guard.Id();
  if (!firing_.empty() || !considered_.contains(id)) Consider(guard, state);
  for (const auto& [fingerprint, held] : firing_) {
    if (held.suppressed) continue;
    for (const alerts::Match& match : held.matches) {
      if (match.guard != id) continue;
      // What was firing when the release began cannot be its fault, whatever was so on arrival.
      bool before = !state.release || held.alert.starts_at < state.release->started;
      observation.signals.push_back(SignalFrom(held.alert, match, before));
    }
  }
}

void AlertDesk::Follow(const GuardView& view) {
  std::string id = view.guard.Id();
  if (view.state.release) {
    double evidence = view.observation.health.score ? 1.0 - *view.observation.health.score : 0.0;
    for (const release::Signal& signal : view.observation.signals) {
      bool speaks = signal.source == release::Signal::Source::kRule &&
                    signal.state == release::Signal::State::kFiring && !signal.pre_existing;
      if (speaks) evidence = std::max(evidence, spec::WeightOf(signal.severity));
    }
    evidence_[id] = evidence;
    releasing_[id] = view.state.release->id;
    return;
  }
  evidence_.erase(id);
  auto ended = releasing_.extract(id);
  if (ended.empty()) return;
  // Its release was suspected of alerts that still fire: who is suspected now?
  for (auto& [fingerprint, held] : firing_) {
    for (const alerts::Match& match : held.matches) {
      if (match.release_id != ended.mapped()) continue;
      CorrelateAgain(held);
      break;
    }
  }
}

// What is remembered of it may be long over: its end is told to whoever decides on the guard. The
// alert is taken in anew when it comes again, from the guard's inbox, a poll or its sender.
void AlertDesk::Forget(const std::string& guard) {
  for (auto at = firing_.begin(); at != firing_.end();) at = Unmatch(at, guard);
  evidence_.erase(guard);
  considered_.erase(guard);
  releasing_.erase(guard);
}

void AlertDesk::Withdraw(const std::string& guard, const std::string& fingerprint) {
  if (auto found = firing_.find(fingerprint); found != firing_.end()) Unmatch(found, guard);
}

// The alert's next after it no longer concerns the guard.
AlertDesk::FiringAt AlertDesk::Unmatch(FiringAt at, const std::string& guard) {
  Firing& held = at->second;
  const size_t of_it =
      std::erase_if(held.matches, [&](const alerts::Match& match) { return match.guard == guard; });
  if (of_it > 0 && unkept_.size() < kKeepReceipts) unkept_.insert(held.alert.EventKey());
  return of_it > 0 && held.matches.empty() ? firing_.erase(at) : std::next(at);
}

}  // namespace rollguard::app
