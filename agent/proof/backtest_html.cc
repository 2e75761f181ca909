// SPDX-License-Identifier: Apache-2.0
// A backtest as one page: a table of releases and, for each, every rule's values against its limit
// over time. Style and drawing (SVG) are within the page; without script.
#include <algorithm>
#include <cmath>

#include "agent/base/text.h"
#include "agent/proof/backtest.h"

namespace rollguard::proof {
namespace {

using Outcome = BacktestVerdict::Outcome;

constexpr double kWidth = 900, kHeight = 120;

constexpr std::string_view kStyle =
    ":root{color-scheme:light dark;--ink:#1c2733;--dim:#5c6b7a;--line:#2868d8;--bad:#c62f2f;"
    "--ok:#1d7a46;--wait:#a86500}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9aa7b4;--line:#7aa7ff;"
    "--bad:#ff7b72;--ok:#56d364;--wait:#e3b341}}"
    "body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);margin:2rem auto;max-width:62rem;"
    "padding:0 1rem}h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2.2rem 0 .3rem}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.25rem .8rem .25rem 0;"
    "text-align:left;vertical-align:top;font-variant-numeric:tabular-nums}"
    "th{color:var(--dim);font-weight:500;border-bottom:1px solid}.wide{overflow-x:auto}"
    ".rolled_back{color:var(--bad)}.passed{color:var(--ok)}.held{color:var(--wait)}"
    ".note,figcaption{color:var(--dim);font-size:.9rem}figure{margin:.6rem 0}"
    "svg{width:100%;height:auto;border-bottom:1px solid var(--dim)}"
    ".value{fill:none;stroke:var(--line);stroke-width:2}"
    ".limit{stroke:var(--bad);stroke-dasharray:6 4}.mark{stroke:var(--bad)}"
    ".firing{fill:var(--bad);opacity:.18}.pending{fill:var(--wait);opacity:.18}"
    ".nothing{fill:var(--dim);opacity:.18}";

std::string Escape(std::string_view text) {
  std::string out = ReplaceAll(ReplaceAll(text, "&", "&amp;"), "<", "&lt;");
  return ReplaceAll(ReplaceAll(out, ">", "&gt;"), "'", "&#39;");
}

std::string OutcomeText(const BacktestVerdict& v) {
  std::string text = ReplaceAll(ToString(v.outcome), "_", " ");
  if (!v.problem.empty()) text = "not judged";
  if (v.at) text += StrCat(" after ", FormatShortDuration(*v.at - v.release.start));
  return text;
}

// The looks of one rule, drawn.
class Chart {
 public:
  Chart(const BacktestVerdict& verdict, const RuleCourse& course)
      : verdict_(verdict), course_(course) {
    for (const RuleLook& look : verdict.course) {
      if (look.rule == course.rule && look.group == course.group) looks_.push_back(&look);
    }
    if (course.threshold) top_ = low_ = *course.threshold;
    for (const RuleLook* look : looks_) {
      if (!std::isfinite(look->value)) continue;
      top_ = std::max(top_, look->value);
      low_ = std::min(low_, look->value);
    }
    low_ = std::min(low_, 0.0);
    if (top_ <= low_) top_ = low_ + 1;
  }

  std::string Draw() const {
    std::string out =
        Format("<svg viewBox='0 0 %.0f %.0f' role='img' aria-label='", kWidth, kHeight + 10);
    out += StrCat(Escape(course_.rule), " over time'>", Phases());
    if (course_.threshold) out += Horizontal(*course_.threshold);
    out += StrCat("<path class='value' d='", Path(), "'/>");
    if (verdict_.at) out += Vertical(*verdict_.at);
    return out + "</svg>";
  }

 private:
  double X(Time at) const {
    double span = std::max(1.0, ToSeconds(verdict_.release.end - verdict_.release.start));
    return ToSeconds(at - verdict_.release.start) / span * kWidth;
  }
  double Y(double value) const { return kHeight - (value - low_) / (top_ - low_) * (kHeight - 10); }

  // Gaps in the data stay gaps.
  std::string Path() const {
    std::string path;
    bool drawing = false;
    for (const RuleLook* look : looks_) {
      if (!std::isfinite(look->value)) {
        drawing = false;
        continue;
      }
      path += Format("%s%.1f,%.1f ", drawing ? "L" : "M", X(look->at), Y(look->value));
      drawing = true;
    }
    return path;
  }

