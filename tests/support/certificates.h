// SPDX-License-Identifier: Apache-2.0
// Certificates made on the spot for tests of TLS: a CA and what it signs, P-256, all PEM.
#pragma once

#include <string>
#include <vector>

namespace rollguard::testing {

struct KeyPair {
  std::string cert_pem;
  std::string key_pem;
};

struct CertificateWish {
  std::string common_name;
  std::vector<std::string> dns;        // subject alternative names
  std::vector<std::string> addresses;  // "127.0.0.1"
  long from_seconds = -3600;           // validity, relative to now
  long until_seconds = 86400;
};

KeyPair MakeCa(const std::string& common_name);
KeyPair IssueCertificate(const KeyPair& ca, const CertificateWish& wish);

}  // namespace rollguard::testing
