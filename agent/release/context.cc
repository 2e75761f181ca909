// SPDX-License-Identifier: Apache-2.0
#include "agent/release/context.h"

#include <algorithm>

#include "agent/base/hash.h"
#include "agent/base/text.h"

namespace rollguard::release {

namespace {

// Routers that name the two sides by place, not by Service, change them with the roles.
void SwapPlaces(std::vector<spec::Routing>& routing) {
  for (spec::Routing& one : routing) {
    if (auto* generic = std::get_if<spec::GenericRouting>(&one.settings)) {
      std::swap(generic->stable_path, generic->candidate_path);
    } else if (auto* istio = std::get_if<spec::IstioRouting>(&one.settings)) {
      if (!istio->destination_rule) continue;
      std::swap(istio->destination_rule->stable_subset, istio->destination_rule->candidate_subset);
    }
  }
}

}  // namespace

Context::Context(const spec::Guard& g, const Observation& o, StepResult& r)
    : guard(g), obs(o), out_(r) {
  const bool bypass = r.state.release && r.state.release->bypass;
  plan = CompilePlan(g, bypass);
  if (r.state.swapped) SwapPlaces(plan.routing);
  if (plan.kind == Plan::Kind::kSibling) tracks = TracksOf(g, r.state, o);
}

void Context::Enter(Phase phase) {
  if (state().phase == phase) return;
  Edit().phase = phase;
  if (active()) {
    EditRelease().scratch = {};
    EditRelease().stage = 0;
    EditRelease().stage_at.reset();
    EditRelease().progress_mark = -1;
  }
}

Decision& Context::Decide(Verdict verdict, std::string reason, std::string actor,
                          std::vector<Signal> signals) {
  Edit().sequence += 1;
  Decision decision;
  decision.id = DecisionId(guard.Id(), guard.metadata.uid, state().sequence);
  decision.at = obs.now;
  decision.guard = guard.Id();
  decision.phase = ToString(state().phase);
  decision.verdict = verdict;
  decision.reason = std::move(reason);
  decision.actor = std::move(actor);
  decision.signals = std::move(signals);
  if (active()) {
    decision.release = rel().id;
    decision.revision = rel().candidate;
    decision.weight = rel().weight;
  }
  Decision brief = decision;
  for (Signal& signal : brief.signals) signal.evidence = Json();
  auto& ring = Edit().decisions;
  ring.push_back(std::move(brief));
  if (ring.size() > GuardState::kMaxDecisions) ring.erase(ring.begin());
  out_.reasons.push_back(decision.reason);
  out_.actions.push_back(RecordDecision{std::move(decision)});
  return std::get<RecordDecision>(out_.actions.back()).decision;
}

void Context::Wake(Time at) {
  if (!out_.wake || at < *out_.wake) out_.wake = at;
}

void Context::Tell(std::string event, spec::RuleSeverity severity, std::string text) {
  std::string decision = state().decisions.empty() ? "" : state().decisions.back().id;
  out_.actions.push_back(Notify{std::move(event), severity, std::move(text), std::move(decision)});
}

void Context::Do(Action action) {
  if (observing() && ChangesCluster(action)) {
    Wait(StrCat("observing only, would ", Describe(action)));
    return;
  }
  out_.actions.push_back(std::move(action));
}

void Context::Do(const routing::Change& change, std::string why, std::optional<int64_t> weight) {
  switch (change.kind) {
    case routing::Change::Kind::kCreate:
      Do(CreateObject{change.object, change.body, std::move(why)});
      return;
    case routing::Change::Kind::kPatch:
      Do(PatchObject{
          change.object, PatchObject::Kind::kJson, change.body, std::move(why), weight, {}});
      return;
    case routing::Change::Kind::kDelete:
      Do(DeleteObject{change.object, change.uid, std::move(why)});
      return;
  }
}

void Context::Scale(const WorkloadView& workload, const ObjectId& id, int64_t replicas,
                    std::string why) {
  if (active() && FollowsReplicas(*this) && &workload == &stable()) {
    EditRelease().scaled_from = workload.replicas;
    EditRelease().scaled_to = replicas;
  }
  Do(ScaleTo{id, replicas, std::move(why), workload.uid, workload.resource_version});
}

void Context::SetCondition(std::string type, bool status, std::string reason, std::string message) {
  const Condition* known = state().FindCondition(type);
  if (known == nullptr && !status) return;
  if (known != nullptr && known->status == status && known->reason == reason &&
      known->message == message) {
    return;
  }
  Time since = known != nullptr && known->status == status ? known->since : obs.now;
  auto& list = Edit().conditions;
  std::erase_if(list, [&](const Condition& c) { return c.type == type; });
  list.push_back({std::move(type), status, std::move(reason), std::move(message), since});
}

std::string StableHash(const Context& c) {
  if (c.plan.kind == Plan::Kind::kExternal) return c.rel().stable;
  if (c.plan.kind == Plan::Kind::kSibling) return c.tracks.stable.value;
  const RevisionView* revision = c.obs.target.Find(c.rel().stable);
  return revision != nullptr ? revision->pod_hash : std::string();
}

std::string CandidateHash(const Context& c) {
  if (c.plan.kind == Plan::Kind::kExternal) return c.rel().candidate;
  return c.plan.kind == Plan::Kind::kSibling ? c.candidate().pod_hash : c.obs.target.pod_hash;
}

const WorkloadView& Context::stable() const { return state().swapped ? obs.candidate : obs.target; }
const WorkloadView& Context::candidate() const {
  return state().swapped ? obs.target : obs.candidate;
}
ObjectId Context::stable_id() const {
  return state().swapped ? CandidateId(guard) : TargetId(guard);
}
ObjectId Context::candidate_id() const {
  return state().swapped ? TargetId(guard) : CandidateId(guard);
}
routing::View Context::view() const {
  return [this](const ObjectId& id) { return obs.FindObject(id); };
}

}  // namespace rollguard::release
