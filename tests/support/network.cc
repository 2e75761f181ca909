// SPDX-License-Identifier: Apache-2.0
// A block of 32 addresses: .0/30 is the machine (.1) and the router (.2), then four for each node:
// the router's end (.1 of them) and its own (.2 of them).
#include "tests/support/network.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <thread>

#include "agent/base/text.h"
#include "tests/support/process.h"

namespace rollguard::testing {
namespace {

using std::chrono::milliseconds;

constexpr uint32_t kRange = (198U << 24) + (18U << 16);
constexpr uint32_t kBlocks = 4096, kBlock = 32;
constexpr size_t kMaxNodes = 7;
constexpr milliseconds kAnswers{
    10000};  // a first packet that was lost is sent again after 1, 3, 7 s
constexpr milliseconds kSilence{300};

Error Failed(const std::string& what) {
  return Error(ErrorCode::kUnavailable, StrCat(what, ": ", std::strerror(errno)));
}

// On a thread, whose namespace it changes; what it opens stays there.
template <typename Do>
int OnThread(Do&& act) {
  int result = -1, error = 0;
  std::thread([&] {
    result = act();
    error = errno;
  }).join();
  errno = error;
  return result;
}

int NewSpace() {
  return OnThread([] {
    return ::unshare(CLONE_NEWNET) == 0 ? ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
                                        : -1;
  });
}

int Within(int space, const std::function<int()>& act) {
  return OnThread([&] { return ::setns(space, CLONE_NEWNET) == 0 ? act() : -1; });
}

int Forward() {
  const int fd = ::open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  const ssize_t written = ::write(fd, "1", 1);
  ::close(fd);
  return written == 1 ? 0 : -1;
}

std::string PathOf(int space) {
  return StrCat("/proc/", static_cast<int64_t>(::getpid()), "/fd/", space);
}

// A first address that no interface of the machine has anything near.
uint32_t FreeBlock() {
  std::set<uint32_t> taken;
  ifaddrs* all = nullptr;
  (void)::getifaddrs(&all);
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    sockaddr_in address{};
    std::memcpy(&address, one->ifa_addr, sizeof address);
    taken.insert(ntohl(address.sin_addr.s_addr) / kBlock);
  }
  ::freeifaddrs(all);
  auto block = [](uint32_t number) { return kRange + number % kBlocks * kBlock; };
  auto number = static_cast<uint32_t>(::getpid());
  while (taken.contains(block(number) / kBlock)) ++number;
  return block(number);
}

// A connection that is begun.
class Attempt {
 public:
  Attempt(int fd, const Address& to) : fd_(fd) {
    const sockaddr_in address = to.Inet();
    ::fcntl(fd_, F_SETFL, O_NONBLOCK);
    (void)::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  ~Attempt() { ::close(fd_); }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  bool Answered(milliseconds limit) const {
    pollfd wait{fd_, POLLOUT, 0};
    return ::poll(&wait, 1, static_cast<int>(limit.count())) == 1;
  }
  bool Succeeds(milliseconds limit) const {
    int error = 0;
    socklen_t size = sizeof error;
    return Answered(limit) && ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 &&
           error == 0;
  }

 private:
  int fd_;
};

// One direction of a loss.
std::string Rule(const Address& from, const Address& to) {
  std::string rule = "-A FORWARD";
  if (!from.host.empty()) rule += " -s " + from.host;
  if (!to.host.empty()) rule += " -d " + to.host;
  if (from.port != 0 || to.port != 0) rule += " -p tcp";
  if (from.port != 0) rule += StrCat(" --sport ", from.port);
  if (to.port != 0) rule += StrCat(" --dport ", to.port);
  return rule + " -j DROP\n";
}

Status Ran(const std::vector<std::string>& command, const std::string& input) {
  const RunResult result = Run(command, input);
  if (result.code == 0) return {};
  return Error(ErrorCode::kUnavailable,
               StrCat(Join(command, " "), ": ", Trim(result.err + result.out)));
}

}  // namespace

Expected<std::unique_ptr<Network>> Network::Start(size_t nodes) {
  std::unique_ptr<Network> network(new Network);
  if (Status built = network->Build(nodes); !built) return built.error();
  for (size_t node = 0; node < nodes; ++node) {
    if (Status proven = network->ProveNode(node); !proven) return proven.error();
  }
  return network;
}

Network::~Network() {
  if (!link_.empty()) (void)Run({"ip", "link", "delete", link_});
  for (const int node : nodes_) ::close(node);
  if (router_ >= 0) ::close(router_);
}

std::string Network::HostAt(size_t number) const {
  in_addr address{htonl(block_ + static_cast<uint32_t>(number))};
  char text[INET_ADDRSTRLEN] = "";
  return ::inet_ntop(AF_INET, &address, text, sizeof text);
}

std::string Network::HostOf(size_t node) const { return HostAt(4 * node + 6); }

std::vector<std::string> Network::EnterSpace(int space) const {
  return {"nsenter", "--net=" + PathOf(space)};
}

std::vector<std::string> Network::Enter(size_t node) const { return EnterSpace(nodes_.at(node)); }

int Network::Socket(size_t node) const {
  return Within(nodes_.at(node), [] { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); });
}

