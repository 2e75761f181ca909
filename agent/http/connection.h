// SPDX-License-Identifier: Apache-2.0
// One accepted socket and how far its exchange has come. Owned and touched by the loop thread only.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "agent/base/time.h"
#include "agent/http/head.h"

namespace rollguard::http {

struct SslDelete {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

// What one attempt to move bytes led to.
enum class Io { kDone, kWantRead, kWantWrite, kClosed };

class Connection {
 public:
  enum class State { kHandshake, kHead, kBody, kWorking, kWriting, kDraining, kStreaming };

  Connection(int fd, uint64_t id, std::string remote, std::unique_ptr<SSL, SslDelete> ssl);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Io Handshake();
  // Appends what has arrived to `in`, at most up to `limit` bytes of buffer.
  Io Read(size_t limit);
  // Sends from `out`; kDone when it is empty.
  Io Write();
  // Says that nothing more will be sent; what the client still sends is thrown away.
  void ShutdownWrite();
  std::string PeerIdentity() const;

  const int fd;
  const uint64_t id;
  const std::string remote;
  State state = State::kHead;
  std::chrono::nanoseconds deadline{0};
  std::chrono::nanoseconds last_active{0};
  uint32_t interest = 0;  // epoll events asked for now

  std::string in;
  std::string out;
  Head head;
  bool close_after_write = false;
  bool drain_before_close = false;  // refused early: let the client read the answer first
  bool idle = true;                 // between requests: nothing of the next one has arrived

  // Event streams.
  std::function<bool(const Event&)> wants;
  uint64_t sent_id = 0;
  std::shared_ptr<const std::function<bool()>> still_allowed;  // null: nobody asks
  std::chrono::milliseconds ask_again{0};
  std::chrono::nanoseconds ask_at{0};

 private:
  std::unique_ptr<SSL, SslDelete> ssl_;
};

}  // namespace rollguard::http
