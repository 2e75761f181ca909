// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/backtest_input.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "agent/base/diagnostic.h"
#include "agent/base/text.h"
#include "agent/cli/source_options.h"
#include "agent/cli/system_clock.h"

namespace rollguard::cli {
namespace {

constexpr Duration kLength = std::chrono::minutes(30);

Error Usage(std::string message) { return Error(ErrorCode::kInvalid, std::move(message)); }

// Files are bad: what is wrong was printed.
Error BadFiles() { return Error(ErrorCode::kConflict, "the files above must be mended first"); }

class Reader {
 public:
  explicit Reader(const Options& options) : options_(options) {}

  Expected<BacktestInput> Read() {
    if (Status times = ReadTimes(); !times) return times.error();
    if (Status rules = ReadRules(); !rules) return rules.error();
    if (Status which = ReadReleases(); !which) return which.error();
    return std::move(in_);
  }

 private:
  Status ReadTimes() {
    auto now = proof::ParseMoment(options_.Get("--now", "now"), SystemClock().Now());
    if (!now) return Usage(StrCat("--now ", Quote(options_.Get("--now")), " is no time"));
    now_ = std::chrono::floor<std::chrono::seconds>(*now);
    for (auto [name, out] : {std::pair("--length", &length_), std::pair("--step", &step_),
                             std::pair("--since", &since_), std::pair("--last", &last_)}) {
      if (!options_.Has(name)) continue;
      auto duration = ParsePromDuration(options_.Get(name));
      if (!duration)
        return Usage(
            StrCat(name, " must be a duration like 30m or 7d, not ", Quote(options_.Get(name))));
      *out = *duration;
    }
    return {};
  }

  // False when the file cannot be read or is bad.
  bool Load(const std::string& file, spec::Library& library) {
    auto text = ReadFile(file);
    if (!text) {
      std::fputs(StrCat("rollguard backtest: ", text.error().message, "\n").c_str(), stderr);
      return false;
    }
    size_t before = problems_.error_count();
    spec::LoadText(file, *text, library, problems_);
    texts_[file] = std::move(*text);
    return problems_.error_count() == before;
  }

  bool Show() {
    for (const Diagnostic& d : problems_.Sorted())
      std::fputs(Render(d, texts_[d.file]).c_str(), stderr);
    return !problems_.has_errors();
  }

  Status ReadRules() {
    if (!options_.Has("--rules")) return Usage("give the rules: --rules PATH");
    bool good = true;
    for (const std::string& file : FilesBelow(options_.All("--rules")))
      good = Load(file, in_.library) && good;
    spec::Library with_guard;
    if (options_.Has("--guard")) good = Load(options_.Get("--guard"), with_guard) && good;
    if (!Show() || !good) return BadFiles();
    if (options_.Has("--guard")) {
      if (with_guard.guards.empty()) return Usage(StrCat(options_.Get("--guard"), " has no Guard"));
      for (auto& group : with_guard.groups) in_.library.groups.push_back(group);
      for (auto& policy : with_guard.policies) in_.library.policies.push_back(policy);
      in_.guard = spec::Resolve(with_guard.guards.back(), in_.library, problems_);
      if (!Show() || !in_.guard) return BadFiles();
      if (in_.guard->metadata.ns.empty()) in_.guard->metadata.ns = "default";
    }
    return ChooseGroups();
  }

  bool Uses(const spec::RuleGroup& group) const {
    return std::any_of(in_.guard->rollback.rules.begin(), in_.guard->rollback.rules.end(),
                       [&](const spec::RuleRef& ref) {
                         return ref.name.empty() ? ref.selector.Matches(group.labels)
                                                 : ref.name == group.name;
                       });
  }

  Status ChooseGroups() {
    std::vector<std::string> wanted = options_.All("--group");
    std::vector<std::string> names;
    for (const spec::RuleGroup& group : in_.library.groups) names.push_back(group.name);
    for (const std::string& name : wanted) {
      if (std::find(names.begin(), names.end(), name) == names.end())
        return Usage(StrCat("there is no rule group ", Quote(name),
                            Suggestion(name, {names.begin(), names.end()})));
    }
    std::erase_if(in_.library.groups, [&](const spec::RuleGroup& group) {
      if (!wanted.empty())
        return std::find(wanted.begin(), wanted.end(), group.name) == wanted.end();
      return in_.guard && !in_.guard->rollback.rules.empty() && !Uses(group);
    });
    if (in_.library.groups.empty())
      return Usage(names.empty() ? "the files of --rules have no rule group"
                                 : StrCat("the guard uses none of the rule groups ",
                                          Join(names, ", "), "; choose with --group"));
    for (spec::RuleGroup& group : in_.library.groups) {
      group.ns.clear();
      if (step_ > Duration(0)) group.interval = step_;
      in_.title += StrCat(in_.title.empty() ? "" : ", ", group.name);
    }
    return {};
  }

