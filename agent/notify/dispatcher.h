// SPDX-License-Identifier: Apache-2.0
// Who is told what, and the patience to tell it. Every channel has a queue of its own, bounded, and
// one notice under way: a channel that fails or hangs holds up its own queue and nothing else. A
// notice that may yet be delivered is tried again after a growing pause (or as long as the other
// side asks for); one that cannot be, or was tried too often, or found no room, becomes a dead
// letter that people can see.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/base/random.h"
#include "agent/notify/channel.h"
#include "agent/ports/timers.h"

namespace rollguard::notify {

// Names of the channels that a notice goes to by the routes alone: the first route that matches
// holds, and with `continue` those below are looked at too. A route without events stands for every
// terminal outcome.
std::vector<std::string> RoutesFor(const std::vector<spec::NotificationRoute>& routes,
                                   const Notice& notice);
// Outcomes that end a release or need a person now: promoted, rolledBack, rollbackFailed, rejected,
// superseded, limited, verified, notTheCause.
bool IsTerminal(std::string_view event);

// Belongs to the deciding thread; the timers must run there.
class Dispatcher final : public Notifier {
 public:
  static constexpr size_t kMaxWaiting = 1000;  // of one channel
  static constexpr size_t kMaxDeadLetters = 200;
  static constexpr size_t kRemembered = 5000;  // ids of notices, against telling twice

  struct Named {
    std::string name;
    std::string kind;
    std::unique_ptr<Channel> channel;
  };
  Dispatcher(Timers& timers, const Clock& clock, spec::NotificationsConfig config,
             std::vector<Named> channels, uint64_t seed);
  ~Dispatcher() override;
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  void Send(const Notice& notice) override;
  std::vector<DeadLetter> DeadLetters() const override;
  std::vector<ChannelHealth> Channels() const override;
  Status Retry(const std::string& letter) override;
  Status Discard(const std::string& letter) override;
  // Runs for each dead letter, for logs and metrics.
  void SetObserver(std::function<void(const DeadLetter&)> observer) {
    observer_ = std::move(observer);
  }

 private:
  struct Lane;
  void Enqueue(Lane& lane, const Notice& notice);
  void Next(Lane& lane);
  void Settle(Lane& lane, const Status& status);
  void Bury(Lane& lane, const Notice& notice, int64_t attempts, std::string error);
  void Bury(const std::string& channel, const Notice& notice, int64_t attempts, std::string error);
  Duration Pause(int64_t attempts, Duration asked);
  bool Remember(const std::string& id);

  Timers& timers_;
  const Clock& clock_;
  spec::NotificationsConfig config_;
  Random random_;
  std::map<std::string, std::unique_ptr<Lane>> lanes_;
  std::deque<DeadLetter> dead_;  // newest first
  std::deque<DeadLetter>::iterator FindLetter(const std::string& id);
  std::set<std::string> known_;
  std::deque<std::string> known_order_;
  std::function<void(const DeadLetter&)> observer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace rollguard::notify
