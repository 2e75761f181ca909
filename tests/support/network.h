// SPDX-License-Identifier: Apache-2.0
// A network of a test's own: nodes that are network namespaces, each with a wire (a veth pair) to a
// router in the middle, which is a namespace too and has a wire to the machine. Whatever two of
// them tell each other passes the router, and there packets can be lost: silently, in both
// directions, with nothing at either end that knows. What was under way is sent again by TCP and
// arrives late.
//
// Nothing has a name outside but the machine's end of its wire, rgPID; the namespaces are held by
// this process alone. The kernel takes all of it away with the process, however that ends. The
// addresses (198.18.0.0/15, which is set aside for tests) are chosen by the process id.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/base/expected.h"
#include "tests/support/address.h"

namespace rollguard::testing {

// Packets between the two, whoever sends them. No host: anybody's; no port: all of them.
struct Loss {
  Address one;
  Address other{"", 0};
  auto operator<=>(const Loss&) const = default;
};

class Network {
 public:
  // At most 7 nodes. Only when each of them has reached the machine, packets were lost as they
  // should, and passed again; else the error says what is missing or not permitted. Needs
  // CAP_NET_ADMIN and CAP_SYS_ADMIN, ip and iptables-restore.
  static Expected<std::unique_ptr<Network>> Start(size_t nodes);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  std::string HostOf(size_t node) const;
  // What a command begins with that is to run there.
  std::vector<std::string> Enter(size_t node) const;
  // A new TCP socket of that node, for any thread; -1 with errno.
  int Socket(size_t node) const;
  // From now on, for connections old and new. On one thread at a time.
  Status SetLost(const Loss& loss, bool lost);

 private:
  Network() = default;
  Status Build(size_t nodes);
  Status ProveNode(size_t node);
  std::string HostAt(size_t number) const;
  std::string Machine() const { return HostAt(1); }
  std::vector<std::string> EnterSpace(int space) const;
  Status Configure(int space, const std::string& commands) const;

  std::string link_;  // the machine's end of its wire, once it is there
  uint32_t block_ = 0;
  int router_ = -1;
  std::vector<int> nodes_;
  std::set<Loss> lost_;
};

}  // namespace rollguard::testing
