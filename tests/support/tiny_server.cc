// SPDX-License-Identifier: Apache-2.0
#include "tests/support/tiny_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "agent/base/text.h"

namespace rollguard::testing {
namespace {

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::abort();
}

X509* ReadCert(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* cert = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  return cert;
}

SSL_CTX* MakeContext(const TinyOptions& options) {
  SSL_CTX* ctx = SSL_CTX_new(TLS_server_method());
  X509* cert = ReadCert(options.cert_pem);
  BIO* bio = BIO_new_mem_buf(options.key_pem.data(), static_cast<int>(options.key_pem.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  if (SSL_CTX_use_certificate(ctx, cert) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1) {
    Die("tiny server: certificate");
  }
  X509_free(cert);
  EVP_PKEY_free(key);
  if (!options.client_ca_pem.empty()) {
    X509* ca = ReadCert(options.client_ca_pem);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca);
    X509_free(ca);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return ctx;
}

int ListenTcp(int& port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd, 1024) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    Die("tiny server: listen");
  }
  port = ntohs(address.sin_port);
  return fd;
}

int ListenUnix(const std::string& path) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  unlink(path.c_str());
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd, 1024) != 0) {
    Die("tiny server: unix socket");
  }
  return fd;
}

TinyRequest ParseHead(std::string_view head) {
  TinyRequest request;
  std::vector<std::string_view> lines = Split(head, '\n');
  std::vector<std::string_view> words = Split(Trim(lines[0]), ' ');
  request.method = words[0];
  if (words.size() > 1) request.target = words[1];
  for (size_t i = 1; i < lines.size(); ++i) {
    size_t colon = lines[i].find(':');
    if (colon == std::string_view::npos) continue;
    request.headers.emplace_back(ToLower(lines[i].substr(0, colon)),
                                 Trim(lines[i].substr(colon + 1)));
  }
  return request;
}

}  // namespace

std::string PercentDecode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out +=
          static_cast<char>(std::strtol(std::string(text.substr(i + 1, 2)).c_str(), nullptr, 16));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string TinyRequest::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

std::string TinyRequest::Query(std::string_view name) const {
  size_t mark = target.find('?');
  if (mark == std::string::npos) return {};
  for (std::string_view pair : Split(std::string_view(target).substr(mark + 1), '&')) {
    size_t equals = pair.find('=');
    if (PercentDecode(pair.substr(0, equals)) != name) continue;
    return equals == std::string_view::npos ? "" : PercentDecode(pair.substr(equals + 1));
  }
  return {};
}

bool TinyConnection::Respond(int status, std::string_view body, const Headers& headers) {
  std::string out = StrCat("HTTP/1.1 ", status, " Status\r\nContent-Length: ", body.size(), "\r\n");
  for (const auto& [name, value] : headers) out += StrCat(name, ": ", value, "\r\n");
  out += "\r\n";
  out += body;
  return Write(out);
}

bool TinyConnection::StartChunked(int status, const Headers& headers) {
  std::string out = StrCat("HTTP/1.1 ", status, " Status\r\nTransfer-Encoding: chunked\r\n");
  for (const auto& [name, value] : headers) out += StrCat(name, ": ", value, "\r\n");
  return Write(out + "\r\n");
}

bool TinyConnection::Chunk(std::string_view data) {
  return Write(StrCat(Format("%zx", data.size()), "\r\n", data, "\r\n"));
}

bool TinyConnection::EndChunks() { return Write("0\r\n\r\n"); }

class TinyServer::Link final : public TinyConnection {
 public:
  explicit Link(int fd) : fd_(fd) {}
  ~Link() override {
    if (ssl_ != nullptr) SSL_free(ssl_);
    if (fd_ >= 0) close(fd_);
  }

  bool Handshake(void* ctx) {
    if (ctx == nullptr) return true;
    ssl_ = SSL_new(static_cast<SSL_CTX*>(ctx));
    SSL_set_fd(ssl_, fd_);
    return SSL_accept(ssl_) == 1;
  }

