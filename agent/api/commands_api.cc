// SPDX-License-Identifier: Apache-2.0
// A person's word on its way to the controller: identified and allowed here, judged by the engine.
// With an Idempotency-Key the command's id is made from it, and the engine carries one id out once.
#include "agent/api/await.h"
#include "agent/api/service.h"
#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/http/router.h"

namespace rollguard::api {
namespace {

using release::Command;

std::optional<Command::Verb> VerbOf(const Route& route) {
  std::string_view pattern = route.pattern;
  std::string_view word = pattern.substr(pattern.rfind('/') + 1);
  if (word == "release-hold") return Command::Verb::kRelease;
  return release::VerbFrom(word);
}

// What the loop found when it was to hand the command over.
struct Told {
  enum class Outcome { kAnswered, kNoGuard, kProblem, kOtherRelease, kNeedsRollback };
  Outcome outcome = Outcome::kAnswered;
  release::CommandAnswer answer{};
};

// Going on with a held rollback is rolling back.
bool ResumesRollback(const Command& command, const release::GuardState& state) {
  return command.verb == Command::Verb::kResume && state.phase == release::Phase::kHeld &&
         state.release && state.release->trigger;
}

}  // namespace

http::Response Service::PostCommand(Call& call) {
  auto verb = VerbOf(call.route);
  if (!verb) return Fail({ErrorCode::kInternal, "the route names no command"});
  if (call.route.access == Access::kResolved) return CommandOnRelease(call, *verb);
  return Tell(call, call.guard, "", *verb);
}

http::Response Service::CommandOnRelease(Call& call, Command::Verb verb) {
  std::string id = call.Path(0);
  call.release = id;
  auto rows = ReadFleet();
  if (!rows) return Fail(rows.error());
  for (const FleetRow& row : **rows) {
    if (row.row.At("release").Str() != id) continue;
    call.guard = row.id;
    if (auto refused = Refuse(call, row.id, call.route.verbs)) return std::move(*refused);
    return Tell(call, row.id, id, verb);
  }
  auto ended = FindReleaseRow(id);
  if (!ended) return Fail(ended.error());
  call.guard = ended->guard;
  if (auto refused = Refuse(call, ended->guard, call.route.verbs)) return std::move(*refused);
  if (verb != Command::Verb::kRetry && verb != Command::Verb::kRollBack)
    return Fail({ErrorCode::kConflict, StrCat("release ", id, " has ended: ", ended->outcome)});
  auto guard = FindGuard(ended->guard);
  if (!guard) return Fail(guard.error());
  if (verb == Command::Verb::kRollBack &&
      (guard->state.release || guard->state.stable != ended->revision)) {
    return Fail(
        {ErrorCode::kConflict, StrCat("release ", id, " is not what runs now; roll the guard ",
                                      ended->guard, " back instead")});
  }
  if (verb == Command::Verb::kRetry && call.body.At("to").Str().empty())
    call.body.Set("to", ended->revision);
  return Tell(call, ended->guard, "", verb);
}

http::Response Service::Tell(Call& call, const std::string& guard, const std::string& release,
                             Command::Verb verb) {
  Command command;
  std::string_view key = call.request.Header("idempotency-key");
  command.id = key.empty() ? FreshId(guard)
                           : ShortHash(StrCat(call.caller.name, "\n", guard, "\n", key), 12);
  command.verb = verb;
  command.actor = call.caller.name;
  command.groups = call.caller.groups;
  command.to = call.body.At("to").Str();
  command.reason = Abbreviate(call.body.At("reason").Str(), 500);
  command.full = call.body.At("full").BoolOr(false);
  command.at = parts_.clock->Now();
  // Asked here, before the loop is involved: whether it matters is known only there.
  bool may_roll_back =
      verb != Command::Verb::kResume || !Refuse(call, guard, {"rollback"}).has_value();
  auto told = Await<Told>(
      *parts_.loop,
      [this, guard, release, command, may_roll_back](auto done) {
        auto found = parts_.controller->Find(guard);
        if (!found) return done({Told::Outcome::kNoGuard});
        if (!found->problem.empty())
          return done({Told::Outcome::kProblem, {"", false, found->problem}});
        const auto& running = found->state.release;
        if (!release.empty() && (!running || running->id != release))
          return done({Told::Outcome::kOtherRelease});
        if (!may_roll_back && ResumesRollback(command, found->state))
          return done({Told::Outcome::kNeedsRollback});
        parts_.controller->Tell(guard, command, [done](release::CommandAnswer answer) {
          done({Told::Outcome::kAnswered, std::move(answer)});
        });
      },
      parts_.answer_within);
  Json out = Json::Obj({{"id", command.id},
                        {"guard", guard},
                        {"verb", release::ToString(verb)},
                        {"accepted", told && told->answer.accepted},
                        {"message", ""}});
  if (!told) {
    call.note = "not looked at yet";
    return Ok(out.Set("message", "asked for; the agent has not looked at it yet"), 202);
  }
  switch (told->outcome) {
    case Told::Outcome::kNoGuard:
      return NotFound(StrCat("there is no guard ", guard, " here; see GET /api/v1/guards"));
    case Told::Outcome::kProblem:
      return Fail({ErrorCode::kConflict,
                   StrCat("the guard cannot be used until it is mended: ", told->answer.message)});
    case Told::Outcome::kOtherRelease:
      return Fail({ErrorCode::kConflict, StrCat("release ", release, " has ended meanwhile")});
    case Told::Outcome::kNeedsRollback:
      return Fail({ErrorCode::kDenied,
                   StrCat(Quote(call.caller.name), " may not rollback guards.rollguard.dev in ",
                          Quote(NamespaceOf(guard)), ": going on would roll the release back")});
    case Told::Outcome::kAnswered: break;
  }
  call.note = told->answer.message;
  if (!told->answer.accepted) return Fail({ErrorCode::kConflict, told->answer.message});
  return Ok(out.Set("message", told->answer.message));
}

}  // namespace rollguard::api
