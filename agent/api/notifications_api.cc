// SPDX-License-Identifier: Apache-2.0
// Channels and dead letters. The dispatcher belongs to the deciding thread and is asked there.
#include <algorithm>

#include "agent/api/service.h"
#include "agent/base/text.h"

namespace rollguard::api {
namespace {

std::string GuardOf(const Notice& notice) {
  return notice.guard.empty() ? std::string() : StrCat(notice.ns, "/", notice.guard);
}

}  // namespace

http::Response Service::GetNotifications(Call& call) {
  auto sight = SightOf(call);
  if (!sight) return Fail(sight.error());
  struct Seen {
    std::vector<ChannelHealth> channels;
    std::vector<DeadLetter> letters;
  };
  auto seen = parts_.loop->Ask<Seen>([this] {
    if (parts_.notifier == nullptr) return Seen{};
    return Seen{parts_.notifier->Channels(), parts_.notifier->DeadLetters()};
  });
  if (!seen) return Busy();
  Json channels = Json::Arr(), letters = Json::Arr();
  for (const ChannelHealth& channel : seen->channels) channels.Push(ToJson(channel));
  for (const DeadLetter& letter : seen->letters) {
    if (sight->Sees(GuardOf(letter.notice))) letters.Push(ToJson(letter));
  }
  return Ok(Json::Obj({{"channels", std::move(channels)}, {"deadLetters", std::move(letters)}}));
}

http::Response Service::WithDeadLetter(Call& call, Status (Notifier::*verb)(const std::string&),
                                       const char* message) {
  std::string id = call.Path(0);
  std::string missing =
      StrCat("there is no dead letter ", Quote(id), "; see GET /api/v1/notifications");
  using Letters = std::vector<DeadLetter>;
  auto letters = parts_.loop->Ask<Letters>(
      [this] { return parts_.notifier ? parts_.notifier->DeadLetters() : Letters(); });
  if (!letters) return Busy();
  auto found = std::find_if(letters->begin(), letters->end(),
                            [&](const DeadLetter& letter) { return letter.id == id; });
  if (found == letters->end()) return NotFound(missing);
  call.guard = GuardOf(found->notice);
  call.release = found->notice.release;
  if (auto refused = Refuse(call, call.guard, call.route.verbs)) return std::move(*refused);
  auto done = parts_.loop->Ask<Status>([this, verb, id] { return (parts_.notifier->*verb)(id); });
  if (!done) return Busy();
  call.note = StrCat(found->channel, ": ", found->notice.text);
  if (!done->ok()) return Fail(done->error());
  return Ok(Json::Obj({{"id", id}, {"message", StrCat(message, " ", found->channel)}}));
}

http::Response Service::RetryDeadLetter(Call& call) {
  return WithDeadLetter(call, &Notifier::Retry, "told again to");
}

http::Response Service::DiscardDeadLetter(Call& call) {
  return WithDeadLetter(call, &Notifier::Discard, "forgotten; it was for");
}

}  // namespace rollguard::api
