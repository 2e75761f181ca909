// SPDX-License-Identifier: Apache-2.0
// A play as JSON, as a timeline for the terminal, and as a page with a chart. The page carries its
// style and its drawing (SVG) within itself.
#include <algorithm>
#include <map>

#include "agent/base/text.h"
#include "agent/proof/rehearsal.h"

namespace rollguard::proof {
namespace {

std::string Stamp(Duration at) {
  int64_t s = at.count() / 1000;
  return Format("%02lld:%02lld", static_cast<long long>(s / 60), static_cast<long long>(s % 60));
}

std::string Escape(std::string_view text) {
  return ReplaceAll(ReplaceAll(ReplaceAll(text, "&", "&amp;"), "<", "&lt;"), ">", "&gt;");
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

Json Summary(const std::vector<Play>& plays, const Scenario& scenario) {
  std::map<Outcome, std::vector<double>> seconds;
  int64_t as_expected = 0;
  double lost = 0, requests = 0;
  for (const Play& play : plays) {
    seconds[play.outcome].push_back(play.seconds);
    if (scenario.expect && *scenario.expect == play.outcome) ++as_expected;
    lost += play.lost_requests;
    requests += play.requests;
  }
  Json out = Json::Obj({{"runs", plays.size()}});
  for (const auto& [outcome, values] : seconds) {
    out.Set(ToString(outcome),
            Json::Obj({{"count", values.size()}, {"medianSeconds", Median(values)}}));
  }
  out.Set("lostRequests", lost)
      .Set("requests", requests)
      .Set("lostShare", requests > 0 ? lost / requests : 0.0);
  if (scenario.expect)
    out.Set("expected", ToString(*scenario.expect)).Set("asExpected", as_expected);
  return out;
}

// Weight over time as a step line in a 900 x 160 drawing.
std::string Chart(const Play& play) {
  if (play.moments.empty()) return {};
  double span = std::max(1.0, ToSeconds(play.moments.back().at));
  std::string path = "M0,150";
  int64_t last = 0;
  for (const Moment& m : play.moments) {
    double x = ToSeconds(m.at) / span * 900;
    path += Format(" L%.1f,%.1f L%.1f,%.1f", x, 150 - 1.4 * static_cast<double>(last), x,
                   150 - 1.4 * static_cast<double>(m.weight));
    last = m.weight;
  }
  std::string marks;
  for (const TimelineEntry& e : play.timeline) {
    if (e.kind != "decision") continue;
    double x = ToSeconds(e.at) / span * 900;
    marks += Format("<line x1='%.1f' x2='%.1f' y1='0' y2='150'/>", x, x);
  }
  return StrCat(
      "<svg viewBox='0 0 900 160' role='img' aria-label='share of traffic on the candidate over "
      "time'><g class='mark'>",
      marks, "</g><path d='", path, "'/></svg>");
}

}  // namespace

Json ToJson(const std::vector<Play>& plays, const Scenario& scenario) {
  Json runs = Json::Arr();
  for (const Play& p : plays) {
    runs.Push(Json::Obj({{"seed", static_cast<int64_t>(p.seed)},
                         {"outcome", ToString(p.outcome)},
                         {"seconds", p.seconds},
                         {"reason", p.reason},
                         {"maxWeight", p.max_weight},
                         {"lostRequests", p.lost_requests},
                         {"requests", p.requests}}));
  }
  return Json::Obj({{"runs", std::move(runs)}, {"summary", Summary(plays, scenario)}});
}

std::string TimelineText(const Play& play) {
  std::string out;
  for (const TimelineEntry& e : play.timeline) {
    out += StrCat("  ", Stamp(e.at), Format("  %3lld %%  ", static_cast<long long>(e.weight)),
                  e.kind == "event"   ? "* "
                  : e.kind == "phase" ? "~ "
                                      : "> ",
                  e.text, "\n");
  }
  out += StrCat("\n", ToString(play.outcome), " after ",
                FormatShortDuration(FromSeconds(play.seconds)), ": ", play.reason, "\n");
  out += Format("most traffic on the candidate: %lld %%, requests lost: %.0f of %.0f\n",
                static_cast<long long>(play.max_weight), play.lost_requests, play.requests);
  return out;
}

std::string ReportHtml(const spec::Guard& guard, const Scenario& scenario,
                       const std::vector<Play>& plays) {
  std::string out = StrCat(
      "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' "
      "content='width=device-width'><title>Rehearsal of ",
      Escape(guard.Id()),
      "</title><style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui;margin:2rem "
      "auto;max-width:60rem;padding:0 1rem}"
      "svg{width:100%;border-bottom:1px solid}path{fill:none;stroke:#2868d8;stroke-width:2}.mark "
      "line{stroke:#8888;stroke-dasharray:3}"
      "td{padding:.1rem .8rem .1rem "
      "0;vertical-align:top;font-variant-numeric:tabular-nums}</style><h1>Rehearsal of ",
      Escape(guard.Id()), "</h1><p>", Escape(scenario.name), "</p>");
  for (const Play& play : plays) {
    out += StrCat("<h2>Seed ", play.seed, ": ", ToString(play.outcome), "</h2><p>",
                  Escape(play.reason), "</p>", Chart(play), "<table>");
    for (const TimelineEntry& e : play.timeline) {
      out += StrCat("<tr><td>", Stamp(e.at), "<td>", e.weight, " %<td>", e.kind, "<td>",
                    Escape(e.text));
    }
    out += "</table>";
  }
  return out;
}

}  // namespace rollguard::proof