  bool Write(std::string_view bytes) override {
    while (!bytes.empty()) {
      size_t part = std::min<size_t>(bytes.size(), 1U << 20);
      ssize_t sent = ssl_ != nullptr ? SSL_write(ssl_, bytes.data(), static_cast<int>(part))
                                     : send(fd_, bytes.data(), part, MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  void AwaitClose() override {
    pollfd waiting{fd_, POLLRDHUP, 0};
    while (poll(&waiting, 1, -1) >= 0 && (waiting.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0) {
    }
    closing_ = true;
  }

  void Close() override { closing_ = true; }
  bool closing() const { return closing_; }

  std::thread thread;
  std::atomic<bool> ended{false};  // its thread

  // From its own thread: the peer sees an orderly end.
  void Finish() {
    if (ssl_ != nullptr) SSL_shutdown(ssl_);
    Abort();
  }
  // From any thread: whatever its thread waits for ends.
  void Abort() { shutdown(fd_, SHUT_RDWR); }

  bool ReadRequest(TinyRequest* request) {
    size_t end;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!Fill()) return false;
    }
    *request = ParseHead(std::string_view(buffer_).substr(0, end));
    buffer_.erase(0, end + 4);
    auto length = static_cast<size_t>(ParseInt(request->Header("content-length")).value_or(0));
    while (buffer_.size() < length) {
      if (!Fill()) return false;
    }
    request->body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return true;
  }

 private:
  bool Fill() {
    char chunk[16384];
    ssize_t got =
        ssl_ != nullptr ? SSL_read(ssl_, chunk, sizeof chunk) : recv(fd_, chunk, sizeof chunk, 0);
    if (got <= 0) return false;
    buffer_.append(chunk, static_cast<size_t>(got));
    return true;
  }

  int fd_;
  SSL* ssl_ = nullptr;
  std::string buffer_;
  bool closing_ = false;
};

TinyServer::TinyServer(TinyHandler handler, TinyOptions options)
    : handler_(std::move(handler)), options_(std::move(options)) {
  std::signal(SIGPIPE, SIG_IGN);  // SSL_write has no MSG_NOSIGNAL
  if (!options_.cert_pem.empty()) tls_ = MakeContext(options_);
  listener_ = options_.unix_socket.empty() ? ListenTcp(port_) : ListenUnix(options_.unix_socket);
  acceptor_ = std::thread([this] { Accept(); });
}

TinyServer::~TinyServer() {
  stopping_ = true;
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  {
    std::lock_guard lock(mutex_);
    for (Link& link : links_) link.Abort();
  }
  for (Link& link : links_) link.thread.join();
  links_.clear();
  close(listener_);
  if (!options_.unix_socket.empty()) unlink(options_.unix_socket.c_str());
  SSL_CTX_free(static_cast<SSL_CTX*>(tls_));
}

std::string TinyServer::Url(std::string_view path) const {
  return StrCat(tls_ != nullptr ? "https" : "http", "://127.0.0.1:", port_, path);
}

void TinyServer::Accept() {
  for (;;) {
    int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0 || stopping_) {
      if (fd >= 0) close(fd);
      return;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ++connections_;
    std::lock_guard lock(mutex_);
    links_.remove_if([](Link& old) {
      const bool over = old.ended;
      if (over) old.thread.join();
      return over;
    });
    Link& link = links_.emplace_back(fd);
    link.thread = std::thread([this, &link] { Serve(link); });
  }
}

void TinyServer::Serve(Link& link) {
  if (link.Handshake(tls_)) {
    TinyRequest request;
    while (!stopping_ && !link.closing() && link.ReadRequest(&request)) {
      ++requests_;
      handler_(request, link);
    }
  }
  link.Finish();
  link.ended = true;
}

}  // namespace rollguard::testing
