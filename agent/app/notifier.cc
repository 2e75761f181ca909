// SPDX-License-Identifier: Apache-2.0
#include "agent/app/notifier.h"

#include <algorithm>

#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/kube/events.h"
#include "agent/notify/message.h"

namespace rollguard::app {
namespace {

constexpr size_t kDecisions = 8;
// The engine's own words for an end come right after the state was written.
constexpr Duration kOwnWords = std::chrono::seconds(10);

// The event that an outcome of release::LastOutcome stands for.
std::string EventOf(const std::string& outcome) {
  if (outcome == "failed") return "rollbackFailed";
  return outcome;  // promoted, rolledBack, rejected, superseded
}

spec::RuleSeverity SeverityOf(const std::string& event) {
  if (event == "rollbackFailed" || event == "rolledBack") return spec::RuleSeverity::kCritical;
  if (event == "rejected") return spec::RuleSeverity::kHigh;
  return spec::RuleSeverity::kLow;
}

// Told once for each release; `verified` and the like are words after the end.
bool EndsRelease(std::string_view event) {
  return event == "promoted" || event == "rolledBack" || event == "rollbackFailed" ||
         event == "rejected" || event == "superseded";
}

class EventChannel final : public notify::Channel {
 public:
  EventChannel(Cluster& cluster, spec::ChannelConfig config, std::string instance)
      : cluster_(cluster), config_(std::move(config)), instance_(std::move(instance)) {}

  void Deliver(const Notice& notice, notify::Delivered done) override {
    auto message = notify::Render(config_, notice);
    if (!message) {
      done(message.error());
      return;
    }
    kube::EventNote note;
    note.regarding = Json::Obj({{"apiVersion", "apps/v1"},
                                {"kind", notice.workload_kind},
                                {"namespace", notice.ns},
                                {"name", notice.workload}});
    bool warning = notice.severity == spec::RuleSeverity::kCritical ||
                   notice.severity == spec::RuleSeverity::kHigh;
    note.type = warning ? "Warning" : "Normal";
    note.reason = notice.event;
    if (!note.reason.empty() && note.reason[0] >= 'a' && note.reason[0] <= 'z')
      note.reason[0] = static_cast<char>(note.reason[0] - 'a' + 'A');
    note.action = "Release";
    note.note = message->text;
    note.instance = instance_;
    note.time = notice.at;
    kube::SendEvent(cluster_, note,
                    [alive = std::weak_ptr(alive_), done = std::move(done)](Status status) {
                      if (!alive.expired()) done(std::move(status));
                    });
  }

