// SPDX-License-Identifier: Apache-2.0
#include "agent/artifact/verify.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "agent/base/text.h"

namespace rollguard::artifact {
namespace {

using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free)>;
using DigestPtr = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

constexpr size_t kMaxSignatures = 64;
constexpr size_t kDigestText = 7 + 64;  // "sha256:" and the hex digits

KeyPtr ReadKey(const std::string& pem) {
  BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  return {bio != nullptr ? PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr) : nullptr,
          &EVP_PKEY_free};
}

bool IsP256(EVP_PKEY* key) {
  char group[32] = {};
  size_t length = 0;
  return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(key, group, sizeof(group), &length) == 1 &&
         std::string_view(group, length) == "prime256v1";
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// "repo/app@sha256:..." -> "sha256:..."; empty when the image is not pinned.
std::string DigestOf(std::string_view image) {
  const size_t at = image.rfind('@');
  if (at == std::string_view::npos) return {};
  std::string_view digest = image.substr(at + 1);
  if (digest.size() != kDigestText || !digest.starts_with("sha256:")) return {};
  const bool hex = digest.find_first_not_of("0123456789abcdef", 7) == std::string_view::npos;
  return hex ? std::string(digest) : std::string();
}

void AddSignatures(const std::string& text, std::vector<std::string>& out) {
  const std::string spaced =
      ReplaceAll(ReplaceAll(ReplaceAll(text, ",", " "), "\n", " "), "\t", " ");
  for (std::string_view piece : Split(spaced, ' ')) {
    if (piece.empty() || out.size() >= kMaxSignatures) continue;
    if (auto raw = Base64Decode(piece)) out.push_back(std::move(*raw));
  }
}

bool Signed(const std::vector<std::string>& keys, const std::vector<std::string>& signatures,
            const std::string& digest) {
  return std::any_of(keys.begin(), keys.end(), [&](const std::string& key) {
    return std::any_of(signatures.begin(), signatures.end(), [&](const std::string& signature) {
      return Verifies(key, digest, signature) || Verifies(key, digest + "\n", signature);
    });
  });
}

}  // namespace

Status CheckKey(const std::string& pem) {
  KeyPtr key = ReadKey(pem);
  if (key == nullptr) {
    return Error(ErrorCode::kInvalid, "the public key cannot be read: it must be a PEM public key");
  }
  if (EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_ED25519 || IsP256(key.get())) return {};
  return Error(ErrorCode::kInvalid, "the public key must be Ed25519 or ECDSA P-256");
}

bool Verifies(const std::string& pem, std::string_view message, std::string_view signature) {
  KeyPtr key = ReadKey(pem);
  if (key == nullptr) return false;
  const bool ed25519 = EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_ED25519;
  if (!ed25519 && !IsP256(key.get())) return false;
  DigestPtr context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (context == nullptr) return false;
  const EVP_MD* hash = ed25519 ? nullptr : EVP_sha256();
  if (EVP_DigestVerifyInit(context.get(), nullptr, hash, nullptr, key.get()) != 1) return false;
  return EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(message),
                          message.size()) == 1;
}

Status CheckImages(const spec::Artifacts& settings, const Json& pod_template, const Json& more) {
  const bool keys = !settings.public_keys.empty();
  if (!settings.require_digest && !keys) return {};
  for (const std::string& pem : settings.public_keys) {
    if (Status usable = CheckKey(pem); !usable) return usable;
  }
  std::vector<std::string> signatures;
  const Json& own = pod_template.At("metadata", "annotations");
  AddSignatures(own.At(settings.annotation).Str(), signatures);
  AddSignatures(more.At(settings.annotation).Str(), signatures);
  for (const char* list : {"initContainers", "containers"}) {
    for (const Json& container : pod_template.At("spec").At(list).items()) {
      const std::string image = container.At("image").Str(), name = container.At("name").Str();
      const std::string digest = DigestOf(image);
      if (digest.empty()) {
        return Error(ErrorCode::kDenied,
                     StrCat("container ", name, ": the image ", Quote(Abbreviate(image, 200)),
                            " is not pinned: name it with @sha256:DIGEST"));
      }
      if (keys && !Signed(settings.public_keys, signatures, digest)) {
        return Error(ErrorCode::kDenied,
                     StrCat("container ", name, ": ", digest,
                            " carries no signature of the guard's public keys in the annotation ",
                            settings.annotation, ": sign the text of the digest"));
      }
    }
  }
  return {};
}

}  // namespace rollguard::artifact
