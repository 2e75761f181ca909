// SPDX-License-Identifier: Apache-2.0
#include "agent/release/replay.h"

#include <set>

#include "agent/base/json_patch.h"
#include "agent/base/text.h"
#include "agent/release/observation_json.h"
#include "agent/spec/load.h"

namespace rollguard::release {
namespace {

constexpr size_t kMaxDifferences = 50;
constexpr size_t kMaxShown = 400;

Json IdJson(const ObjectId& id) { return Json::Arr({id.api_version, id.kind, id.ns, id.name}); }

Json Masked(const ObjectId& id, const Json& body, const ContentMask& mask) {
  return id.kind == "Secret" || id.kind == "ConfigMap" ? mask.Patch(body) : body;
}

// Every member of every action: what is left out here could come out differently unseen.
struct ActionWriter {
  const ContentMask& mask;

  Json operator()(const RecordDecision& a) const {
    return Json::Obj({{"do", "record"}, {"decision", ToJson(a.decision)}});
  }
  Json operator()(const PatchObject& a) const {
    return Json::Obj({{"do", a.staged ? "patchAsStaged" : "patch"},
                      {"object", IdJson(a.object)},
                      {"kind", a.kind == PatchObject::Kind::kJson ? "json" : "merge"},
                      {"patch", Masked(a.object, a.patch, mask)},
                      {"why", a.why},
                      {"weight", a.weight ? Json(*a.weight) : Json()},
                      {"subresource", a.subresource},
                      {"staged", a.staged}});
  }
  Json operator()(const CreateObject& a) const {
    return Json::Obj({{"do", "create"},
                      {"object", IdJson(a.object)},
                      {"body", Masked(a.object, a.body, mask)},
                      {"why", a.why}});
  }
  Json operator()(const DeleteObject& a) const {
    return Json::Obj(
        {{"do", "delete"}, {"object", IdJson(a.object)}, {"uid", a.uid}, {"why", a.why}});
  }
  Json operator()(const ScaleTo& a) const {
    return Json::Obj(
        {{"do", "scale"}, {"object", IdJson(a.object)}, {"patch", ScalePatch(a)}, {"why", a.why}});
  }
  Json operator()(const ReadObjects& a) const {
    Json objects = Json::Arr();
    for (const ObjectId& id : a.objects) objects.Push(IdJson(id));
    return Json::Obj({{"do", "read"}, {"objects", std::move(objects)}, {"purpose", a.purpose}});
  }
  Json operator()(const StartAnalysis& a) const {
    Json templates = Json::Arr();
    for (const auto& t : a.analysis.templates) templates.Push(t.name);
    return Json::Obj({{"do", "startAnalysis"},
                      {"run", a.run},
                      {"templates", std::move(templates)},
                      {"purpose", a.purpose},
                      {"background", a.background},
                      {"stableHash", a.stable_hash},
                      {"candidateHash", a.candidate_hash}});
  }
  Json operator()(const StopAnalysis& a) const {
    return Json::Obj({{"do", "stopAnalysis"}, {"run", a.run}});
  }
  Json operator()(const AskGate& a) const {
    return Json::Obj({{"do", "askGate"}, {"key", a.key}, {"url", a.gate.url}});
  }
  Json operator()(const Notify& a) const {
    return Json::Obj({{"do", "tell"},
                      {"event", a.event},
                      {"severity", spec::ToString(a.severity)},
                      {"text", a.text},
                      {"decision", a.decision}});
  }
};

std::string Shown(const Json* json) {
  return json == nullptr ? std::string() : Abbreviate(json->Dump(), kMaxShown);
}

// Walks both trees at once. Depth is that of what Step makes; a forged record is cut off.
void Compare(const std::string& path, const Json* recorded, const Json* replayed, int depth,
             std::vector<ReplayDifference>& out) {
  if (out.size() >= kMaxDifferences) return;
  if (recorded != nullptr && replayed != nullptr) {
    if (*recorded == *replayed) return;
    bool objects = recorded->is_object() && replayed->is_object();
    bool arrays = recorded->is_array() && replayed->is_array();
    if (depth < 32 && objects) {
      std::set<std::string> keys;
      for (const auto& [key, value] : recorded->members()) keys.insert(key);
      for (const auto& [key, value] : replayed->members()) keys.insert(key);
      for (const std::string& key : keys) {
        Compare(StrCat(path, "/", EscapePointerToken(key)), recorded->Find(key),
                replayed->Find(key), depth + 1, out);
      }
      return;
    }
    if (depth < 32 && arrays) {
      size_t count = std::max(recorded->size(), replayed->size());
      for (size_t i = 0; i < count; ++i) {
        Compare(StrCat(path, "/", i), i < recorded->size() ? &recorded->items()[i] : nullptr,
                i < replayed->size() ? &replayed->items()[i] : nullptr, depth + 1, out);
      }
      return;
    }
  }
  out.push_back({path, Shown(recorded), Shown(replayed)});
}

}  // namespace

Json AnswerJson(const GuardState& before, const StepResult& result, const ContentMask& mask) {
  Json actions = Json::Arr();
  for (const Action& action : result.actions) {
    actions.Push(std::visit(ActionWriter{mask}, action));
  }
  Json reasons = Json::Arr();
  for (const std::string& reason : result.reasons) reasons.Push(reason);
  Json answers = Json::Arr();
  for (const CommandAnswer& a : result.answers) {
    answers.Push(Json::Obj({{"id", a.id}, {"accepted", a.accepted}, {"message", a.message}}));
  }
  return Json::Obj({{"state", MakeMergePatch(ToJson(before), ToJson(result.state))},
                    {"stateChanged", result.state_changed},
                    {"actions", std::move(actions)},
                    {"reasons", std::move(reasons)},
                    {"wake", result.wake ? Json(FormatRfc3339(*result.wake)) : Json()},
                    {"answers", std::move(answers)},
                    {"finalized", result.finalized}});
}

Json RecordStep(const Json& guard_object, const GuardState& before, const Observation& observation,
                const StepResult& result) {
  ContentMask mask;
  Json seen = ToJson(observation, mask);
  return Json::Obj({{"version", kRecordVersion},
                    {"guard", guard_object},
                    {"state", ToJson(before)},
                    {"observation", std::move(seen)},
                    {"answer", AnswerJson(before, result, mask)}});
}

Expected<Replayed> Replay(const Json& record) {
  int64_t version = record.At("version").IntOr(0);
  if (version != kRecordVersion) {
    return Error(ErrorCode::kInvalid,
                 StrCat("the record has version ", version, ", this program reads ", kRecordVersion,
                        ": use the rollguard that wrote it"));
  }
  auto guard = spec::ParseGuard(record.At("guard"));
  if (!guard) return guard.error();
  auto before = StateFromJson(record.At("state"));
  if (!before) return before.error();
  auto seen = ObservationFromJson(record.At("observation"));
  if (!seen) return seen.error();
  Replayed out;
  out.result = Step(*guard, *before, seen->observation);
  for (const Action& action : out.result.actions) out.actions.push_back(Describe(action));
  // What was recorded has gone through text; let the answer do the same.
  Json answer = AnswerJson(*before, out.result, ContentMask());
  Compare("", &record.At("answer"), &answer, 0, out.differences);
  return out;
}

}  // namespace rollguard::release
