// SPDX-License-Identifier: Apache-2.0
// What OpenSSL found wrong with a server's certificate, so that a refusal can be explained.
// libcurl alone says only "unable to get local issuer certificate".
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/ports/http_client.h"

namespace rollguard::net {

// Filled during one handshake on the client's thread.
struct TlsReport {
  int verify_error = 0;  // X509_V_ERR_*, 0 when the chain was accepted
  std::string reason;    // OpenSSL's words for it
  std::string subject;   // of the certificate that was refused
  std::string issuer;
  std::string valid_from;
  std::string valid_until;
  std::vector<std::string> names;  // the names and addresses the server's certificate is for
};

// Makes the handshakes of an OpenSSL SSL_CTX fill `report`, which the context then shares.
void AttachReport(void* ssl_ctx, std::shared_ptr<TlsReport> report);

// The whole reason for a refused certificate: names, dates, CA, and what to do.
std::string ExplainTls(const TlsReport& report, const TlsOptions* tls, const std::string& host);

}  // namespace rollguard::net
