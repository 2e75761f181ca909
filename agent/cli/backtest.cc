// SPDX-License-Identifier: Apache-2.0
// `rollguard backtest`: fetches the past, hands it to agent/proof, prints what would have happened.
#include "agent/proof/backtest.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "agent/base/text.h"
#include "agent/cli/backtest_input.h"
#include "agent/cli/command.h"
#include "agent/cli/source_options.h"
#include "agent/proof/sample_plan.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "backtest";
constexpr std::string_view kHelp =
    R"(usage: rollguard backtest --source URL --rules PATH... WHICH [options]

Tells what rules would have done in the past: for each release, whether the agent would have taken
it back, when and why. The samples are fetched once; then the rules are evaluated at their own
interval by the code the agent runs.

WHICH releases, one of:
  --releases FILE      a list: - {id, namespace, workload, service, start, end, candidatePods,
                       stablePods, vars, label: good|bad}
  --guard FILE --since 30d
                       those of the guard's workload, found in kube_replicaset_created,
                       kube_deployment_annotations or kube_deployment_status_observed_generation
  --quiet FROM..TO     a time without releases, cut into healthy ones: false alarms
  --last 1h            one release that began so long ago

options:
  --source URL|NAME    the Prometheus-compatible server, or a source of --config FILE
  --rules PATH         rule groups: files or folders; may be repeated
  --group NAME         only this rule group; may be repeated
  --guard FILE         also with --releases, --quiet and --last: its rules, limits and variables
  --namespace NAME --workload NAME --service NAME
                       without a guard: $namespace, $workload, $service
  --candidate-pods PATTERN --stable-pods PATTERN
                       with --quiet and --last (WORKLOAD-.*)
  --var NAME=VALUE     a variable; may be repeated
  --length DURATION    how long a release is watched (30m, with a guard 30m and its bake)
  --step DURATION      evaluate at this interval instead of the rules' own
  --now TIME           what --since and --last count from
  --plot WHICH         draw rules: of releases not passed (bad, the default), all or none
  --html FILE          a page with a chart of every rule (also --report)
  --token-file FILE, --user NAME --password-file FILE, --tenant NAME, --ca-file FILE
  -o json              for machines

TIME is RFC 3339, Unix seconds, now, or -7d. Exit code: 0 everything was judged, 1 something could
not be (it says what) or a file is bad, 2 wrong usage

examples:
  rollguard backtest --source http://localhost:9090 --rules rules.yaml --last 1h \
    --namespace shop --workload checkout
  rollguard backtest --source http://localhost:9090 --rules rules --guard guard.yaml --since 30d
  rollguard backtest --source http://localhost:9090 --rules rules --releases past.yaml --html r.html
)";

constexpr Duration kChunk = std::chrono::hours(2);
constexpr size_t kMaxPlots = 5;

class Progress {
 public:
  explicit Progress(size_t all) : all_(all), show_(isatty(STDERR_FILENO) != 0) {}
  ~Progress() {
    if (show_ && all_ > 0) std::fputs("\r\x1b[K", stderr);
  }
  void operator()(const char* what, size_t done) const {
    if (show_) std::fputs(StrCat("\r\x1b[K", what, " ", done, " of ", all_).c_str(), stderr);
  }

 private:
  size_t all_;
  bool show_;
};

std::vector<proof::SamplePiece> Halves(const proof::SamplePiece& piece) {
  Time middle = piece.from + (piece.to - piece.from) / 2;
  proof::SamplePiece first = piece, second = piece;
  first.to = second.from = middle;
  return {first, second};
}

// A piece that is too much for the server is asked for in halves.
bool TooMuch(const Error& error, const proof::SamplePiece& piece) {
  bool large = error.code == ErrorCode::kTooLarge ||
               error.message.find("too many samples") != std::string::npos ||
               error.message.find("too large") != std::string::npos;
  return large && piece.to - piece.from > std::chrono::minutes(2);
}

// Everything the rules may look at. Errors name the selector that could not be had.
Expected<promql::MemoryStore> Fetch(const prometheus::ApiOptions& api,
                                    std::vector<proof::SamplePiece> pieces) {
  proof::SampleBag bag;
  while (!pieces.empty()) {
    std::vector<MetricQuery> queries;
    std::vector<size_t> presence;  // index of the second question, 0: none
    for (const proof::SamplePiece& piece : pieces) {
      queries.push_back(proof::RawQuery(piece));
      presence.push_back(0);
      if (piece.presence == Duration(0)) continue;
      presence.back() = queries.size();
      queries.push_back(proof::PresenceQuery(piece));
    }
    Progress progress(queries.size());
    auto answers =
        AskAll(api, std::move(queries), [&](size_t done) { progress("fetching", done); });
    std::vector<proof::SamplePiece> again;
    size_t at = 0;
    for (size_t i = 0; i < pieces.size(); ++i) {
      Expected<MetricAnswer>& raw = answers[at++];
      Expected<MetricAnswer>* second = presence[i] > 0 ? &answers[at++] : nullptr;
      const Error* failed = !raw ? &raw.error() : second && !*second ? &second->error() : nullptr;
      if (failed && TooMuch(*failed, pieces[i])) {
        for (proof::SamplePiece& half : Halves(pieces[i])) again.push_back(std::move(half));
        continue;
      }
      if (failed) return Error(failed->code, StrCat(pieces[i].selector, ": ", failed->message));
      Status added = bag.Add(pieces[i], raw->value, second ? &(*second)->value : nullptr);
      if (!added) return added.error();
    }
    pieces = std::move(again);
  }
  return bag.Take();
}

