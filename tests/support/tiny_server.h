// SPDX-License-Identifier: Apache-2.0
// A small HTTP/1.1 server for tests of outbound HTTP: it hands each request to a scripted handler
// that may answer well, badly, slowly or not at all. Plain TCP, TLS or a unix socket; a thread per
// connection. Nothing in it depends on time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace rollguard::testing {

// A part of a query as it was meant: %41 and + undone.
std::string PercentDecode(std::string_view text);

struct TinyRequest {
  std::string method;
  std::string target;                                        // "/path?query"
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;

  std::string Header(std::string_view name) const;
  std::string Path() const { return target.substr(0, target.find('?')); }
  // The decoded value of a query parameter, or "".
  std::string Query(std::string_view name) const;
};

// What a handler answers through. Used by its own thread only.
class TinyConnection {
 public:
  virtual ~TinyConnection() = default;
  // Raw bytes; false when the peer is gone or the server stops.
  virtual bool Write(std::string_view bytes) = 0;
  // Blocks until the peer closes or the server stops.
  virtual void AwaitClose() = 0;
  // Ends the connection after the handler returns, instead of reading another request.
  virtual void Close() = 0;

  using Headers = std::vector<std::pair<std::string, std::string>>;
  // A whole answer with Content-Length.
  bool Respond(int status, std::string_view body, const Headers& headers = {});
  // A chunked answer: head, any number of chunks, end.
  bool StartChunked(int status, const Headers& headers = {});
  bool Chunk(std::string_view data);
  bool EndChunks();
};

using TinyHandler = std::function<void(const TinyRequest&, TinyConnection&)>;

struct TinyOptions {
  std::string cert_pem;  // given: TLS with this certificate and key
  std::string key_pem;
  std::string client_ca_pem;  // given: a client certificate of this CA is demanded
  std::string unix_socket;    // given: listens there instead of on a loopback port
};

// Listens from the constructor to the destructor, which ends all connections and joins.
// Handlers run on many threads at once.
class TinyServer {
 public:
  explicit TinyServer(TinyHandler handler, TinyOptions options = {});
  ~TinyServer();
  TinyServer(const TinyServer&) = delete;
  TinyServer& operator=(const TinyServer&) = delete;

  int port() const { return port_; }
  std::string Url(std::string_view path = "") const;  // "http://127.0.0.1:PORT" + path
  int connections() const { return connections_; }    // accepted so far
  int requests() const { return requests_; }          // read so far

 private:
  class Link;
  void Accept();
  void Serve(Link& link);

  TinyHandler handler_;
  TinyOptions options_;
  void* tls_ = nullptr;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connections_{0};
  std::atomic<int> requests_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::list<Link> links_;
  std::thread acceptor_;
};

}  // namespace rollguard::testing
