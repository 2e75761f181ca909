// SPDX-License-Identifier: Apache-2.0
#include "agent/proof/past_release.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "agent/base/text.h"
#include "agent/promql/regex.h"
#include "agent/spec/reader.h"

namespace rollguard::proof {
namespace {

using Label = PastRelease::Label;
using spec::Object;

constexpr std::array<std::pair<std::string_view, Label>, 2> kLabels{
    {{"good", Label::kGood}, {"bad", Label::kBad}}};

bool ReadMoment(Object& o, std::string_view key, Time& out) {
  std::string text;
  o.Require(key);
  if (!o.Text(key, text, "RFC 3339 or Unix seconds.")) return false;
  auto time = text == "now" || text.starts_with("-") ? std::nullopt : ParseMoment(text, Time{});
  if (time) {
    out = *time;
    return true;
  }
  o.Error(key, StrCat(Quote(key), " must be a time like 2026-11-02T10:00:00Z or Unix seconds, not ",
                      Quote(text)));
  return false;
}

void ReadRelease(Object& o, std::vector<PastRelease>& out) {
  PastRelease release;
  release.id = StrCat("release-", out.size() + 1);
  o.Text("id", release.id, "What it is called.");
  o.Name("namespace", release.ns, "$namespace.");
  o.Require("workload");
  o.Name("workload", release.workload, "$workload.");
  o.Name("service", release.service, "$service.");
  bool timed = ReadMoment(o, "start", release.start);
  timed = ReadMoment(o, "end", release.end) && timed;
  if (timed && release.end <= release.start) o.Error("end", "the release ends before it starts");
  o.Regex("candidatePods", release.candidate_pods, "$candidate_pods.");
  o.Regex("stablePods", release.stable_pods, "$stable_pods.");
  o.Map("vars", release.vars, "Further variables.");
  o.Enum<Label>("label", release.label, kLabels, "What really was the case.");
  if (release.candidate_pods.empty()) release.candidate_pods = release.workload + "-.*";
  out.push_back(std::move(release));
}

struct Start {
  Time at{};
  std::string replica_set;  // may be empty
};

std::vector<PastRelease> Between(const ReleaseSearch& search, std::vector<Start> starts) {
  std::sort(starts.begin(), starts.end(),
            [](const Start& a, const Start& b) { return a.at < b.at; });
  std::vector<PastRelease> out;
  for (size_t i = 0; i < starts.size(); ++i) {
    if (starts[i].at < search.from || starts[i].at >= search.to) continue;
    PastRelease release;
    release.id =
        starts[i].replica_set.empty() ? FormatRfc3339(starts[i].at) : starts[i].replica_set;
    release.ns = search.ns;
    release.workload = search.workload;
    release.service = search.service;
    release.start = starts[i].at;
    release.end = std::min(search.to, release.start + search.length);
    if (i + 1 < starts.size()) release.end = std::min(release.end, starts[i + 1].at);
    release.candidate_pods = promql::QuoteRegex(search.workload) + "-.*";
    if (!starts[i].replica_set.empty()) {
      release.candidate_pods = promql::QuoteRegex(starts[i].replica_set) + "-.*";
      if (i > 0) release.stable_pods = promql::QuoteRegex(starts[i - 1].replica_set) + "-.*";
    }
    if (release.end > release.start) out.push_back(std::move(release));
  }
  return out;
}

std::vector<Start> FromVector(const promql::Value& answer, std::string_view name_label) {
  std::vector<Start> starts;
  const auto* vector = std::get_if<promql::Vector>(&answer);
  for (const promql::Sample& sample : vector ? *vector : promql::Vector()) {
    if (!std::isfinite(sample.v)) continue;
    starts.push_back({FromUnixMillis(std::llround(sample.v * 1000)),
                      name_label.empty() ? "" : std::string(sample.labels.Get(name_label))});
  }
  return starts;
}

// Where a value changed; the first one seen is where it stood, not a release.
std::vector<Start> FromChanges(const promql::Value& answer) {
  std::vector<Start> starts;
  const auto* matrix = std::get_if<promql::Matrix>(&answer);
  for (const promql::Series& series : matrix ? *matrix : promql::Matrix()) {
    for (size_t i = 1; i < series.points.size(); ++i) {
      if (series.points[i].v != series.points[i - 1].v)
        starts.push_back({FromUnixMillis(series.points[i].t), ""});
    }
  }
  return starts;
}

// The step of a search over that long: no finer than a minute, no more points than servers give.
Duration SearchStep(Duration span) {
  Duration step = span / 10'000;
  Duration minute = std::chrono::minutes(1);
  return std::max(minute, (step + minute - Duration(1)) / minute * minute);
}

}  // namespace

const char* ToString(Label label) {
  switch (label) {
    case Label::kUnknown: return "";
    case Label::kGood: return "good";
    case Label::kBad: return "bad";
  }
  return "";
}

std::vector<PastRelease> ParseReleases(std::string_view file, std::string_view text,
                                       Diagnostics& diagnostics) {
  std::vector<PastRelease> out;
  std::vector<yaml::Node> roots = yaml::Parse(file, text, diagnostics);
  if (diagnostics.has_errors()) return out;
  if (roots.size() != 1 || !roots[0].is_sequence() || roots[0].items.empty()) {
    diagnostics.Error(file, {1, 1, 1},
                      "expected a list of releases: - {workload, start, end, ...}");
    return out;
  }
  spec::Context context{.file = file, .diagnostics = diagnostics};
  for (const yaml::Node& item : roots[0].items) {
    if (!item.is_mapping()) {
      context.Error(item.span, StrCat("a release is a mapping, not ", spec::Describe(item)));
      continue;
    }
    Object object(context, item, item.span);
    ReadRelease(object, out);
  }
  return out;
}

std::optional<Time> ParseMoment(std::string_view text, Time now) {
  if (text == "now") return now;
  if (text.starts_with("-")) {
    auto ago = ParsePromDuration(text.substr(1));
    return ago ? std::optional(now - *ago) : std::nullopt;
  }
  if (auto seconds = ParseDouble(text); seconds && std::abs(*seconds) < 1e12)
    return FromUnixMillis(std::llround(*seconds * 1000));
  auto time = ParseRfc3339(text);
  return time ? std::optional(*time) : std::nullopt;
}

std::vector<ReleaseQuery> ReleaseQueries(const ReleaseSearch& search) {
  std::string span = FormatPromDuration(search.to - search.from);
  std::string in = StrCat("{namespace=", Quote(search.ns), ", ");
  std::string deployment = StrCat(in, "deployment=", Quote(search.workload), "}");
  // One more level of escapes: the pattern stands in a quoted string.
  std::string sets = ReplaceAll(promql::QuoteRegex(search.workload) + "-[a-z0-9]+", "\\", "\\\\");
  return {{"kube_replicaset_created",
           StrCat("max by (replicaset) (last_over_time(kube_replicaset_created", in,
                  "replicaset=~\"", sets, "\"}[", span, "]))"),
           Duration(0)},
          {"kube_deployment_annotations",
           StrCat("min by (annotation_deployment_kubernetes_io_revision) "
                  "(min_over_time(timestamp(kube_deployment_annotations",
                  in, "deployment=", Quote(search.workload),
                  ", annotation_deployment_kubernetes_io_revision!=\"\"})[", span, ":",
                  FormatPromDuration(SearchStep(search.to - search.from)), "]))"),
           Duration(0)},
          {"kube_deployment_status_observed_generation",
           StrCat("max(kube_deployment_status_observed_generation", deployment, ")"),
           SearchStep(search.to - search.from)}};
}

std::vector<PastRelease> FindReleases(const ReleaseSearch& search, size_t which,
                                      const promql::Value& answer) {
  if (which == 0) return Between(search, FromVector(answer, "replicaset"));
  if (which == 2) return Between(search, FromChanges(answer));
  // The revision that was there when the search begins did not begin there.
  std::vector<Start> starts = FromVector(answer, "");
  Time first = search.from + 2 * SearchStep(search.to - search.from);
  std::erase_if(starts, [&](const Start& start) { return start.at <= first; });
  return Between(search, std::move(starts));
}

std::vector<PastRelease> QuietReleases(const ReleaseSearch& search) {
  std::vector<PastRelease> out;
  for (Time at = search.from; at + search.length <= search.to; at += search.length) {
    PastRelease release;
    release.id = StrCat("quiet ", FormatRfc3339(at));
    release.ns = search.ns;
    release.workload = search.workload;
    release.service = search.service;
    release.start = at;
    release.end = at + search.length;
    release.candidate_pods = promql::QuoteRegex(search.workload) + "-.*";
    release.label = Label::kGood;
    out.push_back(std::move(release));
  }
  return out;
}

}  // namespace rollguard::proof
