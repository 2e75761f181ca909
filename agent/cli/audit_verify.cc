// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/history_source.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "audit verify";
constexpr std::string_view kHelp =
    R"(usage: rollguard audit verify --history ADDRESS [-o json]

Holds every row of the history against the hash of the row before it, and what decisions were made
from against the hash that they name it by. One changed byte, a removed or an inserted row shows.

options:
  --history ADDRESS    the agent's history.db, or postgres://USER@HOST/NAME
  --config FILE        the agent's configuration: the history that it names
  -o json              for machines

exit code: 0 nothing was changed, 1 something was, or the history cannot be read, 2 wrong usage

example:
  rollguard audit verify --history /var/lib/rollguard/history.db
)";

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(args, {{"--history", "--config", "--output"}, {}});
  if (!options) return UsageError(kName, options.error().message);
  if (!options->arguments.empty())
    return UsageError(kName, StrCat("unexpected argument ", Quote(options->arguments[0])));
  auto history = OpenHistory(*options);
  if (!history) return Fail(kName, history.error().message);
  auto verified = (*history)->Verify();
  if (!verified) return Fail(kName, verified.error().message);
  if (options->Get("--output") == "json") {
    Json breaks = Json::Arr();
    for (const auto& b : verified->breaks)
      breaks.Push(Json::Obj({{"seq", b.seq}, {"chain", b.chain}, {"what", b.what}}));
    std::puts(
        Json::Obj(
            {{"rows", verified->rows}, {"givens", verified->givens}, {"breaks", std::move(breaks)}})
            .Dump(2)
            .c_str());
  } else {
    for (const auto& b : verified->breaks) {
      std::puts((b.seq > 0 ? StrCat("row ", b.seq, " of chain ", b.chain, ": ", b.what)
                           : StrCat(b.chain.empty() ? "" : StrCat("chain ", b.chain, ": "), b.what))
                    .c_str());
    }
    std::printf("%zu rows and %zu records of decisions, %s\n", verified->rows, verified->givens,
                verified->breaks.empty() ? "nothing was changed"
                                         : StrCat(verified->breaks.size(), " changes").c_str());
  }
  return verified->breaks.empty() ? kOk : kFound;
}

}  // namespace

extern const Command kAuditVerifyCommand;
const Command kAuditVerifyCommand = {kName, "find changed rows of the history", kHelp, Run};

}  // namespace rollguard::cli
