// SPDX-License-Identifier: Apache-2.0
// The fields of an Observation, named once: writing, reading and the tests that fill every field
// all walk this list. A test counts them against the structs, so a field that is added there and
// not here does not go unnoticed.
//
// An archive is anything that can be called with (name, field).
#pragma once

#include <concepts>
#include <type_traits>

#include "agent/release/observation.h"

namespace rollguard::release {

// V is T, const or not: one list serves the writer and the reader.
template <class V, class T>
concept MaybeConst = std::same_as<std::remove_const_t<V>, T>;

template <class Archive, MaybeConst<RevisionView> View>
void Fields(Archive& a, View& v) {
  a("revision", v.revision);
  a("podHash", v.pod_hash);
  a("number", v.number);
  a("replicas", v.replicas);
  a("ready", v.ready);
  a("available", v.available);
  a("object", v.object);
  a("pods", v.pods);
  a("made", v.made);
  a("broken", v.broken);
}

template <class Archive, MaybeConst<WorkloadView> View>
void Fields(Archive& a, View& v) {
  a("exists", v.exists);
  a("object", v.object);
  a("kind", v.kind);
  a("uid", v.uid);
  a("resourceVersion", v.resource_version);
  a("revision", v.revision);
  a("podHash", v.pod_hash);
  a("deleting", v.deleting);
  a("observed", v.observed);
  a("held", v.held);
  a("replicas", v.replicas);
  a("total", v.total);
  a("updated", v.updated);
  a("ready", v.ready);
  a("available", v.available);
  a("revisions", v.revisions);
}

template <class Archive, MaybeConst<PodsView> View>
void Fields(Archive& a, View& v) {
  a("total", v.total);
  a("ready", v.ready);
  a("terminating", v.terminating);
  a("restarts", v.restarts);
  a("crashLooping", v.crash_looping);
  a("imagePullFailing", v.image_pull_failing);
  a("problem", v.problem);
}

template <class Archive, MaybeConst<HpaView> View>
void Fields(Archive& a, View& v) {
  a("exists", v.exists);
  a("object", v.object);
  a("min", v.min);
  a("max", v.max);
  a("desired", v.desired);
}

template <class Archive, MaybeConst<JobView> View>
void Fields(Archive& a, View& v) {
  a("name", v.name);
  a("state", v.state);
  a("message", v.message);
}

template <class Archive, MaybeConst<RunView> View>
void Fields(Archive& a, View& v) {
  a("id", v.id);
  a("phase", v.phase);
  a("message", v.message);
  a("evidence", v.evidence);
}

template <class Archive, MaybeConst<GateView> View>
void Fields(Archive& a, View& v) {
  a("key", v.key);
  a("open", v.open);
  a("message", v.message);
  a("at", v.at);
}

template <class Archive, MaybeConst<HealthView> View>
void Fields(Archive& a, View& v) {
  a("score", v.score);
  a("criticalFailing", v.critical_failing);
  a("reason", v.reason);
  a("at", v.at);
}

template <class Archive, MaybeConst<Command> View>
void Fields(Archive& a, View& v) {
  a("id", v.id);
  a("verb", v.verb);
  a("actor", v.actor);
  a("groups", v.groups);
  a("to", v.to);
  a("reason", v.reason);
  a("full", v.full);
  a("at", v.at);
}

template <class Archive, MaybeConst<StartView::Artifacts> View>
void Fields(Archive& a, View& v) {
  a("state", v.state);
  a("reason", v.reason);
}

template <class Archive, MaybeConst<StartView::Upstream> View>
void Fields(Archive& a, View& v) {
  a("guard", v.guard);
  a("satisfied", v.satisfied);
  a("reason", v.reason);
  a("until", v.until);
}

template <class Archive, MaybeConst<StartView::Rival> View>
void Fields(Archive& a, View& v) {
  a("guard", v.guard);
  a("release", v.release);
  a("since", v.since);
}

template <class Archive, MaybeConst<StartView> View>
void Fields(Archive& a, View& v) {
  a("frozen", v.frozen);
  a("frozenUntil", v.frozen_until);
  a("artifacts", v.artifacts);
  a("upstream", v.upstream);
  a("rivals", v.rivals);
  a("supersededBy", v.superseded_by);
  a("fleet", v.fleet);
}

template <class Archive, MaybeConst<PeerView> View>
void Fields(Archive& a, View& v) {
  a("guard", v.guard);
  a("phase", v.phase);
  a("rolledBack", v.rolled_back);
  a("rolledBackAt", v.rolled_back_at);
  a("trafficReturned", v.traffic_returned);
  a("dependsOnUs", v.depends_on_us);
  a("releasing", v.releasing);
}

template <class Archive, MaybeConst<ConfigsView> View>
void Fields(Archive& a, View& v) {
  a("snapshotStable", v.snapshot_stable);
  a("snapshotCandidate", v.snapshot_candidate);
  a("current", v.current);
  a("readFor", v.read_for);
}

template <class Archive, MaybeConst<Signal> View>
void Fields(Archive& a, View& v) {
  a("source", v.source);
  a("state", v.state);
  a("name", v.name);
  a("action", v.action);
  a("severity", v.severity);
  a("preExisting", v.pre_existing);
  a("reason", v.reason);
  a("evidence", v.evidence);
  a("since", v.since);
}

template <class Archive, MaybeConst<Observation> View>
void Fields(Archive& a, View& v) {
  a("now", v.now);
  a("deleting", v.deleting);
  a("target", v.target);
  a("candidate", v.candidate);
  a("stablePods", v.stable_pods);
  a("candidatePods", v.candidate_pods);
  a("hpa", v.hpa);
  a("candidateHpa", v.candidate_hpa);
  a("objects", v.objects);
  a("jobs", v.jobs);
  a("runs", v.runs);
  a("gates", v.gates);
  a("health", v.health);
  a("stableHealth", v.stable_health);
  a("signals", v.signals);
  a("commands", v.commands);
  a("start", v.start);
  a("peers", v.peers);
  a("configs", v.configs);
  a("blind", v.blind);
  a("rollbackLimit", v.rollback_limit);
  a("stale", v.stale);
  a("knownSequence", v.known_sequence);
  a("olderAccepted", v.older_accepted);
}

}  // namespace rollguard::release
