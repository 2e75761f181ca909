// SPDX-License-Identifier: Apache-2.0
#include "agent/notify/dispatcher.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "agent/base/text.h"

namespace rollguard::notify {
namespace {

constexpr int kMaxDoublings = 20;
constexpr Duration kLongestAsked = std::chrono::minutes(30);  // a Retry-After beyond is not waited

template <class List, class Value>
bool Holds(const List& list, const Value& value) {
  return std::find(std::begin(list), std::end(list), value) != std::end(list);
}

bool MatchesRoute(const spec::NotificationRoute& route, const Notice& notice) {
  if (!route.namespaces.empty() && !Holds(route.namespaces, notice.ns)) return false;
  if (!route.severities.empty() && !Holds(route.severities, notice.severity)) return false;
  return route.events.empty() ? IsTerminal(notice.event) : Holds(route.events, notice.event);
}

}  // namespace

struct Dispatcher::Lane {
  std::string name, kind;
  std::unique_ptr<Channel> channel;
  std::deque<Notice> waiting;  // the first one is under way, or waits for its next attempt
  bool busy = false;
  int64_t attempts = 0;  // of the first one
  TimerId timer = 0;
  uint64_t sent = 0, failed = 0, dropped = 0;
  std::string last_error;
  std::optional<Time> last_sent;
};

bool IsTerminal(std::string_view event) {
  constexpr std::string_view kTerminal[] = {"promoted", "rolledBack",  "rollbackFailed",
                                            "rejected", "superseded",  "limited",
                                            "verified", "notTheCause", "olderState"};
  return Holds(kTerminal, event);
}

std::vector<std::string> RoutesFor(const std::vector<spec::NotificationRoute>& routes,
                                   const Notice& notice) {
  std::vector<std::string> channels;
  for (const spec::NotificationRoute& route : routes) {
    if (!MatchesRoute(route, notice)) continue;
    if (!Holds(channels, route.channel)) channels.push_back(route.channel);
    if (!route.go_on) break;
  }
  return channels;
}

Dispatcher::Dispatcher(Timers& timers, const Clock& clock, spec::NotificationsConfig config,
                       std::vector<Named> channels, uint64_t seed)
    : timers_(timers), clock_(clock), config_(std::move(config)), random_(seed) {
  for (Named& named : channels) {
    auto lane = std::make_unique<Lane>();
    lane->name = named.name;
    lane->kind = named.kind;
    lane->channel = std::move(named.channel);
    lanes_[named.name] = std::move(lane);
  }
}

Dispatcher::~Dispatcher() {
  for (auto& [name, lane] : lanes_) {
    if (lane->timer != 0) timers_.CancelTimer(lane->timer);
  }
}

bool Dispatcher::Remember(const std::string& id) {
  if (id.empty()) return true;
  if (!known_.insert(id).second) return false;
  known_order_.push_back(id);
  if (known_order_.size() > kRemembered) {
    known_.erase(known_order_.front());
    known_order_.pop_front();
  }
  return true;
}

void Dispatcher::Send(const Notice& notice) {
  if (!Remember(notice.id)) return;
  std::vector<std::string> channels = RoutesFor(config_.routes, notice);
  for (const std::string& name : notice.channels) {
    if (!Holds(channels, name)) channels.push_back(name);
  }
  for (const std::string& name : channels) {
    auto found = lanes_.find(name);
    if (found != lanes_.end()) {
      Enqueue(*found->second, notice);
    } else {
      Bury(name, notice, 0, StrCat("the agent's configuration has no channel ", Quote(name)));
    }
  }
}

void Dispatcher::Enqueue(Lane& lane, const Notice& notice) {
  if (lane.waiting.size() >= kMaxWaiting) {
    // The oldest that is not under way makes room: news are worth more than history.
    Notice oldest = lane.waiting[1];
    lane.waiting.erase(lane.waiting.begin() + 1);
    Bury(lane, oldest, 0, StrCat("the queue of ", kMaxWaiting, " is full"));
  }
  lane.waiting.push_back(notice);
  Next(lane);
}

void Dispatcher::Next(Lane& lane) {
  if (lane.busy || lane.timer != 0 || lane.waiting.empty()) return;
  lane.busy = true;
  ++lane.attempts;
  lane.channel->Deliver(lane.waiting.front(),
                        [this, &lane, alive = std::weak_ptr(alive_)](const Status& status) {
                          if (!alive.expired()) Settle(lane, status);
                        });
}

// What follows goes through the timers, so that a channel that answers at once cannot nest calls.
void Dispatcher::Settle(Lane& lane, const Status& status) {
  lane.busy = false;
  Duration pause{0};
  if (status) {
    ++lane.sent;
    lane.last_sent = clock_.Now();
    lane.last_error.clear();
    lane.waiting.pop_front();
    lane.attempts = 0;
  } else {
    const Error& error = status.error();
    ++lane.failed;
    lane.last_error = error.message;
    if (error.retryable && lane.attempts < config_.max_attempts) {
      pause = Pause(lane.attempts, error.retry_after);
    } else {
      Notice notice = std::move(lane.waiting.front());
      lane.waiting.pop_front();
      int64_t attempts = std::exchange(lane.attempts, 0);
      Bury(lane, notice, attempts, error.message);
    }
  }
  if (lane.waiting.empty()) return;
  lane.timer = timers_.After(pause, [this, &lane] {
    lane.timer = 0;
    Next(lane);
  });
}

Duration Dispatcher::Pause(int64_t attempts, Duration asked) {
  int doublings = static_cast<int>(std::min<int64_t>(attempts - 1, kMaxDoublings));
  Duration backoff =
      std::min(config_.first_backoff * (int64_t{1} << doublings), config_.max_backoff);
  // Between 3/4 and 5/4: many agents must not come back as one.
  backoff = FromSeconds(ToSeconds(backoff) * (0.75 + 0.5 * random_.Uniform()));
  return std::max({backoff, std::min(asked, kLongestAsked), Duration(1)});
}

void Dispatcher::Bury(Lane& lane, const Notice& notice, int64_t attempts, std::string error) {
  ++lane.dropped;
  Bury(lane.name, notice, attempts, std::move(error));
}

void Dispatcher::Bury(const std::string& channel, const Notice& notice, int64_t attempts,
                      std::string error) {
  std::string id = Format("%010llx", static_cast<unsigned long long>(random_.Next() >> 24));
  dead_.push_front({std::move(id), clock_.Now(), channel, notice, attempts, std::move(error)});
  if (dead_.size() > kMaxDeadLetters) dead_.pop_back();
  if (observer_) observer_(dead_.front());
}

std::deque<DeadLetter>::iterator Dispatcher::FindLetter(const std::string& id) {
  return std::find_if(dead_.begin(), dead_.end(),
                      [&](const DeadLetter& letter) { return letter.id == id; });
}

Status Dispatcher::Retry(const std::string& letter) {
  auto found = FindLetter(letter);
  if (found == dead_.end())
    return Error(ErrorCode::kNotFound, StrCat("there is no dead letter ", Quote(letter)));
  auto lane = lanes_.find(found->channel);
  if (lane == lanes_.end())
    return Error(ErrorCode::kConflict,
                 StrCat("the agent's configuration has no channel ", Quote(found->channel),
                        ": add it, or discard the letter"));
  Notice notice = std::move(found->notice);
  dead_.erase(found);
  Enqueue(*lane->second, notice);
  return {};
}

Status Dispatcher::Discard(const std::string& letter) {
  auto found = FindLetter(letter);
  if (found == dead_.end())
    return Error(ErrorCode::kNotFound, StrCat("there is no dead letter ", Quote(letter)));
  dead_.erase(found);
  return {};
}

std::vector<DeadLetter> Dispatcher::DeadLetters() const { return {dead_.begin(), dead_.end()}; }

std::vector<ChannelHealth> Dispatcher::Channels() const {
  std::vector<ChannelHealth> all;
  for (const auto& [name, lane] : lanes_) {
    ChannelHealth health;
    health.channel = name;
    health.kind = lane->kind;
    health.waiting = lane->waiting.size();
    health.sent = lane->sent;
    health.failed = lane->failed;
    health.dropped = lane->dropped;
    health.last_error = lane->last_error;
    health.last_sent = lane->last_sent;
    all.push_back(std::move(health));
  }
  return all;
}

}  // namespace rollguard::notify
