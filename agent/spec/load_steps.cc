// SPDX-License-Identifier: Apache-2.0
// The steps of a canary, and the sugar that compiles into them.
#include "agent/spec/readers.h"

namespace rollguard::spec {
namespace {

// exact, prefix or regex of one value.
bool ReadStringMatch(Object& o, StringMatch& out) {
  using Kind = StringMatch::Kind;
  static constexpr std::pair<std::string_view, Kind> kKinds[] = {
      {"exact", Kind::kExact}, {"prefix", Kind::kPrefix}, {"regex", Kind::kRegex}};
  for (const auto& [key, kind] : kKinds) {
    std::string value;
    bool found =
        kind == Kind::kRegex
            ? o.Regex(key, value, "Matches as a regular expression in RE2's language.")
            : o.Str(key, value, kind == Kind::kExact ? "Is exactly this." : "Begins with this.");
    if (found) out = {kind, std::move(value)};
  }
  o.RequireOne("a match", {"exact", "prefix", "regex"});
  return true;
}

void ReadNamedMatches(Object& o, std::string_view key, std::string_view description,
                      std::vector<HeaderMatch>& out) {
  o.List(key, description, [&](Object& item) {
    HeaderMatch match;
    item.Str("name", match.name, "Its name.");
    item.Require("name");
    ReadStringMatch(item, match.value);
    out.push_back(std::move(match));
  });
}

void ReadOptionalMatch(Object& o, std::string_view key, std::string_view description,
                       std::optional<StringMatch>& out) {
  StringMatch match;
  if (o.Obj(key, description, [&](Object& inner) { ReadStringMatch(inner, match); }))
    out = std::move(match);
}

void ReadGate(Object& o, WebhookGate& out) {
  o.Url("webhook", out.url, "The URL that is asked; 2xx means go on.");
  o.Require("webhook");
  o.Map("headers", out.headers, "Sent along.");
  o.Dur("interval", out.interval, "Time between questions (10s).", std::chrono::seconds(1));
  o.Dur("requestTimeout", out.request_timeout, "Of one question (10s).", std::chrono::seconds(1));
  o.OptDur("timeout", out.timeout, "Roll back after this; absent: wait for ever.",
           std::chrono::seconds(1));
}

void ReadHealthStep(Object& o, WaitForHealth& out) {
  o.Share("minScore", out.min_score, "The health score to reach (0.9).");
  o.Dur("for", out.hold, "It must stay there this long (0s).");
  o.OptDur("timeout", out.timeout, "Roll back after this; absent: progressDeadline.",
           std::chrono::seconds(1));
}

// Argo's form: headerName, headerValue {exact, prefix, regex}; or our own RequestMatch.
void ReadHeaderRoute(Object& o, SetHeaderRoute& out) {
  o.Str("name", out.name, "The route's name; a later step with the same name replaces it.");
  o.Require("name");
  o.List("match", "Requests that go to the candidate; absent: the route is removed.",
         [&](Object& item) {
           RequestMatch match;
           HeaderMatch header;
           item.Str("headerName", header.name, "The header's name.");
           item.Require("headerName");
           item.Obj("headerValue", "What its value must be.",
                    [&](Object& value) { ReadStringMatch(value, header.value); });
           item.Require("headerValue");
           match.headers.push_back(std::move(header));
           out.match.push_back(std::move(match));
         });
}

void ReadMirrorRoute(Object& o, SetMirrorRoute& out) {
  o.Str("name", out.name, "The route's name; a later step with the same name replaces it.");
  o.Require("name");
  o.Int("percentage", out.percent, "Share of the requests that is copied (100).", 0, 100);
  ReadRequestMatches(o, out.match, "Requests that are copied; absent: the route is removed.");
}

void ReadScale(Object& o, SetCandidateScale& out) {
  o.OptInt("replicas", out.replicas, "So many pods.", 0, 100'000);
  o.OptInt("weight", out.weight, "This share of the target's size.", 0, 100);
  o.Bool("matchTrafficWeight", out.match_traffic_weight, "Follow the weight again (false).");
  o.RequireOne("setCanaryScale", {"replicas", "weight", "matchTrafficWeight"});
}

template <class T, class Read>
void TakeStep(Object& o, std::string_view key, std::string_view description, Step& out, Read read) {
  T action;
  if (o.Obj(key, description, [&](Object& inner) { read(inner, action); }))
    out.action = std::move(action);
}

void ReadStep(Object& o, Step& out) {
  out.span = o.span();
  SetWeight weight;
  o.Str("name", out.name, "Shown to people.");
  if (o.Int("setWeight", weight.percent, "Share of the traffic for the candidate.", 0, 100))
    out.action = weight;
  TakeStep<Pause>(o, "pause", "Wait; without a duration until a person promotes.", out,
                  [](Object& p, Pause& s) { p.OptDur("duration", s.duration, "How long."); });
  TakeStep<SetCandidateScale>(o, "setCanaryScale", "Size of the candidate apart from the weight.",
                              out, ReadScale);
  TakeStep<RunAnalysis>(o, "analysis", "Run templates; go on when they succeed.", out,
                        [](Object& a, RunAnalysis& s) { ReadAnalysisRef(a, s.analysis); });
  TakeStep<SetHeaderRoute>(o, "setHeaderRoute", "Send requests with a header to the candidate.",
                           out, ReadHeaderRoute);
  TakeStep<SetMirrorRoute>(o, "setMirrorRoute", "Copy requests to the candidate.", out,
                           ReadMirrorRoute);
  TakeStep<WaitForApproval>(o, "approval", "Wait until people say yes.", out,
                            [](Object& a, WaitForApproval& s) { ReadApproval(a, s.approval); });
  TakeStep<RunHook>(o, "hook", "Run a Job; go on when it succeeds.", out,
                    [](Object& h, RunHook& s) { ReadHook(h, s.hook); });
  TakeStep<WaitForHealth>(o, "health", "Wait until the health score is good.", out, ReadHealthStep);
  TakeStep<AskGate>(o, "gate", "Ask a web service whether to go on.", out,
                    [](Object& g, AskGate& s) { ReadGate(g, s.gate); });
  if (o.Has("experiment") || o.Has("plugin")) {
    o.Error(o.Has("plugin") ? "plugin" : "experiment",
            "experiments and plugins are not supported; use analysis, hook or gate");
    o.Ignore("experiment");
    o.Ignore("plugin");
    return;
  }
  // `pause: {}` and `pause:` both wait for a person, as in Argo.
  if (o.node().FindEntry("pause") && !o.Has("pause") && o.node().entries.size() == 1) {
    out.action = Pause{};
    return;
  }
  o.RequireOne("a step", {"setWeight", "pause", "setCanaryScale", "analysis", "setHeaderRoute",
                          "setMirrorRoute", "approval", "hook", "health", "gate"});
}

}  // namespace

void ReadRequestMatches(Object& o, std::vector<RequestMatch>& out, std::string_view description) {
  o.List("match", description, [&](Object& item) {
    RequestMatch match;
    ReadOptionalMatch(item, "method", "The request's method.", match.method);
    ReadOptionalMatch(item, "path", "The request's path.", match.path);
    ReadNamedMatches(item, "headers", "Headers that must match.", match.headers);
    ReadNamedMatches(item, "cookies", "Cookies that must match.", match.cookies);
    ReadNamedMatches(item, "query", "Query parameters that must match.", match.query);
    if (!item.describing() && match.empty())
      item.context().Error(item.span(),
                           "this match is empty: it needs method, path, headers, "
                           "cookies or query");
    out.push_back(std::move(match));
  });
}

void ReadSteps(Object& o, std::vector<Step>& out) {
  std::vector<Step> read;
  if (o.List("steps", "What happens one after another until the candidate has all traffic.",
             [&](Object& item) { ReadStep(item, read.emplace_back()); }))
    out = std::move(read);
}

// {name, percentage, duration, healthThreshold, autoPromote, requiresApproval} becomes setWeight,
// pause, health and approval.
void ReadPhases(Object& o, std::vector<Step>& out) {
  o.List("phases", "A short form of steps.", [&](Object& p) {
    std::string name;
    SetWeight weight;
    std::optional<Duration> duration;
    WaitForHealth health;
    bool auto_promote = true;
    bool approval = false;
    p.Str("name", name, "Shown to people.");
    p.Int("percentage", weight.percent, "Share of the traffic for the candidate.", 0, 100);
    p.Require("percentage");
    p.OptDur("duration", duration, "How long to stay there.");
    bool gated = p.Share("healthThreshold", health.min_score,
                         "The health score to have then; absent: it does not matter.");
    p.Bool("autoPromote", auto_promote, "Go on without a person (true).");
    p.Bool("requiresApproval", approval, "A person with the verb `approve` must say yes (false).");
    if (p.describing()) return;
    out.push_back({name, weight, p.span()});
    if (duration) out.push_back({name, Pause{duration}, p.span()});
    if (gated) out.push_back({name, health, p.span()});
    if (approval) out.push_back({name, WaitForApproval{}, p.span()});
    if (!auto_promote && !approval) out.push_back({name, Pause{}, p.span()});
  });
}

// stepWeight/maxWeight or stepWeights, with an interval between: as Flagger's users write it.
void ReadStepWeights(Object& o, std::vector<Step>& out) {
  int64_t step = 0;
  int64_t max = 100;
  Duration interval = std::chrono::minutes(1);
  std::vector<int64_t> weights;
  o.Int("stepWeight", step, "Short form: raise the weight by this.", 1, 100);
  o.Int("maxWeight", max, "Short form: up to this (100).", 1, 100);
  o.Ints("stepWeights", weights, "Short form: these weights one after another.", 0, 100);
  bool timed =
      o.Dur("interval", interval, "Short form: time at each weight (1m).", std::chrono::seconds(1));
  o.AtMostOne({"steps", "phases", "stepWeight", "stepWeights"});
  if (o.describing()) return;
  if (timed && step == 0 && weights.empty() && !o.Has("stepWeights") && !o.Has("stepWeight"))
    o.Error("interval", "\"interval\" needs stepWeight or stepWeights beside it");
  if (o.Has("maxWeight") && !o.Has("stepWeight"))
    o.Error("maxWeight", "\"maxWeight\" needs stepWeight beside it");
  if (step > 0) {
    for (int64_t weight = step; weight < max; weight += step) weights.push_back(weight);
    weights.push_back(max);
  }
  for (int64_t weight : weights) {
    SourceSpan span = o.KeySpan(step > 0 ? "stepWeight" : "stepWeights");
    out.push_back({{}, SetWeight{weight}, span});
    out.push_back({{}, Pause{interval}, span});
  }
}

const char* NameOf(const StepAction& action) {
  constexpr const char* kNames[] = {
      "setWeight",      "pause",    "setCanaryScale", "analysis", "setHeaderRoute",
      "setMirrorRoute", "approval", "hook",           "health",   "gate"};
  return kNames[action.index()];
}

}  // namespace rollguard::spec
