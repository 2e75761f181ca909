// SPDX-License-Identifier: Apache-2.0
// What another controller's object says, and the words an Argo Rollout understands.
#pragma once

#include <string>

#include "agent/release/context.h"

namespace rollguard::release {

// The label by which Argo tells ReplicaSets and pods of a Rollout apart.
inline constexpr std::string_view kArgoHashLabel = "rollouts-pod-template-hash";

struct ExternalView {
  bool argo = true;
  std::string current;  // the revision that is wanted
  std::string stable;   // the one that holds production
  std::string phase;
  bool aborted = false;
  bool paused = false;  // spec.paused
};
ExternalView ReadExternal(const Context& c);
const spec::ExternalStrategy& Settings(const Context& c);

// argo.cc
void PauseRollout(Context& c, bool paused, const std::string& why);
// Past the pause it waits in, or `full`: past everything.
void PromoteRollout(Context& c, bool full, const std::string& why);
// `undo`: also the stable template goes back into the spec.
void AbortRollout(Context& c, const ExternalView& view, bool undo);
// After an abort: the same revision again.
void RetryRollout(Context& c);

}  // namespace rollguard::release
