// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>

#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/history_source.h"
#include "agent/cli/output.h"
#include "agent/cli/system_clock.h"
#include "agent/history/reports.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "stats";
constexpr std::string_view kHelp =
    R"(usage: rollguard stats [--since TIME] [--by guard]

How releases go: deployment frequency, change failure rate, time to restore (from the trigger's
beginning until traffic was off the bad revision), lead time (from the commit-time annotation), and
for each rule and alert how often the trigger went away after the rollback.

options:
  --server URL         the agent that is asked ($ROLLGUARD_SERVER; http://127.0.0.1:9442)
  --token-file FILE    bearer token ($ROLLGUARD_TOKEN_FILE, $ROLLGUARD_TOKEN)
  --ca-file FILE       trust this CA and no other ($ROLLGUARD_CA_FILE)
  --history ADDRESS    no agent: its history.db, or postgres://USER@HOST/NAME
  --config FILE        no agent: the history that its configuration names
  --guard NS/NAME      of this guard
  --since TIME         from here on (30d)
  --until TIME         up to here (now)
  --by guard           one report for each guard
  -o text|json|yaml

exit code: 0 told, 1 the agent refused or is away, or the history cannot be read, 2 wrong usage

examples:
  rollguard stats --since 7d
  rollguard stats --history /var/lib/rollguard/history.db --since 90d --by guard
)";

constexpr size_t kMaxReleases = 1'000'000;
constexpr Duration kLongestRelease = std::chrono::hours(24 * 90);

// "2026-11-02 10:00"
std::string DayOf(Time time) {
  std::string text = FormatRfc3339(time);
  return StrCat(text.substr(0, 10), " ", text.substr(11, 5));
}

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

void Show(const std::vector<ReleaseRow>& rows, Time since, Time until, bool by_guard,
          const std::string& output) {
  if (!by_guard) {
    history::Dora report = history::Report(rows, since, until);
    if (!PrintAs(history::ToJson(report), output))
      Print(StrCat(DayOf(since), " to ", DayOf(until)), report);
    return;
  }
  auto reports = history::ReportByGuard(rows, since, until);
  Json all = Json::Obj();
  for (const auto& [guard, report] : reports) all.Set(guard, history::ToJson(report));
  if (PrintAs(all, output)) return;
  for (const auto& [guard, report] : reports) Print(guard, report);
  if (reports.empty()) std::fputs("no releases ended in that time\n", stderr);
}

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(args, {HistoryValues({"--guard", "--since", "--until", "--by"}), {}});
  if (!options) return UsageError(kName, options.error().message);
  if (!options->arguments.empty())
    return UsageError(kName, StrCat("unexpected argument ", Quote(options->arguments[0])));
  if (options->Has("--by") && options->Get("--by") != "guard")
    return UsageError(kName, "--by is guard");
  auto output = OutputOf(*options, {"text", "json", "yaml"});
  if (!output) return UsageError(kName, output.error().message);
  auto filter = FilterOf(*options, kMaxReleases);
  if (!filter) return UsageError(kName, filter.error().message);
  Time until = filter->until.value_or(SystemClock().Now());
  Time since = filter->since.value_or(until - std::chrono::hours(24 * 30));
  auto history = OpenHistory(*options);
  if (!history) return Fail(kName, history.error().message);
  // A release counts when it ended; it may have begun long before.
  auto rows = (*history)->Releases(
      {.guard = filter->guard, .since = since - kLongestRelease, .limit = kMaxReleases});
  if (!rows) return Fail(kName, rows.error().message);
  Show(*rows, since, until, options->Has("--by"), *output);
  return kOk;
}

}  // namespace

extern const Command kStatsCommand;
const Command kStatsCommand = {kName, "how releases go: frequency, failures, times, precision",
                               kHelp, Run};

}  // namespace rollguard::cli
