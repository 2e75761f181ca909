// SPDX-License-Identifier: Apache-2.0
// A selector inside a query looks back further than the query's own time by its range, its offset
// and the lookback, and by range, step and offset of every subquery around it. One walk from the
// root sums that up for each selector.
#include "agent/proof/sample_plan.h"

#include <algorithm>
#include <set>

#include "agent/base/text.h"
#include "agent/promql/bind.h"
#include "agent/promql/label_predicate.h"
#include "agent/promql/parser.h"
#include "agent/promql/printer.h"
#include "agent/promql/regex.h"

namespace rollguard::proof {
namespace {

using promql::Millis;
using promql::NodeId;

constexpr Duration kLookback = std::chrono::minutes(5);
constexpr Millis kDefaultStep = 60'000;  // of a subquery that names none

// How far beyond the times of the evaluation a node looks.
struct Reach {
  Millis back = 0;
  Millis ahead = 0;
};

Reach Beyond(Reach reach, const promql::TimeShift& shift, Millis range) {
  reach.back += std::max<Millis>(shift.offset_ms, 0) + range;
  reach.ahead += std::max<Millis>(-shift.offset_ms, 0);
  return reach;
}

struct Found {
  std::string selector;
  bool instant = false;
  Reach reach;
  std::optional<Millis> at;  // `@ T`
};

class Walk {
 public:
  explicit Walk(const promql::Query& query) : query_(query), reach_(query.nodes.size()) {}

  std::vector<Found> Selectors() {
    // Parents come after their children.
    for (NodeId id = query_.root + 1; id-- > 0;) {
      Reach reach = reach_[id];
      if (const auto* subquery = query_.As<promql::SubqueryNode>(id)) {
        Millis step = subquery->step_ms > 0 ? subquery->step_ms : kDefaultStep;
        reach = Beyond(reach, subquery->shift, subquery->range_ms + step);
      } else if (const auto* selector = query_.As<promql::SelectorNode>(id)) {
        Take(id, *selector);
      }
      for (NodeId child : promql::Children(query_, id)) reach_[child] = reach;
    }
    return std::move(found_);
  }

 private:
  void Take(NodeId id, const promql::SelectorNode& node) {
    promql::SelectorNode bare = node;
    bare.shift = {};
    bare.is_range = false;
    bare.range_ms = 0;
    promql::Query query;
    query.nodes.push_back({bare, {}, promql::ValueType::kVector});
    query.root = 0;
    Found found{.selector = promql::Print(query),
                .instant = !node.is_range,
                .reach = Beyond(reach_[id], node.shift, node.range_ms + kLookback.count()),
                .at = {}};
    if (node.shift.at == promql::AtKind::kTime) found.at = node.shift.at_ms;
    found_.push_back(std::move(found));
  }

  const promql::Query& query_;
  std::vector<Reach> reach_;
  std::vector<Found> found_;
};

promql::VariableValue Pods(const std::string& pattern) {
  return pattern.empty() ? promql::VariableValue::Alternatives({})
                         : promql::VariableValue::Pattern(pattern);
}

// The variables as the agent binds them, but for the revision, which the past does not tell.
promql::Bindings BindingsOf(const spec::RuleGroup& group, const spec::Guard* guard,
                            const PastRelease& release) {
  promql::Bindings vars;
  auto text = [&](const std::string& name, const std::string& value) {
    vars[name] = promql::VariableValue::Text(value);
  };
  for (const auto& [name, value] : group.vars) text(name, value);
  if (guard != nullptr) {
    for (const auto& [name, value] : guard->vars) text(name, value);
  }
  for (const auto& [name, value] : release.vars) text(name, value);
  text("namespace", release.ns);
  text("workload", release.workload);
  text("service", release.service.empty() ? release.workload : release.service);
  text("guard", guard != nullptr ? guard->metadata.name : release.workload);
  vars["candidate_pods"] = vars["pods"] = Pods(release.candidate_pods);
  vars["stable_pods"] = Pods(release.stable_pods);
  return vars;
}

class Planner {
 public:
  Planner(const spec::Guard* guard, std::vector<std::string>& problems)
      : guard_(guard), problems_(problems) {}

