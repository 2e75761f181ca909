// SPDX-License-Identifier: Apache-2.0
#include "agent/app/inbox.h"

#include "agent/base/hash.h"
#include "agent/base/text.h"

namespace rollguard::app {
namespace {

constexpr size_t kMaxText = 512;

Json CommandJson(const release::Command& command) {
  Json groups = Json::Arr();
  for (const std::string& group : command.groups) groups.Push(group);
  return Json::Obj({{"id", command.id},
                    {"verb", release::ToString(command.verb)},
                    {"actor", command.actor},
                    {"groups", std::move(groups)},
                    {"to", command.to},
                    {"reason", Abbreviate(command.reason, kMaxText)},
                    {"full", command.full},
                    {"at", FormatRfc3339(command.at)}});
}

std::optional<release::Command> CommandFrom(const Json& json) {
  auto verb = release::VerbFrom(json.At("verb").Str());
  auto at = ParseRfc3339(json.At("at").Str());
  if (!verb || !at) return std::nullopt;
  release::Command command;
  command.id = json.At("id").Str();
  command.verb = *verb;
  command.actor = json.At("actor").Str();
  for (const Json& group : json.At("groups").items()) command.groups.push_back(group.Str());
  command.to = json.At("to").Str();
  command.reason = json.At("reason").Str();
  command.full = json.At("full").BoolOr(false);
  command.at = *at;
  return command;
}

// Texts for people are cut: the status is bounded.
Json AlertJson(alerts::Alert alert) {
  for (auto& [name, value] : alert.annotations) value = Abbreviate(value, kMaxText);
  return alerts::ToJson(alert);
}

InboxEntry EntryFrom(const Json& json) {
  InboxEntry entry;
  entry.at = ParseRfc3339(json.At("at").Str()).value_or(Time{});
  if (const Json* alert = json.Find("alert")) {
    if (auto read = alerts::AlertFromJson(*alert)) entry.alert = std::move(*read);
  }
  if (const Json* command = json.Find("command")) entry.command = CommandFrom(*command);
  if (const Json* answer = json.Find("answer"))
    entry.answer = release::CommandAnswer{answer->At("id").Str(), answer->At("ok").BoolOr(false),
                                          answer->At("message").Str()};
  return entry;
}

}  // namespace

std::string InboxKey(const alerts::Alert& alert) {
  return StrCat("alert-", ShortHash(alert.fingerprint, 12));
}

std::string InboxKey(const release::Command& command) {
  return StrCat("command-", ShortHash(command.id, 12));
}

Json ToJson(const InboxEntry& entry) {
  Json json = Json::Obj({{"at", FormatRfc3339(entry.at)}});
  if (entry.alert) json.Set("alert", AlertJson(*entry.alert));
  if (entry.command) json.Set("command", CommandJson(*entry.command));
  if (entry.answer)
    json.Set("answer", Json::Obj({{"id", entry.answer->id},
                                  {"ok", entry.answer->accepted},
                                  {"message", Abbreviate(entry.answer->message, kMaxText)}}));
  return json;
}

std::map<std::string, InboxEntry> ReadInbox(const Json& inbox) {
  std::map<std::string, InboxEntry> entries;
  for (const auto& [key, json] : inbox.members()) {
    InboxEntry entry = EntryFrom(json);
    if (entry.alert || entry.command || entry.answer) entries[key] = std::move(entry);
  }
  return entries;
}

}  // namespace rollguard::app
