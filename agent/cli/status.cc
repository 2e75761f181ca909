// SPDX-License-Identifier: Apache-2.0
// `rollguard status`: one guard, as it stands.
#include <cstdio>

#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/guard_text.h"
#include "agent/cli/output.h"
#include "agent/cli/remote.h"
#include "agent/cli/system_clock.h"
#include "agent/cli/table.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "status";
constexpr std::string_view kHelp =
    R"(usage: rollguard status GUARD

Shows one guard: its release with steps, traffic and score, the evidence as it stands, the last
decisions, what is waited for, and what you can ask for. GUARD is NAMESPACE/NAME or NAME.

options:
  -o text|json|yaml
  --server URL        the agent ($ROLLGUARD_SERVER; http://127.0.0.1:9442)
  --token-file FILE   bearer token ($ROLLGUARD_TOKEN_FILE, $ROLLGUARD_TOKEN)
  --ca-file FILE      trust this CA and no other ($ROLLGUARD_CA_FILE)
  -n, --namespace NS  of guards without one ($ROLLGUARD_NAMESPACE; default)

exit code: 0 shown, 1 the agent refused or is away, or there is no such guard, 2 wrong usage

examples:
  rollguard status shop/checkout
  rollguard status checkout -n shop -o json
)";

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(args, {RemoteValues(), {}});
  if (!options) return UsageError(kName, options.error().message);
  if (options->arguments.size() != 1) return UsageError(kName, "name one guard");
  auto output = OutputOf(*options, {"text", "json", "yaml"});
  if (!output) return UsageError(kName, output.error().message);
  auto remote = Remote::Open(*options);
  if (!remote) return UsageError(kName, remote.error().message);
  auto guard = (*remote)->Get(GuardPath(GuardId(*options, options->arguments[0])));
  if (!guard) return Fail(kName, guard.error().message);
  if (!PrintAs(*guard, *output))
    std::fputs(StatusText(*guard, {ScreenWidth(), Colours(), SystemClock().Now()}).c_str(), stdout);
  return kOk;
}

}  // namespace

extern const Command kStatusCommand;
const Command kStatusCommand = {kName, "one guard: steps, evidence, decisions", kHelp, Run};

}  // namespace rollguard::cli