 private:
  Cluster& cluster_;
  spec::ChannelConfig config_;
  std::string instance_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

NotifyListener::~NotifyListener() {
  for (auto& [guard, story] : stories_) {
    if (story.timer != 0) timers_.CancelTimer(story.timer);
  }
}

void NotifyListener::Decided(const spec::Guard& guard, const release::Decision& decision) {
  std::vector<std::string> signals;
  for (const release::Signal& signal : decision.signals) signals.push_back(signal.name);
  auto& decided = stories_[guard.Id()].decided;
  if (decided.size() == kDecisions) decided.erase(decided.begin());
  decided.push_back({decision.id, decision.release, decision.revision, decision.phase,
                     decision.weight, decision.actor, decision.reason, std::move(signals)});
}

Notice NotifyListener::Begin(const spec::Guard& guard) const {
  Notice notice;
  notice.at = clock_.Now();
  notice.cluster = cluster_;
  notice.ns = guard.metadata.ns;
  notice.guard = guard.metadata.name;
  notice.guard_uid = guard.metadata.uid;
  notice.workload = guard.target.name;
  notice.workload_kind = guard.target.kind;
  return notice;
}

std::vector<std::string> NotifyListener::ChannelsFor(const spec::Guard& guard,
                                                     const std::string& event) {
  std::vector<std::string> channels;
  for (const spec::NotificationRef& ref : guard.notifications) {
    bool wanted = ref.events.empty()
                      ? notify::IsTerminal(event)
                      : std::find(ref.events.begin(), ref.events.end(), event) != ref.events.end();
    if (wanted && std::find(channels.begin(), channels.end(), ref.channel) == channels.end())
      channels.push_back(ref.channel);
  }
  return channels;
}

void NotifyListener::Send(const spec::Guard& guard, Notice notice) {
  notice.channels = ChannelsFor(guard, notice.event);
  notifier_.Send(notice);
}

void NotifyListener::Told(const spec::Guard& guard, const release::Notify& told) {
  Story& story = stories_[guard.Id()];
  Notice notice = Begin(guard);
  notice.event = told.event;
  notice.severity = told.severity;
  notice.text = told.text;
  notice.decision = told.decision;
  auto basis = std::find_if(story.decided.rbegin(), story.decided.rend(),
                            [&](const Basis& b) { return b.decision == told.decision; });
  if (basis != story.decided.rend()) {
    notice.release = basis->release;
    notice.revision = basis->revision;
    notice.phase = basis->phase;
    notice.weight = basis->weight;
    notice.actor = basis->actor;
    notice.reason = basis->reason;
    notice.signals = basis->signals;
  }
  // The action may be carried out twice; the decision behind it is the same then.
  notice.id =
      ShortHash(StrCat(guard.Id(), "|", guard.metadata.uid, "|", told.event, "|", told.text, "|",
                       told.decision.empty() ? FormatRfc3339(notice.at) : told.decision),
                12);
  if (EndsRelease(told.event)) {
    story.told_release = notice.release;
    if (story.ending && (notice.release.empty() || story.ending->release == notice.release)) {
      story.told_release = story.ending->release;
      story.ending.reset();
    }
  }
  Send(guard, std::move(notice));
}

void NotifyListener::Changed(const spec::Guard& guard, const release::GuardState& before,
                             const release::GuardState& after, const release::Observation&) {
  if (!before.release || !after.last || after.last->release != before.release->id) return;
  if (after.release && after.release->id == before.release->id) return;
  Story& story = stories_[guard.Id()];
  if (story.told_release == before.release->id) return;
  Notice notice = Begin(guard);
  notice.event = EventOf(after.last->outcome);
  notice.severity = SeverityOf(notice.event);
  notice.release = after.last->release;
  notice.revision = after.last->revision;
  notice.actor = "rollguard";
  notice.text = after.last->reason.empty()
                    ? StrCat("revision ", notice.revision, " ", notify::HeadlineOf(notice.event))
                    : after.last->reason;
  notice.id = ShortHash(StrCat(guard.Id(), "|", notice.release, "|end|", notice.event), 12);
  notice.channels = ChannelsFor(guard, notice.event);
  story.ending = std::move(notice);
  if (story.timer != 0) timers_.CancelTimer(story.timer);
  story.timer = timers_.After(kOwnWords, [this, id = guard.Id()] {
    auto found = stories_.find(id);
    if (found == stories_.end()) return;
    found->second.timer = 0;
    if (!found->second.ending) return;
    found->second.told_release = found->second.ending->release;
    notifier_.Send(*found->second.ending);
    found->second.ending.reset();
  });
}

void NotifyListener::Removed(const std::string& guard) {
  auto found = stories_.find(guard);
  if (found == stories_.end()) return;
  if (found->second.timer != 0) timers_.CancelTimer(found->second.timer);
  if (found->second.ending) notifier_.Send(*found->second.ending);
  stories_.erase(found);
}

std::unique_ptr<notify::Channel> MakeEventChannel(Cluster& cluster, spec::ChannelConfig config,
                                                  std::string instance) {
  return std::make_unique<EventChannel>(cluster, std::move(config), std::move(instance));
}

std::vector<notify::Dispatcher::Named> MakeChannels(const spec::AgentConfig& config,
                                                    const notify::HttpPorts& ports,
                                                    Cluster& cluster, const std::string& instance) {
  std::vector<notify::Dispatcher::Named> channels;
  for (const spec::ChannelConfig& channel : config.notifications.channels) {
    auto made = notify::MakeHttpChannel(channel, config.alertmanagers, ports);
    if (made == nullptr) made = MakeEventChannel(cluster, channel, instance);
    channels.push_back({channel.name, notify::KindOf(channel), std::move(made)});
  }
  return channels;
}

}  // namespace rollguard::app
