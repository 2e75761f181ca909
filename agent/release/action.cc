// SPDX-License-Identifier: Apache-2.0
#include "agent/release/action.h"

#include "agent/base/text.h"

namespace rollguard::release {
namespace {

template <class... Ts>
struct Overload : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overload(Ts...) -> Overload<Ts...>;

}  // namespace

bool ChangesCluster(const Action& action) {
  return std::holds_alternative<PatchObject>(action) ||
         std::holds_alternative<CreateObject>(action) ||
         std::holds_alternative<DeleteObject>(action) || std::holds_alternative<ScaleTo>(action);
}

Json ScalePatch(const ScaleTo& action) {
  Json metadata = Json::Obj();
  if (!action.uid.empty()) metadata.Set("uid", action.uid);
  if (!action.resource_version.empty()) metadata.Set("resourceVersion", action.resource_version);
  Json patch = Json::Obj({{"spec", Json::Obj({{"replicas", action.replicas}})}});
  if (metadata.size() > 0) patch.Set("metadata", std::move(metadata));
  return patch;
}

std::string Describe(const Action& action) {
  return std::visit(
      Overload{
          [](const RecordDecision& a) {
            return StrCat("record decision ", a.decision.id, ": ", a.decision.reason);
          },
          [](const PatchObject& a) {
            return StrCat("patch ", a.object.Text(), ": ", a.why,
                          a.weight ? StrCat(" (weight ", *a.weight, ")") : std::string());
          },
          [](const CreateObject& a) { return StrCat("create ", a.object.Text(), ": ", a.why); },
          [](const DeleteObject& a) { return StrCat("delete ", a.object.Text(), ": ", a.why); },
          [](const ScaleTo& a) {
            return StrCat("scale ", a.object.Text(), " to ", a.replicas, ": ", a.why);
          },
          [](const ReadObjects& a) {
            std::vector<std::string> names;
            for (const ObjectId& id : a.objects) names.push_back(id.Text());
            return StrCat("read ", Join(names, ", "));
          },
          [](const StartAnalysis& a) { return StrCat("start analysis ", a.run); },
          [](const StopAnalysis& a) { return StrCat("stop analysis ", a.run); },
          [](const AskGate& a) { return StrCat("ask gate ", a.gate.url); },
          [](const Notify& a) { return StrCat("tell ", a.event, ": ", a.text); },
      },
      action);
}

Json ToJson(const Action& action) {
  Json out = Json::Obj({{"what", Describe(action)}});
  if (const auto* patch = std::get_if<PatchObject>(&action)) out.Set("patch", patch->patch);
  if (const auto* record = std::get_if<RecordDecision>(&action)) {
    out.Set("decision", ToJson(record->decision));
  }
  return out;
}

}  // namespace rollguard::release
