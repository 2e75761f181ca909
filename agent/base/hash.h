// SPDX-License-Identifier: Apache-2.0
// Content hashes. Sha256 for what must not be forged (audit chain, digests); Fnv1a64 and ShortHash
// for names and maps.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace rollguard {

using Sha256Digest = std::array<uint8_t, 32>;

Sha256Digest Sha256(std::string_view bytes);
std::string HexEncode(std::string_view bytes);
std::string Sha256Hex(std::string_view bytes);

uint64_t Fnv1a64(std::string_view bytes, uint64_t seed = 0xcbf29ce484222325ULL);

// The first `length` (at most 12) letters of a SHA-256 in an alphabet without vowels or
// look-alikes: the names of revisions and decisions. Stable for ever; changing it would rename
// every revision.
std::string ShortHash(std::string_view bytes, size_t length = 8);

}  // namespace rollguard
