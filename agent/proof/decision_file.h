// SPDX-License-Identifier: Apache-2.0
// The keys `release`, `alerts` and `decision_test` of a rule test. Private to agent/proof.
#pragma once

#include "agent/proof/rule_test_file.h"
#include "agent/spec/reader.h"

namespace rollguard::proof {

void ReadDecisionPart(spec::Object& object, RuleTestGroup& group);

}  // namespace rollguard::proof
