// SPDX-License-Identifier: Apache-2.0
// What a person can say to a guard: promote, pause, resume, abort, rollback, approve, reject, skip,
// retry, release-hold. One table; all of them POST to the running agent.
#include <algorithm>
#include <cstdio>

#include "agent/base/text.h"
#include "agent/base/tidy.h"
#include "agent/cli/command.h"
#include "agent/cli/output.h"
#include "agent/cli/remote.h"

namespace rollguard::cli {
namespace {

struct Verb {
  std::string_view word;
  bool full = false;  // takes --full
  bool to = false;    // takes --to REVISION
};

Json BodyOf(const Verb& verb, const Options& options) {
  Json body = Json::Obj();
  if (options.Has("--reason")) body.Set("reason", options.Get("--reason"));
  if (verb.to && options.Has("--to")) body.Set("to", options.Get("--to"));
  if (verb.full && options.Has("--full")) body.Set("full", true);
  return body;
}

int Tell(const Verb& verb, std::span<const std::string_view> args) {
  std::vector<std::string_view> values = RemoteValues();
  values.push_back("--reason");
  if (verb.to) values.push_back("--to");
  std::vector<std::string_view> switches;
  if (verb.full) switches.push_back("--full");
  auto options = ParseOptions(args, {values, switches});
  if (!options) return UsageError(verb.word, options.error().message);
  if (options->arguments.size() != 1) return UsageError(verb.word, "name one guard");
  auto output = OutputOf(*options, {"text", "json", "yaml"});
  if (!output) return UsageError(verb.word, output.error().message);
  auto remote = Remote::Open(*options);
  if (!remote) return UsageError(verb.word, remote.error().message);
  const std::string id = GuardId(*options, options->arguments[0]);
  auto answer = (*remote)->Post(StrCat(GuardPath(id), "/", verb.word), BodyOf(verb, *options));
  if (!answer) return Fail(verb.word, answer.error().message);
  if (!PrintAs(*answer, *output))
    std::puts(StrCat(id, ": ", TidyNumbers(answer->At("message").Str())).c_str());
  return kOk;
}

constexpr Verb kVerbs[] = {
    {"promote", true, false},  {"pause"},        {"resume"}, {"abort"},
    {"rollback", false, true}, {"approve"},      {"reject"}, {"skip"},
    {"retry", false, true},    {"release-hold"},
};

template <size_t N>
int Run(std::span<const std::string_view> args) {
  return Tell(kVerbs[N], args);
}

#define ROLLGUARD_VERB_OPTIONS                                                      \
  "  --reason TEXT       is shown with the decision and kept in the audit\n"        \
  "  -o text|json|yaml   json, yaml: the agent's answer\n"                          \
  "  --server URL        the agent ($ROLLGUARD_SERVER; http://127.0.0.1:9442)\n"    \
  "  --token-file FILE   bearer token ($ROLLGUARD_TOKEN_FILE, $ROLLGUARD_TOKEN)\n"  \
  "  --ca-file FILE      trust this CA and no other ($ROLLGUARD_CA_FILE)\n"         \
  "  -n, --namespace NS  of guards without one ($ROLLGUARD_NAMESPACE; default)\n\n" \
  "exit code: 0 it follows, 1 the agent refused or is away, 2 wrong usage\n\n"

}  // namespace

#define ROLLGUARD_VERB(index, variable, word, summary, usage, text, own, example) \
  extern const Command variable;                                                  \
  const Command variable = {word, summary,                                        \
                            "usage: rollguard " word " " usage "\n\n" text        \
                            "\n\noptions:\n" own ROLLGUARD_VERB_OPTIONS           \
                            "example:\n  rollguard " word " " example "\n",       \
                            Run<index>};

ROLLGUARD_VERB(0, kPromoteCommand, "promote", "go on past this step, or all the way",
               "GUARD [--full]", "Leaves the present step and goes on with the next.",
               "  --full              all the way now, without the remaining steps\n",
               "shop/checkout --full --reason 'hotfix, seen well in staging'")
ROLLGUARD_VERB(
    1, kPauseCommand, "pause", "stay where it is", "GUARD",
    "Traffic stays as it is. Rules and alerts still take the release back when it is bad.", "",
    "shop/checkout")
ROLLGUARD_VERB(2, kResumeCommand, "resume", "go on after a pause", "GUARD",
               "Goes on with a paused release; holds a target again after release-hold.", "",
               "shop/checkout")
ROLLGUARD_VERB(3, kAbortCommand, "abort", "give the release up", "GUARD",
               "All traffic goes back to the stable revision; the candidate goes to quarantine.",
               "", "shop/checkout --reason 'wrong image'")
ROLLGUARD_VERB(
    4, kRollbackCommand, "rollback", "take a release back, or an earlier one",
    "GUARD [--to REVISION]",
    "Takes the running release back. With none running, goes back to an earlier revision.",
    "  --to REVISION       the revision to go back to (the one before)\n", "shop/checkout")
ROLLGUARD_VERB(5, kApproveCommand, "approve", "say yes to what waits for approval", "GUARD",
               "Counts as your yes. The step may ask for several people, or for members of groups.",
               "", "shop/checkout")
ROLLGUARD_VERB(6, kRejectCommand, "reject", "say no to what waits for approval", "GUARD",
               "A waiting release is taken back; a waiting rollback is held.", "", "shop/checkout")
ROLLGUARD_VERB(7, kSkipCommand, "skip", "leave the present step out", "GUARD",
               "Leaves the present step out and goes on with the next.", "", "shop/checkout")
ROLLGUARD_VERB(8, kRetryCommand, "retry", "let a rejected revision be released again",
               "GUARD [--to REVISION]", "Lets a revision out of quarantine, to be released again.",
               "  --to REVISION       the revision meant (the one in the workload's spec)\n",
               "shop/checkout")
ROLLGUARD_VERB(9, kReleaseHoldCommand, "release-hold", "take the hold off the target", "GUARD",
               "Unpauses the target and gives back what was changed, until `resume`.", "",
               "shop/checkout")

}  // namespace rollguard::cli
