// SPDX-License-Identifier: Apache-2.0
#include "agent/http/connection.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace rollguard::http {
namespace {

constexpr size_t kChunk = 16 << 10;

Io FromErrno() {
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return Io::kWantRead;
  return Io::kClosed;
}

Io FromSsl(SSL* ssl, int result) {
  int error = SSL_get_error(ssl, result);
  ERR_clear_error();
  if (error == SSL_ERROR_WANT_READ) return Io::kWantRead;
  if (error == SSL_ERROR_WANT_WRITE) return Io::kWantWrite;
  return Io::kClosed;
}

}  // namespace

Connection::Connection(int socket, uint64_t number, std::string peer,
                       std::unique_ptr<SSL, SslDelete> ssl)
    : fd(socket), id(number), remote(std::move(peer)), ssl_(std::move(ssl)) {
  if (ssl_) state = State::kHandshake;
}

Connection::~Connection() {
  if (ssl_) SSL_shutdown(ssl_.get());
  ::close(fd);
}

Io Connection::Handshake() {
  int result = SSL_accept(ssl_.get());
  return result == 1 ? Io::kDone : FromSsl(ssl_.get(), result);
}

Io Connection::Read(size_t limit) {
  std::array<char, kChunk> buffer;
  while (in.size() < limit) {
    size_t want = std::min(buffer.size(), limit - in.size());
    ssize_t n = 0;
    if (ssl_) {
      int got = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(want));
      if (got <= 0) return FromSsl(ssl_.get(), got);
      n = got;
    } else {
      n = ::recv(fd, buffer.data(), want, 0);
      if (n == 0) return Io::kClosed;
      if (n < 0) return FromErrno();
    }
    in.append(buffer.data(), static_cast<size_t>(n));
    if (!ssl_ && static_cast<size_t>(n) < want) return Io::kWantRead;
  }
  return Io::kDone;
}

Io Connection::Write() {
  size_t sent = 0;
  Io result = Io::kDone;
  while (sent < out.size()) {
    ssize_t n = 0;
    if (ssl_) {
      int put = SSL_write(ssl_.get(), out.data() + sent,
                          static_cast<int>(std::min<size_t>(out.size() - sent, 1U << 20)));
      if (put <= 0) {
        result = FromSsl(ssl_.get(), put);
        break;
      }
      n = put;
    } else {
      n = ::send(fd, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
      if (n < 0) {
        result = FromErrno() == Io::kClosed ? Io::kClosed : Io::kWantWrite;
        break;
      }
    }
    sent += static_cast<size_t>(n);
  }
  out.erase(0, sent);
  return result;
}

void Connection::ShutdownWrite() {
  if (ssl_) SSL_shutdown(ssl_.get());
  ::shutdown(fd, SHUT_WR);
}

std::string Connection::PeerIdentity() const {
  if (!ssl_) return {};
  std::unique_ptr<X509, decltype(&X509_free)> cert(SSL_get1_peer_certificate(ssl_.get()),
                                                   &X509_free);
  if (!cert || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return {};
  std::array<char, 256> name{};
  X509_NAME_get_text_by_NID(X509_get_subject_name(cert.get()), NID_commonName, name.data(),
                            static_cast<int>(name.size()));
  return name.data();
}

}  // namespace rollguard::http
