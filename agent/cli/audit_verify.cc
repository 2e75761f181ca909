// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/history_source.h"
#include "agent/cli/output.h"
#include "agent/cli/remote.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "audit verify";
constexpr std::string_view kHelp =
    R"(usage: rollguard audit verify

Holds every row of the history against the hash of the row before it, and what decisions were made
from against the hash that they name it by. One changed byte, a removed or an inserted row shows.

options:
  -o text|json|yaml
  --server URL         the agent that is asked ($ROLLGUARD_SERVER; http://127.0.0.1:9442)
  --token-file FILE    bearer token ($ROLLGUARD_TOKEN_FILE, $ROLLGUARD_TOKEN)
  --ca-file FILE       trust this CA and no other ($ROLLGUARD_CA_FILE)
  --history ADDRESS    no agent: its history.db, or postgres://USER@HOST/NAME
  --config FILE        no agent: the history that its configuration names

exit code: 0 nothing was changed, 1 something was, or the history cannot be read, 2 wrong usage

The agent itself does so every hour. Who does not trust the agent reads the database.

examples:
  rollguard audit verify
  rollguard audit verify --history /var/lib/rollguard/history.db
)";

// {rows, givens, breaks}
Expected<Json> AskAgent(const Options& options) {
  auto remote = Remote::Open(options);
  if (!remote) return remote.error();
  return (*remote)->Get("/api/v1/audit");
}

Expected<Json> ReadDatabase(const Options& options) {
  auto history = OpenDatabase(options);
  if (!history) return history.error();
  auto verified = (*history)->Verify();
  if (!verified) return verified.error();
  Json breaks = Json::Arr();
  for (const auto& each : verified->breaks) breaks.Push(ToString(each));
  return Json::Obj(
      {{"rows", verified->rows}, {"givens", verified->givens}, {"breaks", std::move(breaks)}});
}

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(args, {HistoryValues(), {}});
  if (!options) return UsageError(kName, options.error().message);
  if (!options->arguments.empty())
    return UsageError(kName, StrCat("unexpected argument ", Quote(options->arguments[0])));
  auto output = OutputOf(*options, {"text", "json", "yaml"});
  if (!output) return UsageError(kName, output.error().message);
  auto found = ReadsDatabase(*options) ? ReadDatabase(*options) : AskAgent(*options);
  if (!found) return Fail(kName, found.error().message);
  const Json& breaks = found->At("breaks");
  if (!PrintAs(*found, *output)) {
    for (const Json& each : breaks.items()) std::puts(each.Str().c_str());
    std::puts(StrCat(found->At("rows").IntOr(0), " rows and ", found->At("givens").IntOr(0),
                     " records of decisions, ",
                     breaks.size() == 0 ? std::string("nothing was changed")
                                        : StrCat(breaks.size(), " changes"))
                  .c_str());
  }
  return breaks.size() == 0 ? kOk : kFound;
}

}  // namespace

extern const Command kAuditVerifyCommand;
const Command kAuditVerifyCommand = {kName, "find changed rows of the history", kHelp, Run};

}  // namespace rollguard::cli