  std::string Phases() const {
    std::string out;
    for (size_t i = 0; i < looks_.size(); ++i) {
      const char* kind = nullptr;
      switch (looks_[i]->phase) {
        case analysis::RulePhase::kInactive: break;
        case analysis::RulePhase::kPending: kind = "pending"; break;
        case analysis::RulePhase::kFiring: kind = "firing"; break;
        case analysis::RulePhase::kNoData:
        case analysis::RulePhase::kError: kind = "nothing"; break;
      }
      if (kind == nullptr) continue;
      double from = X(looks_[i]->at);
      double to = i + 1 < looks_.size() ? X(looks_[i + 1]->at) : from + 4;
      out += Format("<rect class='%s' x='%.1f' y='0' width='%.1f' height='%.0f'/>", kind, from,
                    to - from, kHeight);
    }
    return out;
  }

  std::string Horizontal(double value) const {
    return Format("<line class='limit' x1='0' x2='%.0f' y1='%.1f' y2='%.1f'/>", kWidth, Y(value),
                  Y(value));
  }
  std::string Vertical(Time at) const {
    return Format("<line class='mark' x1='%.1f' x2='%.1f' y1='0' y2='%.0f'/>", X(at), X(at),
                  kHeight);
  }

  const BacktestVerdict& verdict_;
  const RuleCourse& course_;
  std::vector<const RuleLook*> looks_;
  double low_ = 0, top_ = 0;
};

std::string Row(const BacktestVerdict& v, size_t index) {
  return StrCat("<tr><td><a href='#r", index, "'>", Escape(v.release.id), "</a><td>",
                FormatRfc3339(v.release.start), "<td>",
                FormatShortDuration(v.release.end - v.release.start), "<td class='",
                ToString(v.outcome), "'>", OutcomeText(v), "<td>", Escape(v.rule), "<td>",
                ToString(v.release.label));
}

std::string Section(const BacktestVerdict& v, size_t index) {
  std::string out = StrCat("<h2 id='r", index, "'>", Escape(v.release.id), ": <span class='",
                           ToString(v.outcome), "'>", OutcomeText(v), "</span></h2><p>",
                           Escape(v.problem.empty() ? v.reason : v.problem), "</p>");
  for (const RuleCourse& course : v.rules) {
    out += StrCat("<figure>", Chart(v, course).Draw(), "<figcaption>", Escape(course.rule), " (",
                  spec::ToString(course.action), "): ", Escape(course.text));
    if (course.without_data > 0)
      out += StrCat("; ", course.without_data, " of ", course.looks, " looks without data");
    out += "</figcaption></figure>";
  }
  return out;
}

std::string SummaryText(const std::vector<BacktestVerdict>& verdicts) {
  BacktestSummary s = Summarize(verdicts);
  auto share = [](const std::optional<double>& value) {
    return value ? Format("%.2f", *value) : std::string("unknown");
  };
  return StrCat("<p>", verdicts.size(), " releases: ", s.rolled_back, " rolled back, ", s.held,
                " held, ", s.passed, " passed. Precision ", share(s.precision), ", recall ",
                share(s.recall), ", false alarms ", s.false_positives, ", missed ",
                s.false_negatives, ".</p>");
}

}  // namespace

std::string BacktestHtml(const std::vector<BacktestVerdict>& verdicts, std::string_view title) {
  std::string out = StrCat(
      "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' "
      "content='width=device-width'><title>",
      Escape(title), "</title><style>", kStyle, "</style><h1>", Escape(title), "</h1>",
      SummaryText(verdicts),
      "<div class='wide'><table><tr><th>release<th>start<th>length<th>outcome<th>rule<th>label");
  for (size_t i = 0; i < verdicts.size(); ++i) out += Row(verdicts[i], i);
  out +=
      "</table></div><p class='note'>Line: the rule's value (for comparisons the evidence); "
      "dashed: "
      "its limit; shaded: pending, firing or without data; upright: what was decided.</p>";
  for (size_t i = 0; i < verdicts.size(); ++i) out += Section(verdicts[i], i);
  return out + "</html>\n";
}

}  // namespace rollguard::proof
