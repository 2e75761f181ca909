// SPDX-License-Identifier: Apache-2.0
#include "agent/app/explain.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/base/tidy.h"

namespace rollguard::app {
namespace {

constexpr size_t kMaxPatch = 600;

std::string Number(const Json& json) {
  return json.is_number() ? TidyNumbers(FormatNumber(json.DoubleOr(0))) : json.Dump();
}

std::string Plain(const Json& json) { return json.is_string() ? json.Str() : Number(json); }

std::string LabelsText(const Json& labels) {
  std::string out;
  for (const auto& [name, value] : labels.members())
    out += StrCat(out.empty() ? "" : ", ", name, "=", value.Str());
  return out;
}

// What a signal rests on, one line per part that is there.
void AppendEvidence(const Json& evidence, std::string& out) {
  auto line = [&](std::string_view name, const std::string& text) {
    if (!text.empty()) out += StrCat("      ", name, ": ", text, "\n");
  };
  line("query", evidence.At("query").Str());
  if (const Json* value = evidence.Find("value")) line("value", Number(*value));
  if (const Json* threshold = evidence.Find("threshold")) line("threshold", Number(*threshold));
  if (evidence.At("labels").is_object()) line("series", LabelsText(evidence.At("labels")));
  const Json& alert = evidence.At("alert");
  if (alert.is_object()) {
    line("alert", LabelsText(alert.At("labels")));
    line("began", alert.At("startsAt").Str());
    for (const auto& [name, value] : alert.At("annotations").members()) line(name, value.Str());
    line("from", alert.At("generatorURL").Str());
    line("matched by", evidence.At("matchedBy").Str());
  }
  if (const Json* samples = evidence.Find("samples"); samples != nullptr && samples->size() > 0)
    line("samples", Abbreviate(samples->Dump(), kMaxPatch));
  static constexpr std::string_view kTold[] = {"query", "value",     "threshold", "labels",
                                               "alert", "matchedBy", "samples"};
  for (const auto& [name, value] : evidence.members()) {
    bool told = std::find(std::begin(kTold), std::end(kTold), name) != std::end(kTold);
    if (!told && !value.is_null()) line(name, Abbreviate(Plain(value), kMaxPatch));
  }
}

void AppendSignals(const Json& body, std::string& out) {
  if (body.At("signals").size() == 0) return;
  out += "\nsignals\n";
  for (const Json& signal : body.At("signals").items()) {
    out += StrCat("  ", signal.At("source").Str(), " ", signal.At("name").Str(), " is ",
                  signal.At("state").Str(), " (", signal.At("severity").Str(), ", asks for ",
                  signal.At("action").Str(), ")\n");
    out += StrCat("      ", TidyNumbers(signal.At("reason").Str()), "\n");
    if (const Json* since = signal.Find("since"))
      out += StrCat("      since: ", since->Str(), "\n");
    if (signal.At("preExisting").BoolOr(false))
      out += "      was firing before the release began\n";
    AppendEvidence(signal.At("evidence"), out);
  }
}

void AppendConfidence(const Json& body, const Json& given, std::string& out) {
  const Json& parts = body.At("confidence");
  if (!parts.is_object()) return;
  const Json& policy = given.At("guard", "spec", "confidence");
  out += StrCat("\nconfidence that the revision is bad: ", Number(parts.At("value")));
  if (policy.At("threshold").is_number())
    out += StrCat(" (threshold ", Number(policy.At("threshold")), ")");
  out += StrCat("\n  health    ", Number(parts.At("health")), "  (1 - score)\n  trend     ",
                Number(parts.At("trend")), "  (R² ", Number(parts.At("rSquared")),
                ")\n  severity  ", Number(parts.At("severity")), "\n  looks     ",
                Number(parts.At("looks")), " in a row\n");
}

// The cluster changes that the Step asked for.
void AppendChanges(const Json& body, const Json& given, std::string& out) {
  const Json& actions = given.At("answer", "actions");
  std::string text;
  for (const Json& action : actions.items()) {
    std::string verb = action.At("do").Str();
    const Json& id = action.At("object");
    if (!id.is_array()) continue;
    text += StrCat("  ", verb, " ", id.At(1).Str(), " ", id.At(2).Str(), "/", id.At(3).Str(), ": ",
                   action.At("why").Str(), "\n");
    if (action.At("weight").is_number())
      text += StrCat("      weight: ", Number(action.At("weight")), "\n");
    if (action.At("replicas").is_number())
      text += StrCat("      replicas: ", Number(action.At("replicas")), "\n");
    for (const Json& operation : action.At("patch").items())
      text += StrCat("      ", Abbreviate(operation.Dump(), kMaxPatch), "\n");
    if (action.At("patch").is_object())
      text += StrCat("      ", Abbreviate(action.At("patch").Dump(), kMaxPatch), "\n");
  }
  if (text.empty()) {
    for (const Json& change : body.At("changes").items()) text += StrCat("  ", change.Str(), "\n");
  }
  if (!text.empty()) out += StrCat("\nchanges\n", text);
}

void AppendRelease(const ReleaseRow& row, std::string& out) {
  out += StrCat("\nrelease ", row.id, " (", row.strategy, ", ", row.previous, " -> ", row.revision,
                ")\n  began ", FormatRfc3339(row.started), "\n");
  if (!row.trigger.empty()) {
    out += StrCat("  taken back for ", row.trigger, " (", row.trigger_kind, ")");
    if (row.trigger_at) out += StrCat(", which began ", FormatRfc3339(*row.trigger_at));
    out += "\n";
  }
  if (row.trigger_at && row.safe_at)
    out += StrCat("  safe after ", FormatShortDuration(*row.safe_at - *row.trigger_at), "\n");
  out += row.ended ? StrCat("  ended ", FormatRfc3339(*row.ended), ": ", row.outcome, "\n")
                   : std::string("  has not ended\n");
  if (row.right)
    out += *row.right ? "  the trigger went away afterwards\n"
                      : "  the trigger did not go away: probably not the cause\n";
}

}  // namespace

std::string ExplainDecision(const HistoryRecord& decision, const Json& given,
                            const std::optional<ReleaseRow>& release) {
  const Json& body = decision.body;
  std::string out = StrCat("decision ", decision.id, " at ", FormatRfc3339(decision.at), "\n",
                           "  guard   ", decision.guard, "\n  phase   ", body.At("phase").Str(),
                           "\n  actor   ", decision.actor, "\n  action  ", body.At("verdict").Str(),
                           "\n  reason  ", TidyNumbers(body.At("reason").Str()), "\n");
  if (!body.At("revision").Str().empty()) {
    out += StrCat("  on      ", body.At("revision").Str(), " with ", Number(body.At("weight")),
                  " % of the traffic\n");
  }
  AppendSignals(body, out);
  AppendConfidence(body, given, out);
  AppendChanges(body, given, out);
  if (release) AppendRelease(*release, out);
  if (given.is_null()) out += "\nWhat it was made from is no longer kept: it cannot be replayed.\n";
  return out;
}

Json ExplainJson(const HistoryRecord& decision, const Json& given,
                 const std::optional<ReleaseRow>& release) {
  Json out = Json::Obj({{"decision", decision.body}});
  Json changes = Json::Arr();
  for (const Json& action : given.At("answer", "actions").items()) {
    if (action.At("object").is_array()) changes.Push(action);
  }
  out.Set("changes", std::move(changes));
  if (release) {
    out.Set("release", Json::Obj({{"id", release->id},
                                  {"outcome", release->outcome},
                                  {"trigger", release->trigger},
                                  {"triggerKind", release->trigger_kind},
                                  {"right", release->right ? Json(*release->right) : Json()}}));
  }
  out.Set("replayable", !given.is_null());
  return out;
}

std::string ReplayText(const HistoryRecord& decision, const release::Replayed& replayed) {
  std::string head =
      StrCat("decision ", decision.id, " of ", decision.guard, ", ", FormatRfc3339(decision.at),
             ": ", decision.body.At("verdict").Str(), ", ", decision.body.At("reason").Str(), "\n");
  if (replayed.Same()) {
    head += "replayed to the same answer:\n";
    for (const std::string& action : replayed.actions) head += StrCat("  ", action, "\n");
    return head;
  }
  head += "replayed to ANOTHER answer:\n";
  for (const auto& d : replayed.differences) {
    head += StrCat("  ", d.path, "\n    recorded ", d.recorded.empty() ? "nothing" : d.recorded,
                   "\n    replayed ", d.replayed.empty() ? "nothing" : d.replayed, "\n");
  }
  return head;
}

Json ReplayJson(const HistoryRecord& decision, const release::Replayed& replayed) {
  Json differences = Json::Arr();
  for (const auto& d : replayed.differences) {
    differences.Push(
        Json::Obj({{"path", d.path}, {"recorded", d.recorded}, {"replayed", d.replayed}}));
  }
  Json actions = Json::Arr();
  for (const std::string& action : replayed.actions) actions.Push(action);
  return Json::Obj({{"decision", decision.id},
                    {"same", replayed.Same()},
                    {"actions", std::move(actions)},
                    {"differences", std::move(differences)}});
}

}  // namespace rollguard::app
