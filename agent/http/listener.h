// SPDX-License-Identifier: Apache-2.0
// Opening the listening socket and the TLS context; everything that can fail at start.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "agent/base/expected.h"
#include "agent/http/server.h"

namespace rollguard::http {

struct Listener {
  int fd = -1;
  uint16_t port = 0;
};

// A non-blocking listening socket; never shares a port with another process.
Expected<Listener> OpenListener(const std::string& host, uint16_t port);

struct SslCtxDelete {
  void operator()(SSL_CTX* ctx) const { SSL_CTX_free(ctx); }
};
using SslContext = std::unique_ptr<SSL_CTX, SslCtxDelete>;

// TLS 1.2 and later. Errors name the file that cannot be used.
Expected<SslContext> MakeTlsContext(const ServerTls& tls);

}  // namespace rollguard::http
