// SPDX-License-Identifier: Apache-2.0
#include "agent/proof/scenario.h"

#include <algorithm>
#include <array>

#include "agent/spec/reader.h"

namespace rollguard::proof {
namespace {

using spec::Object;
using Mood = sim::SimMetrics::Mood;
using Kind = ScenarioEvent::Kind;

constexpr std::array<std::pair<std::string_view, Outcome>, 3> kOutcomes{
    {{"promoted", Outcome::kPromoted},
     {"rolled_back", Outcome::kRolledBack},
     {"held", Outcome::kHeld}}};
constexpr std::array<std::pair<std::string_view, Mood>, 7> kMoods{{{"up", Mood::kWell},
                                                                   {"well", Mood::kWell},
                                                                   {"down", Mood::kDown},
                                                                   {"slow", Mood::kSlow},
                                                                   {"garbage", Mood::kGarbage},
                                                                   {"empty", Mood::kEmpty},
                                                                   {"partial", Mood::kPartial}}};
constexpr std::array<std::string_view, 9> kVerbs{
    "promote", "pause", "resume", "abort", "rollback", "retry", "approve", "reject", "skip"};

void ReadService(Object& o, ScenarioService& service) {
  o.Int("replicas", service.replicas, "pods of the service", 1, 1000);
  o.Int("maxReplicas", service.max_replicas, "an autoscaler may go up to this", 0, 1000);
  o.Num("requestsPerSecond", service.requests_per_second, "what users send", 0, 1e6);
}

void ReadBehaviour(Object& o, std::string_view key, Json& out) {
  if (!o.Any(key, out,
             "readyAfter, errorRatio, latency, crashAfter, neverReady, imagePullFails, ..."))
    return;
  auto checked = sim::RevisionBehaviour::FromJson(out, {});
  if (!checked) o.Error(key, checked.error().message);
}

void ReadAlert(Object& o, alerts::Alert& alert) {
  spec::StringMap labels;
  std::string status = "firing";
  o.Map("labels", labels, "the alert's labels; alertname names it");
  o.Str("status", status, "firing or resolved");
  if (status != "firing" && status != "resolved") o.Error("status", "must be firing or resolved");
  std::sort(labels.begin(), labels.end());
  alert.labels = labels;
  alert.status =
      status == "resolved" ? alerts::AlertStatus::kResolved : alerts::AlertStatus::kFiring;
  alert.fingerprint = alerts::FingerprintOf(alert.labels);
}

void ReadFault(Object& o, ScenarioEvent& event) {
  o.Require("revision");
  o.Str("revision", event.revision, "whose pods behave differently from now on");
  ReadBehaviour(o, "behaviour", event.behaviour);
}

void ReadCommand(Object& o, ScenarioEvent& event) {
  o.Require("verb");
  if (o.Str("verb", event.verb, "what the person asks for") &&
      std::find(kVerbs.begin(), kVerbs.end(), event.verb) == kVerbs.end()) {
    o.Error("verb", StrCat("unknown verb ", Quote(event.verb),
                           Suggestion(event.verb, {kVerbs.begin(), kVerbs.end()})));
  }
  o.Str("actor", event.actor, "who");
  o.Strings("groups", event.groups, "the person's groups");
}

void ReadEvent(Object& o, ScenarioEvent& event) {
  o.Require("at");
  o.Dur("at", event.at, "time since the beginning");
  o.RequireOne("an event", {"release", "fault", "alert", "metrics", "pod", "scale", "rate",
                            "command", "crash"});
  if (o.Str("release", event.revision, "the target's template becomes this revision's"))
    event.kind = Kind::kRelease;
  if (o.Obj("fault", "a revision's behaviour changes", [&](Object& f) { ReadFault(f, event); }))
    event.kind = Kind::kFault;
  if (o.Obj("alert", "an alert arrives", [&](Object& a) { ReadAlert(a, event.alert); }))
    event.kind = Kind::kAlert;
  if (o.Enum<Mood>("metrics", event.mood, kMoods, "how the metrics source answers from now on"))
    event.kind = Kind::kMetrics;
  if (o.Obj("pod", "one pod of a revision fails", [&](Object& p) {
        p.Str("revision", event.revision, "of which revision");
        p.Str("fault", event.pod, "crashloop, imagePull or unready");
      })) {
    event.kind = Kind::kPod;
  }
  if (o.Num("scale", event.number, "somebody scales the target", 0, 1000))
    event.kind = Kind::kScale;
  if (o.Num("rate", event.number, "users send so many requests per second", 0, 1e6))
    event.kind = Kind::kRate;
  if (o.Obj("command", "a person says something", [&](Object& c) { ReadCommand(c, event); }))
    event.kind = Kind::kCommand;
  bool crash = false;
  if (o.Bool("crash", crash, "the agent is killed and starts again")) event.kind = Kind::kCrash;
  event.span = o.span();
}

void ReadScenario(Object& o, Scenario& scenario) {
  o.Str("name", scenario.name, "a sentence for people");
  o.Obj("service", "what is released", [&](Object& s) { ReadService(s, scenario.service); });
  o.Str("stable", scenario.stable, "the revision that runs at the beginning");
  o.Require("revisions");
  o.List("revisions", "the versions and how they behave", [&](Object& r) {
    std::string name;
    Json behaviour = Json::Obj();
    r.Require("name");
    r.Str("name", name, "what events call it; also the image's tag");
    ReadBehaviour(r, "behaviour", behaviour);
    scenario.revisions[name] = behaviour;
  });
  o.List("events", "what happens, in order", [&](Object& e) {
    scenario.events.emplace_back();
    ReadEvent(e, scenario.events.back());
  });
  o.Dur("duration", scenario.duration, "gives up after so long", std::chrono::seconds(1));
  Outcome expect{};
  if (o.Enum<Outcome>("expect", expect, kOutcomes, "how the release should end"))
    scenario.expect = expect;
  o.Bool("faults", scenario.faults, "the API server misbehaves, as the seed decides");
}

// Events name revisions that exist.
void CheckRevisions(std::string_view file, Scenario& scenario, Diagnostics& diagnostics) {
  std::vector<std::string_view> names;
  for (const auto& [name, behaviour] : scenario.revisions) names.push_back(name);
  auto check = [&](const std::string& name, SourceSpan span) {
    if (!scenario.revisions.contains(name)) {
      diagnostics.Error(file, span,
                        StrCat("unknown revision ", Quote(name), Suggestion(name, names),
                               "; list it under revisions"));
    }
  };
  check(scenario.stable, {1, 1, 1});
  for (const ScenarioEvent& event : scenario.events) {
    if (event.kind == Kind::kRelease || event.kind == Kind::kFault || event.kind == Kind::kPod)
      check(event.revision, event.span);
  }
  std::stable_sort(scenario.events.begin(), scenario.events.end(),
                   [](const auto& a, const auto& b) { return a.at < b.at; });
}

}  // namespace

const char* ToString(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPromoted: return "promoted";
    case Outcome::kRolledBack: return "rolled_back";
    case Outcome::kHeld: return "held";
  }
  return "held";
}

Scenario ParseScenario(std::string_view file, std::string_view text, Diagnostics& diagnostics) {
  Scenario scenario;
  auto documents = yaml::Parse(file, text, diagnostics);
  if (documents.empty() || !documents[0].is_mapping()) {
    diagnostics.Error(file, {1, 1, 1},
                      "a scenario is a mapping with service, revisions and events");
    return scenario;
  }
  spec::Context context{.file = file, .diagnostics = diagnostics};
  {
    Object root(context, documents[0], documents[0].span);
    ReadScenario(root, scenario);
  }
  CheckRevisions(file, scenario, diagnostics);
  return scenario;
}

}  // namespace rollguard::proof
