// SPDX-License-Identifier: Apache-2.0
// Signatures over image digests, as `openssl pkeyutl -sign -rawin` and `cosign sign-blob` make
// them: Ed25519 over the message itself, or ECDSA P-256 over its SHA-256 in DER.
//
// What is signed is the text of the digest, "sha256:" and 64 hex digits, with or without a newline
// at its end. The annotation holds the signatures in base64, separated by commas or white space,
// one for each image in any order. Nothing here does I/O.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/expected.h"
#include "agent/base/json.h"
#include "agent/spec/guard.h"

namespace rollguard::artifact {

// A PEM public key that can be used here, or what is wrong with it.
Status CheckKey(const std::string& pem);

// Whether `signature` (raw bytes) is `pem`'s over `message`. Keys that cannot be read sign nothing.
bool Verifies(const std::string& pem, std::string_view message, std::string_view signature);

// Whether the images of a pod template are what the guard asks for: pinned by digest when it says
// so or names keys, and signed by one of the keys. `more`: annotations of the workload itself,
// where a signature may stand too (adding it there makes no new revision). The error names the
// container, its image, and what to do.
Status CheckImages(const spec::Artifacts& settings, const Json& pod_template, const Json& more);

}  // namespace rollguard::artifact
