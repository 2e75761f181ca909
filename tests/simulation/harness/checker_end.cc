// SPDX-License-Identifier: Apache-2.0
// What must hold once everything has come to rest, and when the guard has gone.
#include <algorithm>

#include "agent/base/text.h"
#include "tests/simulation/harness/checker.h"
#include "tests/simulation/harness/kinds.h"

namespace rollguard::simulation {

std::string Checker::OwnersText(bool held) {
  std::string all;
  for (const sim::TypeInfo* type : world_.api().types().All()) {
    const std::string& kind = type->type.kind;
    const bool workload = IsWorkload(kind);
    const bool scaler = kind == "HorizontalPodAutoscaler";
    if (!IsRouteKind(kind) && !workload && !scaler) continue;
    for (const auto& one : world_.api().List(type->type.group, type->type.plural, kNs)) {
      Json object = *one;
      for (const char* member : {"resourceVersion", "generation", "managedFields"})
        object["metadata"].Erase(member);
      object.Erase("status");
      if (Json* labels = object["metadata"].Find("labels")) {
        labels->Erase("touched");  // the owner's own doing, in the middle
        if (labels->size() == 0) object["metadata"].Erase("labels");
      }
      Json* annotations = object["metadata"].Find("annotations");
      if (annotations != nullptr && workload) {
        annotations->Erase("deployment.kubernetes.io/revision");
        if (held) annotations->Erase("rollguard.dev/rest");
        if (annotations->size() == 0) object["metadata"].Erase("annotations");
      }
      if (workload) {
        if (!object.At("spec", "paused").BoolOr(true)) object["spec"].Erase("paused");
        object["spec"].Erase("template");
        object["spec"].Erase("replicas");
        if (held) object["spec"].Erase("paused"), object["spec"].Erase("updateStrategy");
      }
      all += object.Dump() + "\n";
    }
  }
  return all;
}

void Checker::CheckOwners(bool held) {
  if (plan_.setup->second) return;  // there the roles change, and with them the routes
  const std::string now = OwnersText(held);
  const std::string& was = held ? owners_held_ : owners_free_;
  if (now == was) return;
  std::string differs;
  const auto old_lines = Split(was, '\n'), new_lines = Split(now, '\n');
  for (std::string_view line : new_lines) {
    if (std::find(old_lines.begin(), old_lines.end(), line) == old_lines.end())
      differs += StrCat("\n  now  ", line);
  }
  for (std::string_view line : old_lines) {
    if (std::find(new_lines.begin(), new_lines.end(), line) == new_lines.end())
      differs += StrCat("\n  was  ", line);
  }
  Violated("foreign", StrCat("the owner's objects are not as they were:", differs));
}

// While there was no guard the owner rolled out what never works: a new guard finds it in place. Or
// people let another controller go on with it.
bool Checker::MayBeBroken(const std::string& image) const {
  const bool by_people = plan_.Has(Event::Kind::kDelete) ||
                         (plan_.setup->external() && plan_.Has(Event::Kind::kUnpause));
  return image == StableImage() && by_people &&
         std::any_of(plan_.versions.begin(), plan_.versions.end(), [&](const auto& entry) {
           return ImageOf(entry.first) == image && NeverWorks(entry.second);
         });
}

void Checker::CheckAtRest() {
  CheckOwners(true);
  if (state_) besides_.AtRest(*state_, StableImage());
  external_.AtRest(state_);
  if (state_ && state_->phase == release::Phase::kAdopting) return;  // it never began
  std::map<std::string, int64_t> images;
  for (const auto& [name, pod] : pods_) {
    if (!pod.terminating) ++images[pod.image];
    if (!pod.terminating && !pod.ready && !MayBeBroken(pod.image))
      Violated("converge", StrCat("pod ", name, " of ", pod.image, " is not ready"));
  }
  if (images.size() != 1 || images.begin()->first != StableImage()) {
    std::string seen;
    for (const auto& [image, count] : images) seen += StrCat(" ", image, " x ", count);
    Violated("converge", StrCat("at rest pods should be of ", StableImage(), " alone:", seen));
  }
}

void Checker::CheckRestored() { CheckOwners(false); }

}  // namespace rollguard::simulation
