// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>

#include "agent/base/text.h"

namespace rollguard::kube {
namespace {

struct Free {
  void operator()(BIO* p) const { BIO_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
};
using Bio = std::unique_ptr<BIO, Free>;
using Cert = std::unique_ptr<X509, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;

Bio Open(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// An encrypted key must not make OpenSSL ask on the terminal.
int NoPassword(char*, int, int, void*) { return -1; }

Cert ReadCert(const std::string& pem) {
  Bio bio = Open(pem);
  Cert cert(PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr));
  ERR_clear_error();
  return cert;
}

Key ReadKey(const std::string& pem) {
  Bio bio = Open(pem);
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr));
  ERR_clear_error();
  return key;
}

std::string DateText(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unreadable date";
  return FormatRfc3339(FromUnixMillis(static_cast<int64_t>(timegm(&parts)) * 1000));
}

Error Bad(std::string message) { return {ErrorCode::kInvalid, std::move(message)}; }

}  // namespace

Status CheckClientCertificate(const std::string& cert_pem, const std::string& key_pem, Time now) {
  Cert cert = ReadCert(cert_pem);
  if (!cert) return Bad("the certificate is not PEM");
  time_t seconds = static_cast<time_t>(ToUnixMillis(now) / 1000);
  if (X509_cmp_time(X509_get0_notAfter(cert.get()), &seconds) < 0) {
    return Bad(StrCat("the certificate expired on ", DateText(X509_get0_notAfter(cert.get())),
                      "; fetch new credentials"));
  }
  if (X509_cmp_time(X509_get0_notBefore(cert.get()), &seconds) > 0) {
    return Bad(StrCat("the certificate is not valid before ",
                      DateText(X509_get0_notBefore(cert.get())), "; check the clock"));
  }
  Key key = ReadKey(key_pem);
  if (!key) return Bad("the key is not PEM, or is locked by a password");
  if (X509_check_private_key(cert.get(), key.get()) != 1) {
    ERR_clear_error();
    return Bad("the key does not belong to the certificate");
  }
  return {};
}

Status CheckCa(const std::string& pem) {
  if (ReadCert(pem)) return {};
  return Bad("there is no PEM certificate in it");
}

}  // namespace rollguard::kube
