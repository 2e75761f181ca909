// SPDX-License-Identifier: Apache-2.0
#include "agent/release/observation.h"

namespace rollguard::release {
namespace {

template <class List, class Matches>
auto FindIn(const List& list, Matches matches) -> decltype(&list.front()) {
  for (const auto& item : list) {
    if (matches(item)) return &item;
  }
  return nullptr;
}

constexpr const char* kVerbs[] = {"promote", "pause",   "resume", "abort", "rollback",
                                  "retry",   "approve", "reject", "skip",  "release"};

}  // namespace

const char* ToString(Command::Verb verb) { return kVerbs[static_cast<size_t>(verb)]; }

std::optional<Command::Verb> VerbFrom(std::string_view word) {
  for (size_t i = 0; i < std::size(kVerbs); ++i) {
    if (word == kVerbs[i]) return static_cast<Command::Verb>(i);
  }
  return std::nullopt;
}

// Several ReplicaSets may have one template (pause and undo make them): the one with pods counts.
const RevisionView* WorkloadView::Find(std::string_view wanted) const {
  const RevisionView* best = nullptr;
  for (const RevisionView& r : revisions) {
    if (r.revision != wanted) continue;
    const bool better = best == nullptr || r.replicas > best->replicas ||
                        (r.replicas == best->replicas && r.number > best->number);
    if (better) best = &r;
  }
  return best;
}

bool WorkloadView::RolledOut() const {
  return exists && observed && updated >= replicas && total <= updated && available >= replicas;
}

const Json* Observation::FindObject(const ObjectId& id) const {
  const auto* found = FindIn(objects, [&](const auto& item) { return item.first == id; });
  return found != nullptr ? found->second : nullptr;
}

const RunView* Observation::FindRun(std::string_view id) const {
  return id.empty() ? nullptr : FindIn(runs, [&](const RunView& r) { return r.id == id; });
}

const JobView* Observation::FindJob(std::string_view name) const {
  return FindIn(jobs, [&](const JobView& j) { return j.name == name; });
}

const GateView* Observation::FindGate(std::string_view key) const {
  return FindIn(gates, [&](const GateView& g) { return g.key == key; });
}

}  // namespace rollguard::release