  // What the command line and the guard say about the workload.
  Status ReadSearch() {
    if (in_.guard) {
      search_.ns = in_.guard->metadata.ns;
      search_.workload = in_.guard->target.name;
      search_.service = in_.guard->service;
    }
    search_.ns = options_.Get("--namespace", search_.ns.empty() ? "default" : search_.ns);
    search_.workload = options_.Get("--workload", search_.workload);
    search_.service = options_.Get("--service", search_.service);
    search_.length =
        length_ > Duration(0) ? length_ : kLength + (in_.guard ? in_.guard->bake : Duration(0));
    if (search_.workload.empty()) search_.workload = search_.service;
    if (search_.workload.empty())
      return Usage("say whose releases: --workload NAME or --guard FILE");
    return {};
  }

  Status ReadReleases() {
    int ways = options_.Has("--releases") + options_.Has("--since") + options_.Has("--quiet") +
               options_.Has("--last");
    if (ways != 1)
      return Usage(
          "say which releases: one of --releases FILE, --guard FILE --since DURATION, "
          "--quiet FROM..TO, --last DURATION");
    if (options_.Has("--releases")) return ReadList();
    if (Status search = ReadSearch(); !search) return search;
    search_.to = now_;
    search_.from = now_ - since_;
    if (options_.Has("--since")) {
      in_.search = search_;
      return ReadVars();
    }
    if (Status quiet = options_.Has("--quiet") ? ReadQuiet() : ReadLast(); !quiet) return quiet;
    for (proof::PastRelease& release : in_.releases) {
      release.candidate_pods = options_.Get("--candidate-pods", release.candidate_pods);
      release.stable_pods = options_.Get("--stable-pods");
    }
    in_.spread = options_.Has("--quiet") && !options_.Has("--stable-pods");
    if (in_.spread) {
      for (proof::PastRelease& release : in_.releases) release.stable_pods = release.candidate_pods;
    }
    return ReadVars();
  }

  Status ReadList() {
    std::string file = options_.Get("--releases");
    auto text = ReadFile(file);
    if (!text) return Error(ErrorCode::kNotFound, text.error().message);
    in_.releases = proof::ParseReleases(file, *text, problems_);
    texts_[file] = std::move(*text);
    return Show() ? ReadVars() : Status(BadFiles());
  }

  Status ReadQuiet() {
    std::string text = options_.Get("--quiet");
    size_t dots = text.find("..");
    auto from = proof::ParseMoment(text.substr(0, dots), now_);
    auto to =
        dots == std::string::npos ? std::nullopt : proof::ParseMoment(text.substr(dots + 2), now_);
    if (!from || !to || *to <= *from)
      return Usage(StrCat("--quiet must be FROM..TO, like -7d..now, not ", Quote(text)));
    search_.from = *from;
    search_.to = *to;
    in_.releases = proof::QuietReleases(search_);
    if (in_.releases.empty())
      return Usage(StrCat("--quiet ", text, " is shorter than one release (--length ",
                          FormatPromDuration(search_.length), ")"));
    return {};
  }

  Status ReadLast() {
    search_.from = now_ - last_;
    search_.length = last_;
    in_.releases = proof::QuietReleases(search_);
    in_.releases[0].id = StrCat("the last ", FormatShortDuration(last_));
    in_.releases[0].label = proof::PastRelease::Label::kUnknown;
    return {};
  }

  Status ReadVars() {
    for (const std::string& var : options_.All("--var")) {
      size_t equals = var.find('=');
      if (equals == std::string::npos || equals == 0)
        return Usage(StrCat("--var must be NAME=VALUE, not ", Quote(var)));
      for (proof::PastRelease& release : in_.releases)
        release.vars.emplace_back(var.substr(0, equals), var.substr(equals + 1));
      in_.vars.emplace_back(var.substr(0, equals), var.substr(equals + 1));
    }
    return {};
  }

  const Options& options_;
  BacktestInput in_;
  proof::ReleaseSearch search_;
  Diagnostics problems_;
  std::map<std::string, std::string> texts_;
  Time now_{};
  Duration length_{0}, step_{0}, since_{0}, last_{0};
};

}  // namespace

Expected<Options> ParseBacktestOptions(std::span<const std::string_view> args) {
  OptionNames names;
  names.values = SourceOptionNames();
  for (std::string_view name :
       {"--rules",     "--group",    "--releases", "--guard",          "--since",
        "--quiet",     "--last",     "--length",   "--step",           "--now",
        "--namespace", "--workload", "--service",  "--candidate-pods", "--stable-pods",
        "--var",       "--plot",     "--html",     "--report",         "--output"}) {
    names.values.push_back(name);
  }
  auto options = ParseOptions(args, names);
  if (!options) return options;
  if (!options->arguments.empty())
    return Usage(StrCat("unexpected ", Quote(options->arguments[0])));
  std::string output = options->Get("--output", "text");
  if (output != "text" && output != "json")
    return Usage(StrCat("the output is text or json, not ", Quote(output)));
  std::string plot = options->Get("--plot", "bad");
  if (plot != "bad" && plot != "all" && plot != "none")
    return Usage(StrCat("--plot is bad, all or none, not ", Quote(plot)));
  return options;
}

Expected<BacktestInput> ReadBacktestInput(const Options& options) { return Reader(options).Read(); }

}  // namespace rollguard::cli
