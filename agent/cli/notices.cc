// SPDX-License-Identifier: Apache-2.0
// What to do with notices that a channel could not be told: `notices retry`, `notices discard`.
#include <cstdio>

#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/output.h"
#include "agent/cli/remote.h"

namespace rollguard::cli {
namespace {

#define ROLLGUARD_NOTICE_OPTIONS                                                   \
  "  --all               every one you may see\n"                                  \
  "  -o text|json        json: the agent's answer, a line for each\n"              \
  "  --server URL        the agent ($ROLLGUARD_SERVER; http://127.0.0.1:9442)\n"   \
  "  --token-file FILE   bearer token ($ROLLGUARD_TOKEN_FILE, $ROLLGUARD_TOKEN)\n" \
  "  --ca-file FILE      trust this CA and no other ($ROLLGUARD_CA_FILE)\n\n"      \
  "exit code: 0 done, 1 the agent refused or is away, 2 wrong usage\n\nexamples:\n"

Expected<std::vector<std::string>> Letters(Remote& remote, const Options& options) {
  if (!options.Has("--all")) return options.arguments;
  auto all = remote.Get("/api/v1/notifications");
  if (!all) return all.error();
  std::vector<std::string> ids;
  for (const Json& letter : all->At("deadLetters").items()) ids.push_back(letter.At("id").Str());
  return ids;
}

int Tell(std::string_view name, std::string_view verb, std::span<const std::string_view> args) {
  auto options = ParseOptions(args, {RemoteValues(), {"--all"}});
  if (!options) return UsageError(name, options.error().message);
  if (options->arguments.empty() != options->Has("--all"))
    return UsageError(name, "give ids of dead letters, or --all; `rollguard get dead-letters`");
  auto output = OutputOf(*options, {"text", "json"});
  if (!output) return UsageError(name, output.error().message);
  auto remote = Remote::Open(*options);
  if (!remote) return UsageError(name, remote.error().message);
  auto letters = Letters(**remote, *options);
  if (!letters) return Fail(name, letters.error().message);
  if (letters->empty()) std::fputs("no dead letters\n", stderr);
  for (const std::string& id : *letters) {
    auto answer = (*remote)->Post(
        StrCat("/api/v1/notifications/dead-letters/", UrlEncode(id), "/", verb), Json::Obj());
    if (!answer) return Fail(name, answer.error().message);
    std::puts((*output == "json" ? answer->Dump() : StrCat(id, ": ", answer->At("message").Str()))
                  .c_str());
  }
  return kOk;
}

int Retry(std::span<const std::string_view> args) { return Tell("notices retry", "retry", args); }
int Discard(std::span<const std::string_view> args) {
  return Tell("notices discard", "discard", args);
}

}  // namespace

extern const Command kNoticesRetryCommand;
const Command kNoticesRetryCommand = {
    "notices retry", "tell once more what a channel could not be told",
    "usage: rollguard notices retry ID...\n       rollguard notices retry --all\n\n"
    "Sends a dead letter to its channel again, with all attempts before it. `rollguard get "
    "dead-letters`\nlists them; the verb `update` on the guard is needed.\n\n"
    "options:\n" ROLLGUARD_NOTICE_OPTIONS
    "  rollguard notices retry 3f9c21ab07\n  rollguard notices retry --all\n",
    Retry};

extern const Command kNoticesDiscardCommand;
const Command kNoticesDiscardCommand = {
    "notices discard", "forget what a channel could not be told",
    "usage: rollguard notices discard ID...\n       rollguard notices discard --all\n\n"
    "Forgets dead letters. `rollguard get dead-letters` lists them; the verb `update` on the guard "
    "is\nneeded.\n\n"
    "options:\n" ROLLGUARD_NOTICE_OPTIONS
    "  rollguard notices discard 3f9c21ab07\n  rollguard notices discard --all\n",
    Discard};

}  // namespace rollguard::cli