  void Add(const spec::RuleGroup& group, const PastRelease& release) {
    promql::Bindings vars = BindingsOf(group, guard_, release);
    for (const spec::Rule& rule : group.rules) {
      if (const auto* query = std::get_if<spec::Query>(&rule.what)) {
        Ask(rule, *query, vars, group.interval, release);
      } else {
        Compare(rule, std::get<spec::Compare>(rule.what), vars, release);
      }
    }
  }

  std::vector<SamplePiece> Pieces(Duration chunk) const {
    std::vector<SamplePiece> out;
    for (const auto& [selector, wanted] : wanted_) {
      for (auto [from, to] : Merged(wanted.spans)) {
        for (Time at = from; at < to; at += chunk)
          out.push_back({selector, at, std::min(to, at + chunk), wanted.presence});
      }
    }
    return out;
  }

 private:
  using Span = std::pair<Time, Time>;
  struct Wanted {
    std::vector<Span> spans;
    Duration presence{0};
  };

  static std::vector<Span> Merged(std::vector<Span> spans) {
    std::sort(spans.begin(), spans.end());
    std::vector<Span> out;
    for (const Span& span : spans) {
      if (!out.empty() && span.first <= out.back().second) {
        out.back().second = std::max(out.back().second, span.second);
      } else {
        out.push_back(span);
      }
    }
    return out;
  }

  void Compare(const spec::Rule& rule, const spec::Compare& compare, promql::Bindings vars,
               const PastRelease& release) {
    for (const std::string* pods : {&release.candidate_pods, &release.stable_pods}) {
      if (pods->empty()) continue;
      vars["pods"] = Pods(*pods);
      if (const auto* p = std::get_if<spec::CompareProportion>(&compare.what)) {
        Ask(rule, p->bad, vars, compare.window, release);
        Ask(rule, p->total, vars, compare.window, release);
      } else if (const auto* h = std::get_if<spec::CompareHistogram>(&compare.what)) {
        Ask(rule, h->buckets, vars, compare.window, release);
      } else if (const auto* m = std::get_if<spec::CompareMean>(&compare.what)) {
        Ask(rule, m->query, vars, compare.window, release);
      }
    }
  }

  void Ask(const spec::Rule& rule, const spec::Query& query, promql::Bindings vars, Duration step,
           const PastRelease& release) {
    vars["window"] = promql::VariableValue::OfDuration(step.count());
    for (const std::string& name : promql::VariableNames(query.parsed)) {
      if (name == "$" || vars.contains(name)) continue;
      Problem(StrCat("the rule ", Quote(rule.name), " needs $", name,
                     name == "revision" ? ", which the past does not tell"
                                        : StrCat(": give it with --var ", name, "=VALUE")));
      return;
    }
    promql::ParseResult bound = promql::Bind(query.parsed, query.text, vars);
    if (!bound.ok()) {
      Problem(StrCat("the rule ", Quote(rule.name), ": ", promql::ToString(bound.errors[0])));
      return;
    }
    for (const Found& found : Walk(bound.query).Selectors()) {
      Wanted& wanted = wanted_[found.selector];
      Time from = release.start, to = release.end;
      if (found.at) from = to = FromUnixMillis(*found.at);
      wanted.spans.emplace_back(from - Duration(found.reach.back),
                                to + Duration(found.reach.ahead));
      if (!found.instant) continue;
      wanted.presence = wanted.presence == Duration(0) ? step : std::min(wanted.presence, step);
    }
  }

  void Problem(std::string text) {
    if (seen_.insert(text).second) problems_.push_back(std::move(text));
  }

