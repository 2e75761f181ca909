// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/guard_text.h"

#include <algorithm>
#include <cmath>

#include "agent/base/text.h"
#include "agent/base/tidy.h"
#include "agent/cli/table.h"

namespace rollguard::cli {
namespace {

constexpr size_t kBarWidth = 24;
constexpr size_t kDecisions = 6;

std::string Rounded(Duration d) {
  return FormatShortDuration(std::chrono::floor<std::chrono::seconds>(d));
}

std::string HeadText(const Json& row, const std::string& replica, const TextStyle& style) {
  const std::string state = row.At("state").Str();
  std::string out = StrCat(Paint(row.At("id").Str(), Tone::kStrong, style.colours), "   ",
                           Paint(state, ToneOf(state), style.colours), "   ",
                           row.At("strategy").Str(), " of ", row.At("target").Str());
  if (row.At("mode").Str() == "observe") out += "   observed only";
  out += "\n";
  out += StrCat("revision   ", row.At("stable").Str());
  if (const std::string candidate = row.At("candidate").Str(); !candidate.empty())
    out += StrCat(" → ", candidate);
  if (const std::string age = AgeOf(row.At("startedAt"), style.now); !age.empty())
    out += StrCat("   since ", age);
  if (auto end = ParseRfc3339(row.At("estimatedCompletion").Str()); end && *end > style.now)
    out += StrCat("   about ", Rounded(*end - style.now), " left");
  out += "\n";
  if (const std::string reason = row.At("reason").Str(); !reason.empty())
    out += StrCat("reason     ", TidyNumbers(reason), "\n");
  if (!replica.empty()) out += StrCat("decided by ", replica, "\n");
  if (!row.At("rollbackReady").BoolOr(true) && row.Find("release") != nullptr)
    out += StrCat(Paint("           the way back is not ready", Tone::kBad, style.colours), "\n");
  return out;
}

std::string BarsText(const Json& row) {
  const int64_t weight = row.At("weight").IntOr(0);
  std::string out = StrCat("traffic    ", Bar(static_cast<double>(weight) / 100, kBarWidth), "  ",
                           weight, " % on the candidate\n");
  if (row.At("score").is_number()) {
    const double score = row.At("score").DoubleOr(0);
    out += StrCat("score      ", Bar(score, kBarWidth), "  ", Format("%.2f", score), "\n");
  }
  return out;
}

std::string LeftOf(const Json& step, Time now) {
  auto end = ParseRfc3339(step.At("endsAt").Str());
  if (!end) return "";
  return *end > now ? StrCat("   ", Rounded(*end - now), " left") : "   about to end";
}

std::string StepsText(const Json& steps, const TextStyle& style) {
  if (steps.size() == 0) return "";
  std::string out = "steps\n";
  for (const Json& step : steps.items()) {
    const std::string state = step.At("state").Str();
    const char* mark = state == "done" ? "✓" : state == "current" ? "▶" : "·";
    const Tone tone = state == "done"      ? Tone::kGood
                      : state == "current" ? Tone::kStrong
                                           : Tone::kDim;
    std::string words = step.At("words").Str();
    if (const std::string name = step.At("name").Str(); !name.empty())
      words = StrCat(name, ": ", words);
    out += StrCat("  ", Paint(StrCat(mark, " ", words), tone, style.colours),
                  state == "current" ? LeftOf(step, style.now) : "", "\n");
  }
  return out;
}

bool Breaches(const Json& e) {
  return e.At("state").Str() == "firing" || e.At("state").Str() == "pending";
}

std::string Measured(const Json& e) {
  std::string out = NumberOr(e.At("value"), e.At("text").Str());
  if (e.At("threshold").is_number()) {
    const std::string limit = StrCat(e.At("op").Str(), " ", NumberOr(e.At("threshold")));
    out += Breaches(e) ? StrCat(" ", limit) : StrCat(" (limit ", limit, ")");
  }
  const Json& both = e.At("comparison");
  if (both.is_object())
    out = StrCat(NumberOr(both.At("candidate")), " against ", NumberOr(both.At("stable")));
  return out;
}

Tone ToneOfEvidence(const std::string& state) {
  if (state == "firing" || state == "failed") return Tone::kBad;
  if (state == "ok" || state == "passed") return Tone::kGood;
  return state == "waiting" ? Tone::kDim : Tone::kWarn;
}

// A rule's reason opens with its name, which has a column of its own.
std::string WhyOf(const Json& e) {
  const std::string reason = e.At("reason").Str(), name = e.At("name").Str() + ": ";
  // Of a rule that is not broken it says what stands before it.
  if (e.At("threshold").is_number() && e.At("value").is_number() && !Breaches(e)) return "";
  return TidyNumbers(reason.starts_with(name) ? reason.substr(name.size()) : reason);
}

std::string EvidenceText(const Json& evidence, const TextStyle& style) {
  if (evidence.size() == 0) return "";
  Table table({"  evidence", "name", "measured", "why"});
  for (const Json& e : evidence.items()) {
    const std::string state = e.At("state").Str();
    table.Add({StrCat("  ", Paint(state, ToneOfEvidence(state), style.colours)), e.At("name").Str(),
               Measured(e), WhyOf(e)});
  }
  return table.Text(style.width).substr(2);
}

std::string DecisionsText(const Json& decisions, const TextStyle& style) {
  if (decisions.size() == 0) return "";
  std::string out = "decisions\n";
  for (size_t i = 0; i < std::min(decisions.size(), kDecisions); ++i)
    out += StrCat(Fit(StrCat("  ", TidyNumbers(decisions.At(i).At("words").Str())), style.width),
                  "\n");
  return out;
}

std::string AskText(const Json& guard) {
  std::vector<std::string> verbs;
  for (const Json& action : guard.At("actions").items()) {
    const std::string verb = action.At("verb").Str();
    if (std::find(verbs.begin(), verbs.end(), verb) == verbs.end()) verbs.push_back(verb);
  }
  std::string out;
  if (const Json& approval = guard.At("approval"); approval.is_object())
    out += StrCat("approval   ", approval.At("votes").size(), " of ",
                  approval.At("required").IntOr(0), " given\n");
  if (!verbs.empty()) out += StrCat("you can    ", Join(verbs, ", "), "\n");
  return out;
}

}  // namespace

std::string NumberOr(const Json& value, std::string_view none) {
  if (!value.is_number()) return std::string(none);
  const double number = value.DoubleOr(0);
  return std::abs(number) >= 1000 || number == std::floor(number) ? FormatNumber(number)
                                                                  : Format("%.3g", number);
}

std::string AgeOf(const Json& time, Time now) {
  auto parsed = ParseRfc3339(time.Str());
  return parsed ? Rounded(std::max(Duration(0), now - *parsed)) : "";
}

std::string ProgressLine(const Json& row, Time now, const std::string& said) {
  std::string out = StrCat(FormatClockTime(now), " ", row.At("id").Str(), " ",
                           row.At("state").Str(), " step ", row.At("step").IntOr(0), "/",
                           row.At("steps").IntOr(0), " weight ", row.At("weight").IntOr(0));
  if (row.At("score").is_number()) out += StrCat(" score ", NumberOr(row.At("score")));
  if (const std::string reason = row.At("reason").Str(); !reason.empty() && reason != said)
    out += "  " + TidyNumbers(reason);
  return out;
}

std::string StatusText(const Json& guard, const TextStyle& style) {
  const Json& row = guard.At("summary");
  std::string out = HeadText(row, guard.At("replica").Str(), style);
  const bool releasing = row.Find("release") != nullptr;
  if (releasing) out += StrCat(BarsText(row), "\n", StepsText(guard.At("steps"), style));
  if (std::string text = EvidenceText(guard.At("evidence"), style); !text.empty())
    out += StrCat("\n", text);
  if (const Json& reasons = guard.At("reasons"); reasons.size() > 0) {
    out += "\nwaiting for\n";
    for (const Json& reason : reasons.items()) out += StrCat("  ", TidyNumbers(reason.Str()), "\n");
  }
  if (std::string text = DecisionsText(guard.At("decisions"), style); !text.empty())
    out += StrCat("\n", text);
  if (std::string text = AskText(guard); !text.empty()) out += StrCat("\n", text);
  return out;
}

}  // namespace rollguard::cli
