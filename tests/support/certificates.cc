// SPDX-License-Identifier: Apache-2.0
#include "tests/support/certificates.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

namespace rollguard::testing {
namespace {

std::string Drain(BIO* bio) {
  char* data = nullptr;
  long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

KeyPair ToPem(X509* cert, EVP_PKEY* key) {
  KeyPair pair;
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, cert);
  pair.cert_pem = Drain(bio);
  bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  pair.key_pem = Drain(bio);
  return pair;
}

void AddExtension(X509* cert, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  X509_add_ext(cert, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* Blank(const CertificateWish& wish, EVP_PKEY* key) {
  X509* cert = X509_new();
  X509_set_version(cert, 2);
  uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1);
  X509_gmtime_adj(X509_getm_notBefore(cert), wish.from_seconds);
  X509_gmtime_adj(X509_getm_notAfter(cert), wish.until_seconds);
  X509_set_pubkey(cert, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(wish.common_name.c_str()), -1,
                             -1, 0);
  return cert;
}

std::string AlternativeNames(const CertificateWish& wish) {
  std::string names;
  auto add = [&](const char* kind, const std::string& value) {
    if (!names.empty()) names += ",";
    names += kind + value;
  };
  for (const std::string& name : wish.dns) add("DNS:", name);
  for (const std::string& address : wish.addresses) add("IP:", address);
  return names;
}

}  // namespace

KeyPair MakeCa(const std::string& common_name) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  CertificateWish wish;
  wish.common_name = common_name;
  X509* cert = Blank(wish, key);
  X509_set_issuer_name(cert, X509_get_subject_name(cert));
  AddExtension(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign");
  AddExtension(cert, cert, NID_subject_key_identifier, "hash");
  X509_sign(cert, key, EVP_sha256());
  KeyPair pair = ToPem(cert, key);
  X509_free(cert);
  EVP_PKEY_free(key);
  return pair;
}

KeyPair IssueCertificate(const KeyPair& ca, const CertificateWish& wish) {
  BIO* bio = BIO_new_mem_buf(ca.cert_pem.data(), static_cast<int>(ca.cert_pem.size()));
  X509* ca_cert = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  bio = BIO_new_mem_buf(ca.key_pem.data(), static_cast<int>(ca.key_pem.size()));
  EVP_PKEY* ca_key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);

  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* cert = Blank(wish, key);
  X509_set_issuer_name(cert, X509_get_subject_name(ca_cert));
  std::string names = AlternativeNames(wish);
  if (!names.empty()) AddExtension(cert, ca_cert, NID_subject_alt_name, names);
  AddExtension(cert, ca_cert, NID_authority_key_identifier, "keyid");
  X509_sign(cert, ca_key, EVP_sha256());
  KeyPair pair = ToPem(cert, key);
  X509_free(cert);
  EVP_PKEY_free(key);
  X509_free(ca_cert);
  EVP_PKEY_free(ca_key);
  return pair;
}

}  // namespace rollguard::testing
