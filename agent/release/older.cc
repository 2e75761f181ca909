// SPDX-License-Identifier: Apache-2.0
// The cluster's store was put back to an older state, and the guard's status with it: it speaks of
// a release that may have ended since, of traffic that may be elsewhere, of alerts that are long
// over. Nothing is done on it until a person has looked and says so.
#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {
namespace {

constexpr const char* kCondition = "OlderState";

std::string Why(const Context& c) {
  return StrCat("the status is at decision ", c.state().sequence, ", but decision ",
                c.obs.known_sequence,
                " of this guard was known: the cluster was put back to an older state, or the "
                "status was changed by hand. Nothing is done until a person has looked at traffic "
                "and says so: kubectl -n ",
                c.guard.metadata.ns, " annotate guard ", c.guard.metadata.name, " ", kAcceptOlder,
                "=", c.obs.known_sequence, " --overwrite");
}

}  // namespace

bool IsOlderThanKnown(const Context& c) {
  return c.obs.known_sequence > c.state().sequence && !c.obs.older_accepted;
}

void RefuseOlder(Context& c) {
  const std::string why = Why(c);
  const Condition* known = c.state().FindCondition(kCondition);
  const bool news = known == nullptr || !known->status;
  c.SetCondition(kCondition, true, "WentBack", why);
  c.SetCondition("Ready", false, kCondition, "its status is older than what was known");
  c.Wait(why);
  for (const Command& command : c.obs.commands) c.out().answers.push_back({command.id, false, why});
  if (news) c.Tell("olderState", spec::RuleSeverity::kCritical, why);
}

// What follows is counted on from what was known, so that no decision gets an id that was used.
void AcceptOlder(Context& c) {
  const Condition* told = c.state().FindCondition(kCondition);
  if (c.obs.known_sequence > c.state().sequence) {
    const int64_t from = c.state().sequence;
    c.Edit().sequence = c.obs.known_sequence;
    c.Decide(Verdict::kResume,
             StrCat("the older state is accepted: decision ", from, " instead of ",
                    c.obs.known_sequence),
             "person");
  }
  if (told != nullptr && told->status) c.SetCondition(kCondition, false, "Accepted", "");
}

}  // namespace rollguard::release
