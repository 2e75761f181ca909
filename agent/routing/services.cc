// SPDX-License-Identifier: Apache-2.0
// The Services of the two tracks. In production the owner's Service finds every pod of the app, the
// candidate's too; while a release runs it is narrowed to the stable pods by the label Kubernetes
// itself puts on them, and a second Service finds the candidate's.
#include "agent/base/text.h"
#include "agent/routing/provider.h"

namespace rollguard::routing {
namespace {

// `selector` of the object at rest with one more label. The memo keeps what stood there.
void Pin(Json& service, const Label& label) {
  Json& selector = service["spec"]["selector"];
  Json memo = Json::Obj({{"key", label.key}, {"was", selector.At(label.key)}});
  selector.Set(label.key, label.value);
  WriteMemo(service, memo);
}

Json Unpinned(const Json& service) {
  Json rest = service;
  Json memo = ReadMemo(service);
  if (!memo.is_object()) return rest;
  DropMemo(rest);
  Json* spec = rest.Find("spec");
  if (spec != nullptr) {
    if (memo.At("was").is_string()) {
      (*spec)["selector"].Set(memo.At("key").Str(), memo.At("was"));
    } else if (Json* selector = spec->Find("selector")) {
      selector->Erase(memo.At("key").Str());
    }
  }
  return rest;
}

Json CandidateServiceOf(const Json& stable, const ObjectId& id, const Tracks& tracks) {
  Json ports = Json::Arr();
  for (Json port : stable.At("spec", "ports").items()) {
    port.Erase("nodePort");
    ports.Push(std::move(port));
  }
  Json selector = Unpinned(stable).At("spec", "selector");
  if (!selector.is_object()) selector = Json::Obj();
  selector.Set(tracks.candidate.key, tracks.candidate.value);
  Json spec = Json::Obj({{"ports", std::move(ports)}, {"selector", std::move(selector)}});
  if (stable.At("spec", "clusterIP").Str() == "None") spec.Set("clusterIP", "None");
  return Json::Obj({{"apiVersion", "v1"},
                    {"kind", "Service"},
                    {"metadata", NewMetadata(id, tracks)},
                    {"spec", std::move(spec)}});
}

void PinOne(const ObjectId& id, const Json& current, const Label& label, Changes& out) {
  Json desired = Unpinned(current);
  Pin(desired, label);
  AppendPatch(id, current, desired, out);
}

}  // namespace

std::string Tracks::CandidateService() const {
  if (!candidate_service.empty()) return candidate_service;
  return stable_service.empty() ? std::string() : stable_service + "-candidate";
}

ObjectId ServiceId(const Tracks& tracks, const std::string& name) {
  return {"v1", "Service", tracks.ns, name};
}

Status PinServices(const Tracks& tracks, bool skip_stable, const View& view, Changes& out) {
  if (tracks.roles_swap || tracks.stable_service.empty()) return {};
  const ObjectId stable_id = ServiceId(tracks, tracks.stable_service);
  const Json* stable = view(stable_id);
  if (stable == nullptr) return NotThere(stable_id);
  const ObjectId candidate_id = ServiceId(tracks, tracks.CandidateService());
  const Json* candidate = view(candidate_id);
  if (candidate == nullptr) {
    AppendCreate(candidate_id, CandidateServiceOf(*stable, candidate_id, tracks), out);
  } else if (!CreatedFor(*candidate, tracks.guard)) {
    if (tracks.own_candidate_service) {
      return Error(ErrorCode::kAlreadyExists,
                   StrCat(candidate_id.Text(), " exists and is not rollguard's: name it as ",
                          "candidateService in the guard, or rename it"));
    }
    PinOne(candidate_id, *candidate, tracks.candidate, out);
  }
  if (!skip_stable && !tracks.stable.value.empty()) {
    PinOne(stable_id, *stable, tracks.stable, out);
  }
  return {};
}

void UnpinStable(const Tracks& tracks, const View& view, Changes& out) {
  if (tracks.roles_swap || tracks.stable_service.empty()) return;
  const ObjectId id = ServiceId(tracks, tracks.stable_service);
  if (const Json* service = view(id)) AppendPatch(id, *service, Unpinned(*service), out);
}

void UnpinCandidate(const Tracks& tracks, const View& view, Changes& out) {
  if (tracks.roles_swap || tracks.CandidateService().empty()) return;
  const ObjectId id = ServiceId(tracks, tracks.CandidateService());
  const Json* service = view(id);
  if (service == nullptr) return;
  if (CreatedFor(*service, tracks.guard)) {
    AppendDelete(id, *service, out);
  } else if (!tracks.own_candidate_service) {
    AppendPatch(id, *service, Unpinned(*service), out);
  }
}

// The Service as a router: its selector says which track has everything.

namespace {

ObjectId ActiveId(const spec::ServiceRouting& settings, const Tracks& tracks) {
  return ServiceId(tracks, settings.service.empty() ? tracks.stable_service : settings.service);
}

}  // namespace

void Objects(const spec::ServiceRouting& settings, const Tracks& tracks,
             std::vector<ObjectId>& out) {
  out.push_back(ActiveId(settings, tracks));
}

Status PlanSplit(const spec::ServiceRouting& settings, const Tracks& tracks, const Split& split,
                 const View& view, Changes& out) {
  const ObjectId id = ActiveId(settings, tracks);
  const Json* service = view(id);
  if (service == nullptr) return NotThere(id);
  if (split.candidate != 0 && split.candidate != 100) {
    return Error(ErrorCode::kInvalid,
                 StrCat(id.Text(), ": a Service's selector cannot carry ", split.candidate, " %"));
  }
  PinOne(id, *service, split.candidate == 100 ? tracks.candidate : tracks.stable, out);
  return {};
}

Status PlanRest(const spec::ServiceRouting& settings, const Tracks& tracks, const View& view,
                Changes& out) {
  const ObjectId id = ActiveId(settings, tracks);
  if (const Json* service = view(id)) AppendPatch(id, *service, Unpinned(*service), out);
  return {};
}

Reading Read(const spec::ServiceRouting& settings, const Tracks& tracks, const View& view) {
  const ObjectId id = ActiveId(settings, tracks);
  const Json* service = view(id);
  if (service == nullptr) return {Reading::State::kInvalid, 0, false, id.Text() + " is not there"};
  if (!ReadMemo(*service).is_object()) return {};
  const Json& selector = service->At("spec", "selector");
  bool candidate = !tracks.candidate.value.empty() &&
                   selector.At(tracks.candidate.key).Str() == tracks.candidate.value;
  return {Reading::State::kSplit, candidate ? 100 : 0, false, {}};
}

// No router: pods decide, there is nothing to patch.

void Objects(const spec::ReplicaRouting&, const Tracks&, std::vector<ObjectId>&) {}
Status PlanSplit(const spec::ReplicaRouting&, const Tracks&, const Split&, const View&, Changes&) {
  return {};
}
Status PlanRest(const spec::ReplicaRouting&, const Tracks&, const View&, Changes&) { return {}; }
Reading Read(const spec::ReplicaRouting&, const Tracks&, const View&) { return {}; }

}  // namespace rollguard::routing
