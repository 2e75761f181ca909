// SPDX-License-Identifier: Apache-2.0
// A template that somebody set while the target has to run another one first. It is put away in the
// status before anything else is put in its place, and put back, held, once that is done: what
// people set is never lost.
#include "agent/base/text.h"
#include "agent/release/context.h"
#include "agent/release/observe.h"

namespace rollguard::release {
namespace {

// What is put away in the status must be small; a larger template is found again in the ReplicaSet
// or ControllerRevision that the target has made for it.
constexpr size_t kMaxParked = 32 * 1024;

Json Parked(const Context& c) {
  Json own = TemplateOf(*c.obs.target.object);
  if (own.Dump().size() <= kMaxParked) return own;
  if (c.obs.target.Find(c.obs.target.revision) == nullptr) return {};
  return Json::Obj({{"revision", c.obs.target.revision}});
}

}  // namespace

bool ParkTemplate(Context& c, const std::string& first) {
  Json parked = Parked(c);
  if (!parked.is_object()) {
    c.Wait("the newer template cannot be put away yet");
    return false;
  }
  if (c.rel().parked == parked) return true;
  c.EditRelease().parked = std::move(parked);
  c.Decide(Verdict::kSupersede,
           StrCat("revision ", c.obs.target.revision, " waits until ", first, " is in place"));
  return true;
}

Json ParkedTemplate(const Context& c) {
  const Json& parked = c.rel().parked;
  if (parked.Find("spec") != nullptr) return parked;
  const RevisionView* found = c.obs.target.Find(parked.At("revision").Str());
  return found != nullptr ? TemplateOf(*found) : Json();
}

}  // namespace rollguard::release
