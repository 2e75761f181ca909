// SPDX-License-Identifier: Apache-2.0
// `promotion.after`: have these images succeeded in an earlier environment?
#pragma once

#include <string>
#include <vector>

#include "agent/release/observation.h"
#include "agent/release/state.h"

namespace rollguard::release {

// `images`: ImageKeys of what is to be released. They have succeeded when one revision that held
// production there ran all of them, stood for `bake`, and was not rejected since.
StartView::Upstream JudgeUpstream(const std::string& guard, const GuardState& there,
                                  const std::vector<std::string>& images, Duration bake, Time now);

}  // namespace rollguard::release