Status Network::Configure(int space, const std::string& commands) const {
  std::vector<std::string> command = EnterSpace(space);
  command.insert(command.end(), {"ip", "-batch", "-"});
  return Ran(command, commands);
}

Status Network::Build(size_t nodes) {
  if (nodes > kMaxNodes) return Error(ErrorCode::kInvalid, "too many nodes for a network");
  block_ = FreeBlock();
  router_ = NewSpace();
  if (router_ < 0) return Failed("unshare of the network");
  const std::string link = StrCat("rg", static_cast<int64_t>(::getpid()));
  const std::string router = HostAt(2);
  if (Status added = Ran({"ip", "link", "add", link, "type", "veth", "peer", "name", "machine",
                          "netns", PathOf(router_)},
                         {});
      !added)
    return added;
  link_ = link;
  Status up = Ran({"ip", "-batch", "-"},
                  StrCat("addr add ", Machine(), "/30 dev ", link, "\nlink set ", link,
                         " up\nroute add ", HostAt(0), "/27 via ", router, "\n"));
  if (!up) return up;
  std::string routes =
      StrCat("link set lo up\naddr add ", router, "/30 dev machine\nlink set machine up\n");
  for (size_t i = 0; i < nodes; ++i) {
    nodes_.push_back(NewSpace());
    if (nodes_.back() < 0) return Failed("unshare of the network");
    const std::string gate = HostAt(4 * i + 5);
    routes += StrCat("link add node", i, " type veth peer name eth0 netns ", PathOf(nodes_[i]),
                     "\naddr add ", gate, "/30 dev node", i, "\nlink set node", i, " up\n");
  }
  if (Status routed = Configure(router_, routes); !routed) return routed;
  if (Within(router_, Forward) != 0) return Failed("ip_forward");
  for (size_t i = 0; i < nodes; ++i) {
    Status on =
        Configure(nodes_[i], StrCat("link set lo up\naddr add ", HostOf(i),
                                    "/30 dev eth0\nlink set eth0 up\nroute add default via ",
                                    HostAt(4 * i + 5), "\n"));
    if (!on) return on;
  }
  return {};
}

// A connection to the machine, one whose first packet is lost, and that one again.
Status Network::ProveNode(size_t node) {
  Address machine(Machine(), 0);
  sockaddr_in bound = machine.Inet();
  socklen_t size = sizeof bound;
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool listens = ::bind(listener, reinterpret_cast<sockaddr*>(&bound), size) == 0 &&
                       ::listen(listener, 8) == 0 &&
                       ::getsockname(listener, reinterpret_cast<sockaddr*>(&bound), &size) == 0;
  if (!listens) {
    ::close(listener);
    return Failed("listening on " + machine.Text());
  }
  machine.port = ntohs(bound.sin_port);
  const Loss loss{{HostOf(node), 0}};
  Status well;
  auto fail = [&](const char* what) { well = Error(ErrorCode::kUnavailable, what); };
  if (!Attempt(Socket(node), machine).Succeeds(kAnswers)) fail("a node does not reach the machine");
  if (well) well = SetLost(loss, true);
  if (well) {
    const Attempt lost(Socket(node), machine);
    if (lost.Answered(kSilence)) fail("packets are answered that should be lost");
    if (well) well = SetLost(loss, false);
    if (well && !lost.Succeeds(kAnswers)) fail("packets are lost that should pass");
  }
  ::close(listener);
  return well;
}

Status Network::SetLost(const Loss& loss, bool lost) {
  if (lost) {
    lost_.insert(loss);
  } else {
    lost_.erase(loss);
  }
  // All at once, in the place of what was.
  std::string table = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n";
  for (const Loss& one : lost_) table += Rule(one.one, one.other) + Rule(one.other, one.one);
  std::vector<std::string> command = EnterSpace(router_);
  command.emplace_back("iptables-restore");
  return Ran(command, table + "COMMIT\n");
}

}  // namespace rollguard::testing
