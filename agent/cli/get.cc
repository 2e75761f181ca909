// SPDX-License-Identifier: Apache-2.0
// `rollguard get`: lists of what the running agent knows.
#include <cstdio>

#include "agent/base/diagnostic.h"
#include "agent/base/text.h"
#include "agent/base/tidy.h"
#include "agent/cli/command.h"
#include "agent/cli/guard_text.h"
#include "agent/cli/output.h"
#include "agent/cli/remote.h"
#include "agent/cli/system_clock.h"
#include "agent/cli/table.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "get";

struct Kind {
  std::string_view word;
  std::string_view path;
  std::vector<std::string> heads;
  std::vector<std::string> (*row)(const Json& item, Time now, bool wide);
  std::string_view items = "items";  // the list's member of the answer
  bool limited = true;               // takes --limit
};

std::vector<std::string> GuardRow(const Json& g, Time now, bool wide) {
  const std::string state = g.At("state").Str();
  const bool releasing = g.Find("release") != nullptr;
  const Json& since = releasing ? g.At("startedAt") : g.At("last", "at");
  std::vector<std::string> row = {
      g.At("id").Str(),
      Paint(state, ToneOf(state), Colours()),
      releasing ? StrCat(g.At("step").IntOr(0), "/", g.At("steps").IntOr(0)) : "-",
      releasing ? StrCat(g.At("weight").IntOr(0), "%") : "-",
      NumberOr(g.At("score")),
      g.At("stable").Str(),
      releasing ? g.At("candidate").Str() : "-",
      AgeOf(since, now)};
  if (wide) {
    row.push_back(g.At("strategy").Str());
    row.push_back(g.At("rollbackReady").BoolOr(false) ? "yes" : "no");
  }
  row.push_back(TidyNumbers(g.At("reason").Str()));
  return row;
}

std::vector<std::string> ReleaseRowOf(const Json& r, Time now, bool) {
  const std::string outcome = r.At("outcome").is_string() ? r.At("outcome").Str() : "running";
  const Tone tone = outcome == "promoted"  ? Tone::kGood
                    : outcome == "running" ? Tone::kStrong
                                           : Tone::kBad;
  return {r.At("id").Str(),
          r.At("guard").Str(),
          r.At("revision").Str(),
          Paint(outcome, tone, Colours()),
          AgeOf(r.At("startedAt"), now),
          r.At("trigger").Str()};
}

std::vector<std::string> DecisionRow(const Json& d, Time, bool) {
  return {d.At("id").Str(), d.At("guard").Str(), d.At("verdict").Str(),
          StrCat(d.At("weight").IntOr(0), "%"), TidyNumbers(d.At("words").Str())};
}

std::vector<std::string> AlertRow(const Json& a, Time now, bool) {
  std::vector<std::string> guards;
  for (const Json& match : a.At("matches").items()) guards.push_back(match.At("guard").Str());
  return {a.At("labels", "alertname").Str(), a.At("status").Str(), a.At("disposition").Str(),
          AgeOf(a.At("startsAt"), now), Join(guards, ", ")};
}

std::vector<std::string> RuleRow(const Json& r, Time, bool) {
  return {StrCat(r.At("group").Str(), "/", r.At("name").Str()), r.At("action").Str(),
          r.At("severity").Str(), StrCat(r.At("right").IntOr(0), "/", r.At("fired").IntOr(0)),
          r.At("query").Str()};
}

std::vector<std::string> ChannelRow(const Json& c, Time now, bool) {
  const std::string age = AgeOf(c.At("lastSent"), now);
  return {c.At("name").Str(),
          c.At("kind").Str(),
          std::to_string(c.At("waiting").IntOr(0)),
          std::to_string(c.At("sent").IntOr(0)),
          std::to_string(c.At("deadLetters").IntOr(0)),
          age.empty() ? "-" : age,
          c.At("lastError").Str()};
}

std::vector<std::string> LetterRow(const Json& l, Time now, bool) {
  const Json& notice = l.At("notice");
  return {
      l.At("id").Str(),         l.At("channel").Str(),
      AgeOf(l.At("at"), now),   StrCat(notice.At("namespace").Str(), "/", notice.At("guard").Str()),
      notice.At("event").Str(), std::to_string(l.At("attempts").IntOr(0)),
      l.At("error").Str()};
}

const std::vector<Kind>& Kinds() {
  static const std::vector<Kind> kinds = {
      {"guards",
       "/api/v1/guards",
       {"GUARD", "STATE", "STEP", "WEIGHT", "SCORE", "STABLE", "CANDIDATE", "SINCE", "REASON"},
       GuardRow},
      {"releases",
       "/api/v1/releases",
       {"RELEASE", "GUARD", "REVISION", "OUTCOME", "SINCE", "TRIGGER"},
       ReleaseRowOf},
      {"decisions", "/api/v1/decisions", {"ID", "GUARD", "VERDICT", "WEIGHT", "WHAT"}, DecisionRow},
      {"alerts", "/api/v1/alerts", {"ALERT", "STATUS", "BECAME", "SINCE", "GUARDS"}, AlertRow},
      {"rules",
       "/api/v1/rules",
       {"RULE", "ACTION", "SEVERITY", "RIGHT", "QUERY"},
       RuleRow,
       "items",
       false},
      {"channels",
       "/api/v1/notifications",
       {"CHANNEL", "KIND", "WAITING", "SENT", "DEAD", "LAST", "LAST ERROR"},
       ChannelRow,
       "channels",
       false},
      {"dead-letters",
       "/api/v1/notifications",
       {"ID", "CHANNEL", "SINCE", "GUARD", "EVENT", "ATTEMPTS", "ERROR"},
       LetterRow,
       "deadLetters",
       false},
  };
  return kinds;
}

