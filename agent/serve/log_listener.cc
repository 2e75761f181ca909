// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/log_listener.h"

#include "agent/base/text.h"

namespace rollguard::serve {

void LogListener::Decided(const spec::Guard& guard, const release::Decision& decision) {
  log_.Info("decision", {{"guard", guard.Id()},
                         {"release", decision.release},
                         {"verdict", release::ToString(decision.verdict)},
                         {"phase", decision.phase},
                         {"weight", decision.weight},
                         {"actor", decision.actor},
                         {"reason", decision.reason},
                         {"id", decision.id}});
}

void LogListener::Changed(const spec::Guard& guard, const release::GuardState& before,
                          const release::GuardState& after, const release::Observation&) {
  if (before.phase == after.phase) return;
  log_.Info("phase", {{"guard", guard.Id()},
                      {"release", after.release ? after.release->id : std::string()},
                      {"from", release::ToString(before.phase)},
                      {"to", release::ToString(after.phase)}});
}

void LogListener::Told(const spec::Guard& guard, const release::Notify& notice) {
  if (notice.event == "olderState")
    log_.Error("the guard's state went back", {{"guard", guard.Id()}, {"problem", notice.text}});
  log_.Debug("notice", {{"guard", guard.Id()}, {"event", notice.event}, {"text", notice.text}});
}

void LogListener::Removed(const std::string& guard) {
  log_.Info("guard is gone, or another replica's", {{"guard", guard}});
}

void LogListener::Unusable(const Json& object, const std::string& problem) {
  log_.Error("the guard cannot be used",
             {{"guard", StrCat(object.At("metadata", "namespace").Str(), "/",
                               object.At("metadata", "name").Str())},
              {"problem", problem}});
}

}  // namespace rollguard::serve
