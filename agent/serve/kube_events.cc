// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/kube_events.h"

#include <cctype>

#include "agent/base/text.h"

namespace rollguard::serve {
namespace {

// "rolledBack" -> "RolledBack".
std::string ReasonOf(std::string event) {
  if (!event.empty())
    event[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(event[0])));
  return event;
}

bool IsWarning(spec::RuleSeverity severity) {
  return severity == spec::RuleSeverity::kCritical || severity == spec::RuleSeverity::kHigh;
}

}  // namespace

void KubeEvents::Told(const spec::Guard& guard, const release::Notify& notice) {
  kube::EventNote note;
  note.regarding = Json::Obj({{"apiVersion", "rollguard.dev/v1alpha1"},
                              {"kind", "Guard"},
                              {"namespace", guard.metadata.ns},
                              {"name", guard.metadata.name},
                              {"uid", guard.metadata.uid}});
  note.type = IsWarning(notice.severity) ? "Warning" : "Normal";
  note.reason = ReasonOf(notice.event);
  note.action = "Release";
  note.note = notice.text;
  Send(std::move(note));
}

void KubeEvents::Unusable(const Json& object, const std::string& problem) {
  kube::EventNote note;
  note.regarding = kube::ReferenceTo(object);
  note.type = "Warning";
  note.reason = "Unusable";
  note.action = "Read";
  note.note = problem;
  Send(std::move(note));
}

void KubeEvents::Send(kube::EventNote note) {
  note.instance = instance_;
  note.time = clock_.Now();
  std::string about =
      StrCat(note.regarding.At("namespace").Str(), "/", note.regarding.At("name").Str());
  kube::SendEvent(cluster_, note, [this, about, reason = note.reason](Status sent) {
    if (!sent)
      log_.Warn("an Event could not be written",
                {{"guard", about}, {"event", reason}, {"error", sent.error().message}});
  });
}

}  // namespace rollguard::serve
