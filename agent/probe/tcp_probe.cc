// SPDX-License-Identifier: Apache-2.0
// A connection, opened and closed again. A name's addresses are tried one after another.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "agent/base/text.h"
#include "agent/probe/names.h"
#include "agent/probe/socket_loop.h"

namespace rollguard::probe {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

Address AddressOf(const std::string& text, int port) {
  Address address;
  auto net_port = htons(static_cast<uint16_t>(port));
  sockaddr_in four{};
  sockaddr_in6 six{};
  if (inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = net_port;
    std::memcpy(&address.storage, &four, sizeof four);
    address.size = sizeof four;
  } else if (inet_pton(AF_INET6, text.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = net_port;
    std::memcpy(&address.storage, &six, sizeof six);
    address.size = sizeof six;
  }
  return address;
}

class TcpTask final : public SocketTask {
 public:
  explicit TcpTask(TcpProbe probe) : probe_(std::move(probe)) {}
  ~TcpTask() override { Close(); }

  std::variant<SocketWait, ProbeAnswer> Advance(Duration elapsed) override {
    if (unnamed_) return ProbeAnswer::Fail(ProbeFault::kName, elapsed, unnamed_->message);
    if (!named_) return SocketWait{.fd = -1, .read = false, .write = false, .name = probe_.host};
    if (fd_ >= 0) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error == 0) return Connected(elapsed);
      Refused(error);
    }
    while (next_ < addresses_.size()) {
      int error = Connect(addresses_[next_++]);
      if (error == 0) return Connected(elapsed);
      if (error == EINPROGRESS)
        return SocketWait{.fd = fd_, .read = false, .write = true, .name = {}};
      Refused(error);
    }
    return ProbeAnswer::Fail(last_error_ == ECONNRESET ? ProbeFault::kReset : ProbeFault::kRefused,
                             elapsed, StrCat("cannot connect to ", Where(), ": ", reason_));
  }

  void Named(Expected<std::vector<std::string>> addresses) override {
    if (!addresses) {
      unnamed_ = addresses.error();
      return;
    }
    named_ = true;
    addresses_ = std::move(*addresses);
  }

  std::string Awaited() const override {
    return named_ ? StrCat("connection to ", Where())
                  : StrCat("address for the name ", Quote(probe_.host));
  }

 private:
  std::string Where() const { return StrCat(probe_.host, ":", probe_.port); }

  ProbeAnswer Connected(Duration elapsed) {
    Close();
    return ProbeAnswer::Pass(elapsed, StrCat("connected in ", FormatGoDuration(elapsed)));
  }

  // 0, EINPROGRESS, or why not.
  int Connect(const std::string& text) {
    Address address = AddressOf(text, probe_.port);
    fd_ = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return errno;
    auto* raw = reinterpret_cast<const sockaddr*>(&address.storage);
    return ::connect(fd_, raw, address.size) == 0 ? 0 : errno;
  }

  void Refused(int error) {
    last_error_ = error;
    reason_ = error == ECONNREFUSED ? "nobody listens there (connection refused)"
                                    : std::string(std::strerror(error));
    Close();
  }

  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  TcpProbe probe_;
  bool named_ = false;
  std::optional<Error> unnamed_;
  std::vector<std::string> addresses_;
  size_t next_ = 0;
  int fd_ = -1;
  int last_error_ = 0;
  std::string reason_ = "the name has no address";
};

}  // namespace

std::unique_ptr<SocketTask> MakeTcpTask(TcpProbe probe) {
  return std::make_unique<TcpTask>(std::move(probe));
}

}  // namespace rollguard::probe
