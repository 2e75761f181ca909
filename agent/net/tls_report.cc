// SPDX-License-Identifier: Apache-2.0
#include "agent/net/tls_report.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "agent/base/text.h"

namespace rollguard::net {
namespace {

using SharedReport = std::shared_ptr<TlsReport>;

void FreeReport(void*, void* ptr, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<SharedReport*>(ptr);
}

int ReportIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, FreeReport);
  return index;
}

template <class Print>
std::string Printed(Print print) {
  BIO* bio = BIO_new(BIO_s_mem());
  print(bio);
  char* data = nullptr;
  long size = BIO_get_mem_data(bio, &data);
  std::string text(data, size > 0 ? static_cast<size_t>(size) : 0);
  BIO_free(bio);
  return text;
}

std::string NameText(const X509_NAME* name) {
  return Printed(
      [&](BIO* bio) { X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB); });
}

std::string TimeText(const ASN1_TIME* time) {
  return Printed([&](BIO* bio) { ASN1_TIME_print(bio, time); });
}

std::string AddressText(const ASN1_OCTET_STRING* bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  int family = ASN1_STRING_length(bytes) == 4 ? AF_INET : AF_INET6;
  if (family == AF_INET6 && ASN1_STRING_length(bytes) != 16) return "?";
  inet_ntop(family, ASN1_STRING_get0_data(bytes), text, sizeof text);
  return text;
}

std::string CommonName(X509* cert) {
  const X509_NAME* subject = X509_get_subject_name(cert);
  int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  const ASN1_STRING* text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<size_t>(ASN1_STRING_length(text))};
}

std::vector<std::string> NamesOf(X509* cert) {
  std::vector<std::string> names;
  auto* list =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(cert, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(list); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(list, i);
    if (name->type == GEN_DNS) {
      const ASN1_IA5STRING* text = name->d.dNSName;
      names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                         static_cast<size_t>(ASN1_STRING_length(text)));
    } else if (name->type == GEN_IPADD) {
      names.push_back(AddressText(name->d.iPAddress));
    }
  }
  GENERAL_NAMES_free(list);
  if (names.empty()) {
    if (std::string cn = CommonName(cert); !cn.empty()) names.push_back(cn);
  }
  return names;
}

int OnVerify(int ok, X509_STORE_CTX* store) {
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* shared =
      static_cast<SharedReport*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ReportIndex()));
  X509* cert = X509_STORE_CTX_get_current_cert(store);
  if (shared == nullptr || cert == nullptr) return ok;
  TlsReport& report = **shared;
  if (X509_STORE_CTX_get_error_depth(store) == 0) report.names = NamesOf(cert);
  if (ok != 0 || report.verify_error != 0) return ok;
  report.verify_error = X509_STORE_CTX_get_error(store);
  report.reason = X509_verify_cert_error_string(report.verify_error);
  report.subject = NameText(X509_get_subject_name(cert));
  report.issuer = NameText(X509_get_issuer_name(cert));
  report.valid_from = TimeText(X509_get0_notBefore(cert));
  report.valid_until = TimeText(X509_get0_notAfter(cert));
  return ok;
}

// The subject of the first certificate in a PEM text, for naming a CA that came inline.
std::string FirstSubject(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* cert = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  std::string subject = cert != nullptr ? NameText(X509_get_subject_name(cert)) : std::string();
  X509_free(cert);
  BIO_free(bio);
  return subject;
}

std::string CaText(const TlsOptions* tls) {
  if (tls != nullptr && !tls->ca_pem.empty()) {
    std::string subject = FirstSubject(tls->ca_pem);
    return subject.empty() ? "the given CA" : StrCat("the given CA (", subject, ")");
  }
  if (tls != nullptr && !tls->ca_file.empty()) return StrCat("the CA in ", tls->ca_file);
  return "any CA this system trusts";
}

}  // namespace

void AttachReport(void* ssl_ctx, std::shared_ptr<TlsReport> report) {
  auto* ctx = static_cast<SSL_CTX*>(ssl_ctx);
  delete static_cast<SharedReport*>(SSL_CTX_get_ex_data(ctx, ReportIndex()));
  SSL_CTX_set_ex_data(ctx, ReportIndex(), new SharedReport(std::move(report)));
  SSL_CTX_set_verify(ctx, SSL_CTX_get_verify_mode(ctx), OnVerify);
}

std::string ExplainTls(const TlsReport& report, const TlsOptions* tls, const std::string& host) {
  std::string who = StrCat("the server's certificate (", report.subject, ")");
  switch (report.verify_error) {
    case X509_V_OK: break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return StrCat(who, " expired on ", report.valid_until, "; renew it or check the clock");
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return StrCat(who, " is not valid before ", report.valid_from, "; check the clock");
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return StrCat(who, ", issued by ", report.issuer, ", is not signed by ", CaText(tls), " (",
                    report.reason, "); give the CA that signed it");
    default: return StrCat(who, " is refused: ", report.reason);
  }
  std::string names;
  for (const std::string& name : report.names) {
    if (names.size() > 200) {
      names += ", ...";
      break;
    }
    names += StrCat(names.empty() ? "" : ", ", Quote(name));
  }
  return StrCat("the server's certificate is for ", names.empty() ? "no name" : names, ", not for ",
                Quote(host), "; use a URL with one of these names or set the TLS server name");
}

}  // namespace rollguard::net
