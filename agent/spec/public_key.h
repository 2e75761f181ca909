// SPDX-License-Identifier: Apache-2.0
// Public keys as people paste them into a guard, held against what signatures can be verified with.
#pragma once

#include <string>
#include <string_view>

namespace rollguard::spec {

// What keeps a PEM text from being an Ed25519 or ECDSA P-256 public key, and what to do about it,
// in one sentence; empty when nothing does. Looks at the encoding alone: whether a point lies on
// its curve is found when the key is used.
std::string WrongWithKey(std::string_view pem);

}  // namespace rollguard::spec
