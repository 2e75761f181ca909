// SPDX-License-Identifier: Apache-2.0
// `rollguard compare`: the statistics of comparing rules, on numbers given by hand.
#include <cmath>
#include <cstdio>
#include <optional>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/options.h"
#include "agent/stats/alpha_budget.h"
#include "agent/stats/mann_whitney.h"
#include "agent/stats/sequential.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "compare";
constexpr std::string_view kHelp =
    R"(usage: rollguard compare --test sequential --looks FILE [OPTIONS]
       rollguard compare --test mann-whitney --candidate LIST --stable LIST [OPTIONS]

Compares a candidate with the stable revision, as comparing rules do.

sequential: is the candidate's share of bad requests higher? May be looked at as often as one likes:
a healthy candidate ever reaches the alarm with chance alpha at most. FILE (- for the standard input)
holds one look a line, increases since the last look:
  {"kc": 3, "nc": 150, "kb": 6, "nb": 1350}   bad and all requests of candidate (c) and stable (b)
  --tolerate R         the candidate may be R times as bad (1)
  --alpha A            chance of a false alarm (0.01); the alarm is at E >= 1/alpha
  --form FORM          plain, restart or mix (mix)
  --overdispersion PHI divide log increments, for clustered errors (1; at most 20)

mann-whitney: are the candidate's values higher or lower?
  --direction D        increase, decrease or either (either)
  --confidence C       of the interval (0.98)
  --tolerance T        share of the estimate that is let pass (0.25)
  --effect E           meanRatio or cles (meanRatio)
  --allowed-increase X, --allowed-decrease X     effect that is let pass (1)
  --critical           mark the metric critical; --critical-increase X, --critical-decrease X (1)
  --nan N              remove or replace by 0 (remove)
  --outliers O         keep or remove (keep)
  --min-points N       fewer on a side is Nodata (5)
  --must-have-data     no data fails the metric

  -o json              for machines

examples:
  rollguard compare --test sequential --looks looks.jsonl
  rollguard compare --test mann-whitney --candidate 31,30,33,35,29 --stable 20,22,19,21,20
)";

// Reads typed values out of the options and remembers the first that is wrong.
class Reader {
 public:
  explicit Reader(const Options& options) : options_(options) {}

  const std::string& problem() const { return problem_; }
  bool Has(std::string_view name) const { return options_.Has(name); }
  void Complain(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }
  void Need(bool holds, std::string_view problem) {
    if (!holds) Complain(std::string(problem));
  }

  double Number(std::string_view name, double fallback) {
    if (!options_.Has(name)) return fallback;
    auto value = ParseDouble(options_.Get(name));
    if (value && std::isfinite(*value)) return *value;
    Complain(StrCat(name, " must be a number, not ", Quote(options_.Get(name))));
    return fallback;
  }

  // Which of the words the option names.
  size_t Word(std::string_view name, std::initializer_list<std::string_view> words,
              size_t fallback) {
    if (!options_.Has(name)) return fallback;
    std::string value = options_.Get(name);
    size_t at = 0;
    std::string all;
    for (std::string_view word : words) {
      if (word == value) return at;
      all += StrCat(at++ == 0 ? "" : ", ", word);
    }
    Complain(StrCat(name, " must be one of ", all, "; not ", Quote(value)));
    return fallback;
  }

  std::vector<double> List(std::string_view name) {
    std::vector<double> values;
    if (!options_.Has(name)) Complain(StrCat(name, " is missing"));
    std::string text = options_.Get(name);
    if (Trim(text).empty()) return values;
    for (std::string_view item : Split(text, ',')) {
      auto value = ParseDouble(Trim(item));
      if (!value) Complain(StrCat(name, ": ", Quote(item), " is no number"));
      values.push_back(value.value_or(0));
    }
    return values;
  }

  std::vector<stats::ProportionLook> Looks() {
    std::vector<stats::ProportionLook> looks;
    if (!options_.Has("--looks")) Complain("--looks is missing");
    if (!problem_.empty()) return looks;
    std::string file = options_.Get("--looks");
    auto text = ReadFile(file);
    if (!text) {
      Complain(text.error().message);
      return looks;
    }
    int line = 0;
    for (std::string_view row : Split(*text, '\n')) {
      ++line;
      if (Trim(row).empty()) continue;
      auto json = ParseJson(row);
      if (!json) Complain(StrCat(file, ":", line, ": ", json.error().message));
      if (!json) return looks;
      for (const char* key : {"kc", "nc", "kb", "nb"}) {
        if (!json->At(key).is_number())
          Complain(StrCat(file, ":", line, ": ", Quote(key), " must be a number"));
      }
      looks.push_back({json->At("kc").DoubleOr(0), json->At("nc").DoubleOr(0),
                       json->At("kb").DoubleOr(0), json->At("nb").DoubleOr(0)});
    }
    return looks;
  }

 private:
  const Options& options_;
  std::string problem_;
};

