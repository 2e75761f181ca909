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
void AbortRollout(Context& c, const ExternalView& view, bool undo, const std::string& why);
// After an abort: the same revision again.
void RetryRollout(Context& c);

// external_back.cc
// The Rollout is paused, and that is remembered as ours (pause_version) until it was taken off.
void StandStill(Context& c, const ExternalView& view, const std::string& why);
// Only a pause of ours is taken off. True while that is not seen yet.
bool GoOn(Context& c, const ExternalView& view, const std::string& why);
void EndWatch(Context& c, const std::string& outcome, const std::string& reason);
// The rejected revision was set once more: back with it.
void RefuseRejected(Context& c, const ExternalView& view, const Rejection& known);
void TakeBack(Context& c, const ExternalView& view);
void VerifyBack(Context& c, const ExternalView& view);

}  // namespace rollguard::release