  const spec::Guard* guard_;
  std::vector<std::string>& problems_;
  std::set<std::string> seen_;
  std::map<std::string, Wanted> wanted_;
};

const promql::Matrix& MatrixOf(const promql::Value& value) {
  static const promql::Matrix kNone;
  const auto* matrix = std::get_if<promql::Matrix>(&value);
  return matrix ? *matrix : kNone;
}

Time OnGrid(Time at, Duration step) {
  return FromUnixMillis(ToUnixMillis(at) / step.count() * step.count());
}

// The first step after each sample at which the server no longer saw the series, before its next.
void EndWhereAbsent(const SamplePiece& piece, const std::vector<promql::Point>& raw,
                    const promql::Series* present, std::vector<promql::Point>& out) {
  std::set<Millis> seen;
  for (const promql::Point& point : present ? present->points : std::vector<promql::Point>())
    seen.insert(point.t);
  Millis step = piece.presence.count();
  Millis from = ToUnixMillis(OnGrid(piece.from, piece.presence)), to = ToUnixMillis(piece.to);
  for (size_t i = 0; i < raw.size(); ++i) {
    Millis next = i + 1 < raw.size() ? raw[i + 1].t : to + 1;
    Millis last = std::min(next - 1, raw[i].t + kLookback.count());
    for (Millis at = std::max(from, (raw[i].t / step + 1) * step); at <= std::min(last, to);
         at += step) {
      if (seen.contains(at)) continue;
      out.push_back({at, promql::StaleMarker()});
      break;
    }
  }
}

}  // namespace

std::vector<SamplePiece> PlanSamples(const spec::Library& library, const spec::Guard* guard,
                                     const std::vector<PastRelease>& releases, Duration chunk,
                                     std::vector<std::string>& problems) {
  Planner planner(guard, problems);
  for (const PastRelease& release : releases) {
    for (const spec::RuleGroup& group : library.groups) planner.Add(group, release);
  }
  return planner.Pieces(chunk);
}

MetricQuery RawQuery(const SamplePiece& piece) {
  Duration range = piece.to - piece.from + (piece.presence > Duration(0) ? kLookback : Duration(0));
  range = std::max<Duration>(range, std::chrono::seconds(1));
  MetricQuery query;
  query.query = StrCat(piece.selector, "[", FormatPromDuration(range), "]");
  query.at = piece.to;
  return query;
}

MetricQuery PresenceQuery(const SamplePiece& piece) {
  MetricQuery query;
  query.query = piece.selector;
  query.range = MetricQuery::Range{OnGrid(piece.from, piece.presence), piece.to, piece.presence};
  return query;
}

Status SampleBag::Add(const SamplePiece& piece, const promql::Value& raw,
                      const promql::Value* presence) {
  if (!std::holds_alternative<promql::Matrix>(raw))
    return Error(ErrorCode::kInvalid,
                 StrCat("the server answered ", piece.selector, " with a ", promql::TypeName(raw)));
  std::unordered_map<promql::Labels, const promql::Series*, promql::LabelsHash> present;
  if (presence != nullptr) {
    for (const promql::Series& series : MatrixOf(*presence)) present[series.labels] = &series;
  }
  for (const promql::Series& series : MatrixOf(raw)) {
    std::vector<promql::Point>& points = points_[series.labels];
    points.insert(points.end(), series.points.begin(), series.points.end());
    samples_ += series.points.size();
    if (presence == nullptr) continue;
    auto found = present.find(series.labels);
    EndWhereAbsent(piece, series.points, found == present.end() ? nullptr : found->second, points);
  }
  return {};
}

promql::MemoryStore SampleBag::Take() {
  promql::MemoryStore store;
  for (auto& [labels, points] : points_) {
    // A real sample wins over an end at the same time.
    std::sort(points.begin(), points.end(), [](const promql::Point& a, const promql::Point& b) {
      return a.t != b.t ? a.t < b.t : promql::IsStale(a.v) < promql::IsStale(b.v);
    });
    auto id = store.Intern(labels);
    const promql::Point* last = nullptr;
    for (const promql::Point& point : points) {
      if (last != nullptr && last->t == point.t) continue;
      (void)store.Append(id, point.t, point.v);
      last = &point;
    }
  }
  points_.clear();
  return store;
}

void SpreadPods(const promql::Querier& samples, std::vector<PastRelease>& releases) {
  for (size_t i = 0; i < releases.size(); ++i) {
    PastRelease& release = releases[i];
    auto pods =
        promql::LabelPredicate::Make(promql::MatchKind::kRegex, "pod", release.candidate_pods);
    if (!pods) continue;
    std::vector<promql::SeriesView> found;
    samples.Select(std::span(&*pods, 1), ToUnixMillis(release.start), ToUnixMillis(release.end),
                   found);
    std::set<std::string> names;
    for (const promql::SeriesView& series : found) names.emplace(series.labels->Get("pod"));
    if (names.size() < 2) {
      release.stable_pods.clear();
      continue;
    }
    std::vector<std::string> others(names.begin(), names.end());
    auto chosen = others.begin() + static_cast<std::ptrdiff_t>(i % others.size());
    release.candidate_pods = promql::QuoteRegex(*chosen);
    others.erase(chosen);
    for (std::string& name : others) name = promql::QuoteRegex(name);
    release.stable_pods = Join(others, "|");
  }
}

}  // namespace rollguard::proof