int Sequential(Reader& read, bool json) {
  stats::ProportionOptions settings;
  settings.tolerate = read.Number("--tolerate", 1);
  settings.overdispersion = read.Number("--overdispersion", 1);
  settings.form = static_cast<stats::Form>(read.Word("--form", {"plain", "restart", "mix"}, 2));
  double alpha = read.Number("--alpha", stats::kDefaultAlpha);
  read.Need(settings.tolerate > 0, "--tolerate must be above 0");
  read.Need(alpha > 0 && alpha < 1, "--alpha must lie between 0 and 1");
  std::vector<stats::ProportionLook> looks = read.Looks();
  if (!read.problem().empty()) return UsageError(kName, read.problem());
  stats::ProportionTest test(settings);
  Json out = Json::Arr();
  size_t first_alarm = 0;
  size_t number = 0;
  for (const stats::ProportionLook& look : looks) {
    ++number;
    bool counted = test.Add(look);
    bool alarm = test.Alarm(alpha);
    if (alarm && first_alarm == 0) first_alarm = number;
    out.Push(Json::Obj({{"e", test.E()}, {"alarm", alarm}}));
    if (!json) {
      std::printf("look %zu: E %.6f%s%s\n", number, test.E(),
                  counted ? "" : " (skipped: no traffic on one side)", alarm ? " ALARM" : "");
    }
  }
  if (json) {
    std::puts(Json::Obj({{"looks", out}, {"alarm", first_alarm > 0}}).Dump().c_str());
  } else if (first_alarm > 0) {
    std::printf("alarm at look %zu: the candidate is worse (E >= %g)\n", first_alarm, 1 / alpha);
  } else {
    std::printf("no alarm after %zu looks (E < %g)\n", number, 1 / alpha);
  }
  return kOk;
}

stats::JudgeOptions JudgeSettings(Reader& read) {
  stats::JudgeOptions out;
  out.direction = static_cast<stats::Direction>(
      read.Word("--direction", {"increase", "decrease", "either"}, 2));
  out.confidence = read.Number("--confidence", out.confidence);
  read.Need(out.confidence > 0 && out.confidence < 1, "--confidence must lie between 0 and 1");
  out.tolerance = read.Number("--tolerance", out.tolerance);
  out.effect = static_cast<stats::EffectMeasure>(read.Word("--effect", {"meanRatio", "cles"}, 0));
  out.allowed_increase = read.Number("--allowed-increase", out.allowed_increase);
  out.allowed_decrease = read.Number("--allowed-decrease", out.allowed_decrease);
  out.critical =
      read.Has("--critical") || read.Has("--critical-increase") || read.Has("--critical-decrease");
  out.critical_increase = read.Number("--critical-increase", out.critical_increase);
  out.critical_decrease = read.Number("--critical-decrease", out.critical_decrease);
  out.nan = static_cast<stats::NanStrategy>(read.Word("--nan", {"remove", "replace"}, 0));
  out.outliers =
      static_cast<stats::OutlierStrategy>(read.Word("--outliers", {"keep", "remove"}, 0));
  out.must_have_data = read.Has("--must-have-data");
  double points = read.Number("--min-points", static_cast<double>(out.min_points));
  read.Need(points >= 0 && points <= 1e6, "--min-points must be a small number");
  if (read.problem().empty()) out.min_points = static_cast<size_t>(points);
  return out;
}

int MannWhitney(Reader& read, bool json) {
  stats::JudgeOptions settings = JudgeSettings(read);
  std::vector<double> candidate = read.List("--candidate");
  std::vector<double> stable = read.List("--stable");
  if (!read.problem().empty()) return UsageError(kName, read.problem());
  stats::Judgement j = stats::Judge(candidate, stable, settings);
  if (json) {
    Json out = Json::Obj({{"class", stats::ToString(j.verdict)},
                          {"critical", j.critical},
                          {"low", j.low},
                          {"high", j.high},
                          {"estimate", j.estimate},
                          {"deviation", j.deviation}});
    std::puts(out.Dump().c_str());
    return kOk;
  }
  std::printf("%s%s: %s\n", stats::ToString(j.verdict), j.critical ? " (critical)" : "",
              j.reason.c_str());
  if (!std::isnan(j.estimate)) {
    std::printf("shift %.6g, interval [%.6g, %.6g] at %g %% confidence, effect %.6g\n", j.estimate,
                j.low, j.high, 100 * settings.confidence, j.deviation);
  }
  return kOk;
}

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(args, {{"--test",
                                      "--looks",
                                      "--tolerate",
                                      "--alpha",
                                      "--form",
                                      "--overdispersion",
                                      "--candidate",
                                      "--stable",
                                      "--direction",
                                      "--confidence",
                                      "--tolerance",
                                      "--effect",
                                      "--allowed-increase",
                                      "--allowed-decrease",
                                      "--critical-increase",
                                      "--critical-decrease",
                                      "--nan",
                                      "--outliers",
                                      "--min-points",
                                      "--output"},
                                     {"--critical", "--must-have-data"}});
  if (!options) return UsageError(kName, options.error().message);
  Reader read(*options);
  bool json = read.Word("--output", {"text", "json"}, 0) == 1;
  if (!options->arguments.empty())
    read.Complain(StrCat("unexpected ", Quote(options->arguments[0])));
  read.Need(options->Has("--test"), "--test is missing: sequential or mann-whitney");
  bool sequential = read.Word("--test", {"sequential", "mann-whitney"}, 0) == 0;
  if (!read.problem().empty()) return UsageError(kName, read.problem());
  return sequential ? Sequential(read, json) : MannWhitney(read, json);
}

}  // namespace

extern const Command kCompareCommand;
const Command kCompareCommand = {kName, "compare a candidate with stable, on numbers given by hand",
                                 kHelp, Run};

}  // namespace rollguard::cli
