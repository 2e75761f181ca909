// SPDX-License-Identifier: Apache-2.0
// A public key is a DER structure (RFC 5280, SubjectPublicKeyInfo) in base64 between two lines. Of
// the two kinds that can be used every byte before the key itself is fixed, so the structure need
// not be walked.
#include "agent/spec/public_key.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::spec {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::string_view kBegin = "-----BEGIN PUBLIC KEY-----";
constexpr std::string_view kEnd = "-----END PUBLIC KEY-----";
constexpr std::string_view kRsa = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"sv;
constexpr std::string_view kEllipticCurve = "\x2a\x86\x48\xce\x3d\x02\x01"sv;
constexpr std::string_view kAdvice =
    ": use an Ed25519 or ECDSA P-256 key, as `openssl genpkey -algorithm ed25519` makes one";

struct Form {
  std::string_view prefix;
  size_t size;  // of the whole
};

constexpr Form kForms[] = {
    // Ed25519
    {"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"sv, 44},
    // P-256, the point with both coordinates
    {"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
     "\x03\x42\x00\x04"sv,
     91},
    // P-256, the point compressed
    {"\x30\x39\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
     "\x03\x22\x00\x02"sv,
     59},
    {"\x30\x39\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
     "\x03\x22\x00\x03"sv,
     59}};

std::string WrongWithDer(std::string_view der) {
  for (const Form& form : kForms) {
    if (!der.starts_with(form.prefix)) continue;
    if (der.size() == form.size) return {};
    return StrCat("the public key has ", der.size(), " bytes where ", form.size,
                  " belong: copy it whole");
  }
  if (der.find(kRsa) != std::string_view::npos) return StrCat("an RSA key cannot be used", kAdvice);
  if (der.find(kEllipticCurve) != std::string_view::npos)
    return StrCat("a key on another curve than P-256 cannot be used", kAdvice);
  return StrCat("the public key is of no kind that can be used", kAdvice);
}

}  // namespace

std::string WrongWithKey(std::string_view pem) {
  if (pem.find("PRIVATE KEY-----") != std::string_view::npos) {
    return "this is a private key: keep it secret, make a new pair, and give the public key that "
           "`openssl pkey -pubout` prints";
  }
  const size_t begin = pem.find(kBegin);
  const size_t end = begin == std::string_view::npos ? begin : pem.find(kEnd, begin);
  if (end == std::string_view::npos) {
    return StrCat("a public key must be PEM text that begins with ", kBegin, " and ends with ",
                  kEnd);
  }
  std::string text(pem.substr(begin + kBegin.size(), end - begin - kBegin.size()));
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
  const auto der = Base64Decode(text);
  if (!der || der->empty()) {
    return "the public key is not base64 between its two lines: copy it whole, as a block of its "
           "own (`- |`)";
  }
  return WrongWithDer(*der);
}

}  // namespace rollguard::spec
