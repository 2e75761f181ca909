// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>

#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/history_source.h"
#include "agent/cli/system_clock.h"
#include "agent/history/reports.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "stats";
constexpr std::string_view kHelp =
    R"(usage: rollguard stats --history ADDRESS [--since TIME] [--by guard] [-o json]

How releases go: deployment frequency, change failure rate, time to restore (from the trigger's
beginning until traffic was off the bad revision), lead time (from the commit-time annotation), and
for each rule and alert how often the trigger went away after the rollback.

options:
  --history ADDRESS    the agent's history.db, or postgres://USER@HOST/NAME
  --config FILE        the agent's configuration: the history that it names
  --guard NS/NAME      of this guard
  --since TIME         from here on (30d)
  --until TIME         up to here (now)
  --by guard           one report for each guard
  -o json              for machines

exit code: 0 told, 1 the history cannot be read, 2 wrong usage

example:
  rollguard stats --history /var/lib/rollguard/history.db --since 90d --by guard
)";

constexpr size_t kMaxReleases = 1'000'000;

std::string Share(const std::optional<double>& value) {
  return value ? Format("%.1f %%", *value * 100) : "unknown";
}
std::string Took(const std::optional<Duration>& value) {
  return value ? FormatShortDuration(*value) : "unknown";
}

void Print(const std::string& title, const history::Dora& d) {
  std::printf("%s\n", title.c_str());
  std::printf(
      "  releases              %lld  (promoted %lld, rolled back %lld, superseded %lld, "
      "aborted %lld, rejected %lld)\n",
      static_cast<long long>(d.releases), static_cast<long long>(d.promoted),
      static_cast<long long>(d.rolled_back), static_cast<long long>(d.superseded),
      static_cast<long long>(d.aborted), static_cast<long long>(d.rejected));
  std::printf("  deployment frequency  %.2f a day\n", d.per_day);
  std::printf("  change failure rate   %s\n", Share(d.change_failure_rate).c_str());
  std::printf("  time to restore       %s (median), %s (p99)\n",
              Took(d.median_time_to_restore).c_str(), Took(d.p99_time_to_restore).c_str());
  std::printf("  lead time             %s (median)\n", Took(d.median_lead_time).c_str());
  if (!d.rollbacks_by_trigger_kind.empty()) {
    std::string kinds;
    for (const auto& [kind, count] : d.rollbacks_by_trigger_kind)
      kinds += StrCat(kinds.empty() ? "" : ", ", kind, " ", count);
    std::printf("  rollbacks by trigger  %s\n", kinds.c_str());
  }
  if (!d.rollbacks_by_hour.empty()) {
    std::string hours;
    for (const auto& [hour, count] : d.rollbacks_by_hour)
      hours += StrCat(hours.empty() ? "" : ", ", Format("%02d h ", hour), count);
    std::printf("  rollbacks by hour     %s (UTC)\n", hours.c_str());
  }
  for (const auto& [trigger, p] : d.precision_by_trigger) {
    int64_t judged = p.right + p.wrong;
    std::printf("  %-20s  fired %lld, right %lld, wrong %lld%s\n", trigger.c_str(),
                static_cast<long long>(p.fired), static_cast<long long>(p.right),
                static_cast<long long>(p.wrong),
                judged == 0 ? ""
                            : Format(", precision %.0f %%", 100.0 * static_cast<double>(p.right) /
                                                                static_cast<double>(judged))
                                  .c_str());
  }
}

int Show(const std::vector<ReleaseRow>& rows, Time since, Time until, const Options& options) {
  bool json = options.Get("--output") == "json";
  if (options.Get("--by") == "guard") {
    Json out = Json::Obj();
    for (const auto& [guard, report] : history::ReportByGuard(rows, since, until)) {
      if (json) {
        out.Set(guard, history::ToJson(report));
      } else {
        Print(guard, report);
      }
    }
    if (json) std::puts(out.Dump(2).c_str());
    return kOk;
  }
  history::Dora report = history::Report(rows, since, until);
  if (json) {
    std::puts(history::ToJson(report).Dump(2).c_str());
  } else {
    Print(StrCat(FormatRfc3339(since), " to ", FormatRfc3339(until)), report);
  }
  return kOk;
}

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(
      args, {{"--history", "--config", "--output", "--guard", "--since", "--until", "--by"}, {}});
  if (!options) return UsageError(kName, options.error().message);
  if (!options->arguments.empty())
    return UsageError(kName, StrCat("unexpected argument ", Quote(options->arguments[0])));
  if (options->Has("--by") && options->Get("--by") != "guard")
    return UsageError(kName, "--by is guard");
  auto filter = FilterOf(*options, kMaxReleases);
  if (!filter) return UsageError(kName, filter.error().message);
  Time until = filter->until.value_or(SystemClock().Now());
  Time since = filter->since.value_or(until - std::chrono::hours(24 * 30));
  auto history = OpenHistory(*options);
  if (!history) return Fail(kName, history.error().message);
  // A release counts when it ended; it may have begun long before.
  auto rows = (*history)->Releases({.guard = filter->guard, .limit = kMaxReleases});
  if (!rows) return Fail(kName, rows.error().message);
  return Show(*rows, since, until, *options);
}

}  // namespace

extern const Command kStatsCommand;
const Command kStatsCommand = {kName, "how releases go: frequency, failures, times, precision",
                               kHelp, Run};

}  // namespace rollguard::cli
