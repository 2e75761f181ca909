// SPDX-License-Identifier: Apache-2.0
// Between replicas: what reached the wrong one goes into the guard's inbox; the owner takes it from
// there and clears it with the status write that carries what follows. See inbox.h.
#include "agent/app/controller.h"
#include "agent/app/inbox.h"
#include "agent/app/slot.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"

namespace rollguard::app {
namespace {

constexpr size_t kMaxAsked = 100;

bool IsEmpty(const Json& inbox) { return !inbox.is_object() || inbox.size() == 0; }

}  // namespace

void Controller::Keep(const std::string& guard, const alerts::Alert& alert,
                      std::function<void(Status)> done) {
  auto found = slots_.find(guard);
  if (parts_.ownership == nullptr || found == slots_.end()) {
    done({});
    return;
  }
  const SlotPtr& slot = found->second;
  const std::string key = InboxKey(alert);
  InboxEntry entry;
  entry.alert = alert;
  entry.at = ports_.clock->Now();
  const Json& inbox = slot->inbox;
  const bool full =
      inbox.Find(key) == nullptr && inbox.size() + slot->Wanted().keep.size() >= kInboxAlerts;
  const bool at_rest = slot->mine && slot->state && !slot->state->release;
  if (full || at_rest) {
    done({});
  } else if (slot->mine) {
    // With the write of the look that it causes: one of its own would get in that one's way.
    slot->Want().inbox_seen.insert(StrCat(key, FormatRfc3339(entry.at)));
    auto& kept = slot->Want().keep[key];
    kept.json = ToJson(entry);
    kept.sent = false;
    kept.done.push_back(std::move(done));
    Schedule(slot, Duration(0));
  } else {
    Hand(*slot, key, ToJson(entry), std::move(done));
  }
}

// Into the inbox of a guard that is another's. Only this key is touched, whatever the version.
void Controller::Hand(const Slot& slot, const std::string& key, Json entry,
                      std::function<void(Status)> done) {
  ClusterRequest request;
  request.verb = Verb::kPatch;
  request.type = kube::resources::Guards();
  request.ns = slot.ns;
  request.name = slot.name;
  request.subresource = "status";
  request.patch = PatchKind::kMerge;
  request.body =
      Json::Obj({{"status", Json::Obj({{"inbox", Json::Obj({{key, std::move(entry)}})}})}});
  request.urgent = true;
  ports_.cluster->Call(std::move(request), [done = std::move(done)](const Expected<Json>& answer) {
    done(answer ? Status() : Status(answer.error()));
  });
}

// A person's command for another replica's guard; the answer comes back through the inbox.
void Controller::AskOwner(const SlotPtr& slot, const release::Command& command, Answered answered) {
  const std::string key = InboxKey(command);
  auto& asked = slot->Want().asked;
  if (asked.size() >= kMaxAsked) asked.erase(asked.begin());
  asked[key] = std::move(answered);
  InboxEntry entry;
  entry.command = command;
  entry.at = ports_.clock->Now();
  Hand(*slot, key, ToJson(entry),
       [slot, key, id = command.id, alive = std::weak_ptr(alive_)](const Status& kept) {
         if (alive.expired() || kept) return;
         auto waiting = slot->Want().asked.extract(key);
         if (!waiting.empty()) waiting.mapped()({id, false, kept.error().message});
       });
}

void Controller::HearAnswers(Slot& slot) {
  if (slot.Wanted().asked.empty()) return;
  for (auto& [key, entry] : ReadInbox(slot.inbox)) {
    if (!entry.answer) continue;
    auto waiting = slot.Want().asked.extract(key);
    if (!waiting.empty()) waiting.mapped()(*entry.answer);
  }
}

// What others have left for the owner. Each entry once.
void Controller::TakeInbox(const SlotPtr& slot) {
  if (parts_.ownership == nullptr) return;
  MissInbox(*slot);
  if (IsEmpty(slot->inbox)) return;
  for (auto& [key, entry] : ReadInbox(slot->inbox)) {
    auto& seen = slot->Want().inbox_seen;
    if (entry.answer || !seen.insert(StrCat(key, FormatRfc3339(entry.at))).second) continue;
    if (entry.alert && parts_.inbox) {
      parts_.inbox(*entry.alert);
      slot->Want().inbox_firing.erase(key);
      if (entry.alert->status == alerts::AlertStatus::kFiring)
        slot->Want().inbox_firing.emplace(key, *entry.alert);
      else
        DropKept(*slot, key, ToJson(entry));
    }
    if (!entry.command) continue;
    slot->Want().answered[entry.command->id] = [slot,
                                                key = key](const release::CommandAnswer& answer) {
      slot->Want().inbox_answers[key] = answer;
    };
    slot->Want().commands.push_back(std::move(*entry.command));
  }
}

// The end of an alert came by another replica while we have its beginning still to write: that must
// not take the end's place.
void Controller::DropKept(Slot& slot, const std::string& key, const Json& end) {
  auto kept = slot.Want().keep.find(key);
  if (kept == slot.errands->keep.end()) return;
  const auto begun = [](const Json& entry) {
    return ParseRfc3339(entry.At("alert", "startsAt").Str()).value_or(Time::max());
  };
  if (begun(kept->second.json) > begun(end)) return;
  auto done = std::move(kept->second.done);
  slot.errands->keep.erase(kept);
  for (const auto& one : done) one({});
}

// Only owners take entries away. Where one is gone that we took and did not take away, another
// owner's word was newer than the status that we had seen: for it the alert was over.
void Controller::MissInbox(Slot& slot) {
  if (!slot.errands) return;
  auto& taken = slot.errands->inbox_firing;
  for (auto at = taken.begin(); at != taken.end();) {
    if (slot.inbox.Find(at->first) != nullptr) {
      ++at;
      continue;
    }
    if (parts_.inbox_lost) parts_.inbox_lost(slot.id, at->second);
    at = taken.erase(at);
  }
}

// The inbox as it is to be once this state is written.
Json Controller::InboxAfter(const Slot& slot, const release::GuardState& state) const {
  Json after = Json::Obj();
  const Json& before = slot.inbox;
  const Slot::Errands& errands = slot.Wanted();
  const Time now = ports_.clock->Now();
  for (auto& [key, entry] : ReadInbox(slot.inbox)) {
    const bool seen = errands.inbox_seen.contains(StrCat(key, FormatRfc3339(entry.at)));
    const bool over = entry.alert && (entry.alert->status == alerts::AlertStatus::kResolved ||
                                      !state.release.has_value());
    if ((seen && over) || (entry.answer && now - entry.at > kKeepAnswers)) continue;
    auto answered = errands.inbox_answers.find(key);
    if (answered == errands.inbox_answers.end()) {
      after.Set(key, before.At(key));
      continue;
    }
    InboxEntry answer;
    answer.answer = answered->second;
    answer.at = now;
    after.Set(key, ToJson(answer));
  }
  for (const auto& [key, kept] : errands.keep) after.Set(key, kept.json);
  return after;
}

bool Controller::InboxMoves(const Slot& slot, const release::GuardState& state) const {
  if (parts_.ownership == nullptr) return false;
  const Json& before = slot.inbox;
  if (slot.Wanted().keep.empty() && IsEmpty(before)) return false;
  const Json after = InboxAfter(slot, state);
  return IsEmpty(before) ? !IsEmpty(after) : !(before == after);
}

// The write that carried the inbox has come back.
void Controller::InboxWritten(Slot& slot, bool written) {
  if (!slot.errands) return;
  auto& keep = slot.errands->keep;
  std::vector<std::function<void(Status)>> done;
  for (auto at = keep.begin(); at != keep.end();) {
    if (written && at->second.sent) {
      for (auto& one : at->second.done) done.push_back(std::move(one));
      at = keep.erase(at);
    } else {
      (at++)->second.sent = false;
    }
  }
  if (written) {
    std::erase_if(slot.errands->inbox_firing,
                  [&](const auto& taken) { return slot.inbox.Find(taken.first) == nullptr; });
    slot.errands->inbox_answers.clear();
    HearAnswers(slot);
  }
  for (auto& one : done) one({});
}

// Whatever was not written yet is left to the next owner.
void Controller::HandOver(const SlotPtr& slot) {
  if (!slot->errands) return;
  Slot::Errands errands = std::move(*slot->errands);
  slot->errands.reset();
  slot->Want().asked = std::move(errands.asked);
  for (auto& [key, kept] : errands.keep) {
    Hand(*slot, key, std::move(kept.json), [done = std::move(kept.done)](const Status& status) {
      for (const auto& one : done) one(status);
    });
  }
  const Json& inbox = slot->inbox;
  for (const release::Command& command : errands.commands) {
    auto waiting = errands.answered.extract(command.id);
    const bool is_there = inbox.Find(InboxKey(command)) != nullptr;
    if (!is_there && !waiting.empty()) AskOwner(slot, command, std::move(waiting.mapped()));
  }
}

}  // namespace rollguard::app