// The releases that can be seen in the server's own series.
Expected<std::vector<proof::PastRelease>> Search(const prometheus::ApiOptions& api,
                                                 const proof::ReleaseSearch& search) {
  std::vector<std::string> tried;
  auto queries = proof::ReleaseQueries(search);
  for (size_t i = 0; i < queries.size(); ++i) {
    MetricQuery query;
    query.query = queries[i].query;
    query.at = search.to;
    if (queries[i].step > Duration(0))
      query.range = MetricQuery::Range{search.from, search.to, queries[i].step};
    auto answer = AskAll(api, {query})[0];
    if (!answer) return answer.error();
    auto found = proof::FindReleases(search, i, answer->value);
    if (!found.empty()) return found;
    tried.push_back(queries[i].name);
  }
  return Error(ErrorCode::kNotFound,
               StrCat("no release of ", search.ns, "/", search.workload, " is seen in ",
                      Join(tried, ", "), "; list them with --releases FILE"));
}

Expected<std::vector<proof::PastRelease>> ReleasesOf(const prometheus::ApiOptions& api,
                                                     const BacktestInput& in) {
  if (!in.search) return in.releases;
  auto found = Search(api, *in.search);
  for (proof::PastRelease& release : found ? *found : std::vector<proof::PastRelease>())
    release.vars = in.vars;
  return found;
}

void Print(const Options& options, const std::vector<proof::BacktestVerdict>& verdicts) {
  if (options.Get("--output") == "json") {
    std::puts(proof::ToJson(verdicts).Dump(2).c_str());
    return;
  }
  std::fputs(proof::BacktestText(verdicts).c_str(), stdout);
  std::string which = options.Get("--plot", "bad");
  size_t plots = 0;
  for (const proof::BacktestVerdict& v : verdicts) {
    bool passed = v.outcome == proof::BacktestVerdict::Outcome::kPassed;
    if (which == "none" || (passed && which != "all") || plots >= kMaxPlots) continue;
    std::string plot = proof::BacktestPlot(v, 72);
    if (plot.empty()) continue;
    ++plots;
    std::fputs(StrCat("\n", v.release.id, ": ", v.rule, "\n", plot).c_str(), stdout);
  }
}

int Run(std::span<const std::string_view> args) {
  auto options = ParseBacktestOptions(args);
  if (!options) return UsageError(kName, options.error().message);
  auto api = SourceOf(*options);
  if (!api) return UsageError(kName, api.error().message);
  auto in = ReadBacktestInput(*options);
  if (!in)
    return in.error().code == ErrorCode::kInvalid ? UsageError(kName, in.error().message)
                                                  : Fail(kName, in.error().message);
  auto releases = ReleasesOf(*api, *in);
  if (!releases) return Fail(kName, releases.error().message);
  const spec::Guard* guard = in->guard ? &*in->guard : nullptr;
  std::vector<std::string> problems;
  auto pieces = proof::PlanSamples(in->library, guard, *releases, kChunk, problems);
  if (!problems.empty()) return Fail(kName, Join(problems, "\n  "));
  auto samples = Fetch(*api, std::move(pieces));
  if (!samples) return Fail(kName, samples.error().message);
  if (in->spread) proof::SpreadPods(*samples, *releases);

  std::vector<proof::BacktestVerdict> verdicts;
  {
    Progress progress(releases->size());
    for (const proof::PastRelease& release : *releases) {
      progress("trying", verdicts.size());
      verdicts.push_back(proof::TryRelease({&in->library, guard}, release, *samples));
    }
  }
  Print(*options, verdicts);
  for (std::string_view name : {"--html", "--report"}) {
    if (!options->Has(name)) continue;
    Status written =
        WriteFile(options->Get(name), proof::BacktestHtml(verdicts, "Backtest of " + in->title));
    if (!written) return Fail(kName, written.error().message);
  }
  bool judged = std::all_of(verdicts.begin(), verdicts.end(),
                            [](const auto& v) { return v.problem.empty(); });
  return judged ? kOk : kFound;
}

}  // namespace

extern const Command kBacktestCommand;
const Command kBacktestCommand = {kName, "what rules would have done in the past", kHelp, Run};

}  // namespace rollguard::cli
