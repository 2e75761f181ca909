// SPDX-License-Identifier: Apache-2.0
#include "agent/app/replay_check.h"

#include "agent/base/text.h"
#include "agent/release/replay.h"

namespace rollguard::app {
namespace {

constexpr size_t kMaxDifferences = 20;

}  // namespace

void ReplayCheck::Stepped(const SteppedView& view) {
  std::string text =
      release::RecordStep(view.guard_object, view.before, view.observation, view.result).Dump();
  ++replayed_;
  bytes_ += text.size();
  auto note = [&](const std::string& what) {
    if (differences_.size() < kMaxDifferences) {
      differences_.push_back(
          StrCat(view.guard.Id(), " at ", FormatRfc3339(view.observation.now), ": ", what));
    }
  };
  auto record = ParseJson(text);
  if (!record) return note(StrCat("the record cannot be parsed: ", record.error().message));
  auto replayed = release::Replay(*record);
  if (!replayed) return note(StrCat("the record cannot be read: ", replayed.error().message));
  for (const auto& d : replayed->differences) {
    note(StrCat(d.path, " was ", d.recorded, ", is ", d.replayed));
  }
}

}  // namespace rollguard::app