constexpr std::string_view kHelp =
    R"(usage: rollguard get [KIND] [-n NAMESPACE]

Lists what the running agent knows, of all namespaces you may see. KIND is one of guards (when
nothing else is said), releases, decisions, alerts, rules, channels, dead-letters.

options:
  --state WORDS       guards: only in these states, separated by commas
  --limit N           at most so many (100)
  -o table|wide|json|yaml
  --server URL        the agent ($ROLLGUARD_SERVER; http://127.0.0.1:9442)
  --token-file FILE   bearer token ($ROLLGUARD_TOKEN_FILE, $ROLLGUARD_TOKEN)
  --ca-file FILE      trust this CA and no other ($ROLLGUARD_CA_FILE)
  -n, --namespace NS  only of this namespace

exit code: 0 answered, 1 the agent refused or is away, 2 wrong usage

examples:
  rollguard get
  rollguard get guards --state releasing,waiting
  rollguard get releases -n shop -o json
  rollguard get dead-letters    # then: rollguard notices retry ID
)";

const Kind* FindKind(std::string_view word) {
  for (const Kind& kind : Kinds())
    if (kind.word == word || StrCat(word, "s") == kind.word) return &kind;
  return nullptr;
}

std::string PathOf(const Kind& kind, const Options& options) {
  std::string path(kind.path);
  auto add = [&](std::string_view name, const std::string& value) {
    path += StrCat(path.find('?') == std::string::npos ? "?" : "&", name, "=", UrlEncode(value));
  };
  if (kind.limited) add("limit", options.Get("--limit", "100"));
  if (options.Has("--namespace")) add("namespace", options.Get("--namespace"));
  if (options.Has("--state")) add("state", options.Get("--state"));
  return path;
}

// Options that this kind does not know would be refused by the agent with words about parameters.
Status Fits(const Kind& kind, const Options& options) {
  if (options.Has("--state") && kind.word != "guards")
    return Error(ErrorCode::kInvalid, "--state is for guards");
  if (options.Has("--limit") && !kind.limited)
    return Error(ErrorCode::kInvalid, StrCat("--limit is not for ", kind.word));
  auto limit = ParseInt(options.Get("--limit", "100"));
  if (!limit || *limit < 1 || *limit > 500)
    return Error(ErrorCode::kInvalid, "--limit is 1 to 500");
  if (options.Has("--namespace") && kind.word == "rules")
    return Error(ErrorCode::kInvalid, "--namespace is not for rules");
  return {};
}

void PrintTable(const Kind& kind, const Json& list, bool wide) {
  std::vector<std::string> heads = kind.heads;
  if (wide && kind.row == GuardRow) heads.insert(heads.end() - 1, {"STRATEGY", "WAY BACK"});
  Table table(heads);
  const Time now = SystemClock().Now();
  for (const Json& item : list.At(kind.items).items()) table.Add(kind.row(item, now, wide));
  if (table.rows() == 0) {
    std::fputs(StrCat("no ", kind.word, "\n").c_str(), stderr);
    return;
  }
  std::fputs(table.Text(Colours() && !wide ? ScreenWidth() : 0).c_str(), stdout);
  if (!list.At("next").Str().empty()) std::fputs("there are more; raise --limit\n", stderr);
}

int Run(std::span<const std::string_view> args) {
  std::vector<std::string_view> values = RemoteValues();
  values.insert(values.end(), {"--state", "--limit"});
  auto options = ParseOptions(args, {values, {}});
  if (!options) return UsageError(kName, options.error().message);
  if (options->arguments.size() > 1)
    return UsageError(kName, "one kind at a time; `rollguard status GUARD` shows one guard");
  const std::string word = options->arguments.empty() ? "guards" : options->arguments[0];
  const Kind* kind = FindKind(word);
  if (kind == nullptr) {
    std::vector<std::string_view> words;
    for (const Kind& k : Kinds()) words.push_back(k.word);
    return UsageError(kName, StrCat("there is no kind ", Quote(word), Suggestion(word, words)));
  }
  if (Status fits = Fits(*kind, *options); !fits) return UsageError(kName, fits.error().message);
  auto output = OutputOf(*options, {"table", "wide", "json", "yaml"});
  if (!output) return UsageError(kName, output.error().message);
  auto remote = Remote::Open(*options);
  if (!remote) return UsageError(kName, remote.error().message);
  auto list = (*remote)->Get(PathOf(*kind, *options));
  if (!list) return Fail(kName, list.error().message);
  if (!PrintAs(*list, *output)) PrintTable(*kind, *list, *output == "wide");
  return kOk;
}

}  // namespace

extern const Command kGetCommand;
const Command kGetCommand = {kName, "guards, releases, decisions, alerts or rules as a table",
                             kHelp, Run};

}  // namespace rollguard::cli
