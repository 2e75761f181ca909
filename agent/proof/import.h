// SPDX-License-Identifier: Apache-2.0
// Argo Rollouts and Flagger Canaries as Guards: what they say is said in our words, and what cannot
// be carried over is named, line by line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/diagnostic.h"
#include "agent/base/json.h"

namespace rollguard::proof {

// Something of the manifest that the guard does not hold.
struct ImportNote {
  SourceSpan span;
  std::string path;  // spec.strategy.canary.steps[2].experiment
  std::string text;  // what to do about it
};

struct Imported {
  std::vector<Json> documents;  // Guards, and what they need: Deployments, RollbackRules
  std::vector<ImportNote> notes;
};

// Every Rollout and Canary of the text; other kinds are passed over. Problems of the text itself go
// to `diagnostics`.
Imported Import(std::string_view file, std::string_view text, Diagnostics& diagnostics);

}  // namespace rollguard::proof
