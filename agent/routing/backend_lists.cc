// SPDX-License-Identifier: Apache-2.0
// Traefik's TraefikService and SMI's TrafficSplit: one list of weighted Services per object. A
// TrafficSplit that is not there is made for the release and taken away after it.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/routing/provider.h"

namespace rollguard::routing {
namespace {

Json* ListAt(Json& object, const char* outer, const char* inner) {
  Json* spec = object.Find("spec");
  Json* at = spec != nullptr ? spec->Find(outer) : nullptr;
  if (at != nullptr && inner != nullptr) at = at->Find(inner);
  return at != nullptr && at->is_array() ? at : nullptr;
}

Json Rested(const Json& current, const char* outer, const char* inner, const Shape& shape) {
  Json rest = current;
  const Json memo = ReadMemo(current);
  if (!memo.is_object()) return rest;
  Json* list = ListAt(rest, outer, inner);
  if (list != nullptr && HasCandidate(*list, shape)) RestList(*list, shape, memo.At("list"));
  DropMemo(rest);
  return rest;
}

Status SplitObject(const ObjectId& id, const Json& current, const char* outer, const char* inner,
                   const Shape& shape, int64_t candidate, Changes& out) {
  Json desired = Rested(current, outer, inner, shape);
  Json* list = ListAt(desired, outer, inner);
  if (list == nullptr) {
    return Error(ErrorCode::kInvalid, StrCat(id.Text(), ": there is no list of services in it"));
  }
  auto memo = SplitList(*list, shape, candidate);
  if (!memo) return Error(memo.error().code, StrCat(id.Text(), ": ", memo.error().message));
  WriteMemo(desired, Json::Obj({{"list", std::move(*memo)}}));
  AppendPatch(id, current, desired, out);
  return {};
}

Reading ReadObject(const ObjectId& id, const Json* current, const char* outer, const char* inner,
                   const Shape& shape) {
  if (current == nullptr) return {Reading::State::kInvalid, 0, false, id.Text() + " is not there"};
  if (!ReadMemo(*current).is_object()) return {};
  const Json* list = ListAt(const_cast<Json&>(*current), outer, inner);
  int64_t share = list != nullptr ? ReadList(*list, shape).value_or(0) : 0;
  return {Reading::State::kSplit, share, false, {}};
}

ObjectId TraefikId(const spec::TraefikRouting& s, const Tracks& t) {
  return {s.api_group + "/v1alpha1", "TraefikService", t.ns, s.service};
}

ObjectId SmiId(const spec::SmiRouting& s, const Tracks& t) {
  return {s.api_version, "TrafficSplit", t.ns, s.traffic_split.empty() ? t.guard : s.traffic_split};
}

Json NewSplit(const spec::SmiRouting& s, const Tracks& t, const ObjectId& id, int64_t candidate) {
  Json backends =
      Json::Arr({Json::Obj({{"service", t.stable_service}, {"weight", 100 - candidate}}),
                 Json::Obj({{"service", t.CandidateService()}, {"weight", candidate}})});
  Json spec = Json::Obj({{"service", s.root_service.empty() ? t.FirstService() : s.root_service},
                         {"backends", std::move(backends)}});
  return Json::Obj({{"apiVersion", id.api_version},
                    {"kind", id.kind},
                    {"metadata", NewMetadata(id, t)},
                    {"spec", std::move(spec)}});
}

}  // namespace

void Objects(const spec::TraefikRouting& s, const Tracks& t, std::vector<ObjectId>& out) {
  out.push_back(TraefikId(s, t));
}

Status PlanSplit(const spec::TraefikRouting& s, const Tracks& t, const Split& split,
                 const View& view, Changes& out) {
  const ObjectId id = TraefikId(s, t);
  const Json* current = view(id);
  if (current == nullptr) return NotThere(id);
  const Shape shape = ServiceShape("name", t.stable_service, t.CandidateService());
  return SplitObject(id, *current, "weighted", "services", shape, split.candidate, out);
}

Status PlanRest(const spec::TraefikRouting& s, const Tracks& t, const View& view, Changes& out) {
  const ObjectId id = TraefikId(s, t);
  const Shape shape = ServiceShape("name", t.stable_service, t.CandidateService());
  if (const Json* current = view(id)) {
    AppendPatch(id, *current, Rested(*current, "weighted", "services", shape), out);
  }
  return {};
}

Reading Read(const spec::TraefikRouting& s, const Tracks& t, const View& view) {
  const ObjectId id = TraefikId(s, t);
  return ReadObject(id, view(id), "weighted", "services",
                    ServiceShape("name", t.stable_service, t.CandidateService()));
}

void Objects(const spec::SmiRouting& s, const Tracks& t, std::vector<ObjectId>& out) {
  out.push_back(SmiId(s, t));
}

Status PlanSplit(const spec::SmiRouting& s, const Tracks& t, const Split& split, const View& view,
                 Changes& out) {
  const ObjectId id = SmiId(s, t);
  const Json* current = view(id);
  if (current == nullptr) {
    AppendCreate(id, NewSplit(s, t, id, split.candidate), out);
    return {};
  }
  const Shape shape = ServiceShape("service", t.stable_service, t.CandidateService());
  return SplitObject(id, *current, "backends", nullptr, shape, split.candidate, out);
}

Status PlanRest(const spec::SmiRouting& s, const Tracks& t, const View& view, Changes& out) {
  const ObjectId id = SmiId(s, t);
  const Json* current = view(id);
  if (current == nullptr) return {};
  if (CreatedFor(*current, t.guard)) {
    Json kept = *current;
    DropMemo(kept);
    if (t.swapped) {  // production comes through it
      AppendPatch(id, *current, kept, out);
    } else {
      AppendDelete(id, *current, out);
    }
    return {};
  }
  const Shape shape = ServiceShape("service", t.stable_service, t.CandidateService());
  AppendPatch(id, *current, Rested(*current, "backends", nullptr, shape), out);
  return {};
}

Reading Read(const spec::SmiRouting& s, const Tracks& t, const View& view) {
  const ObjectId id = SmiId(s, t);
  const Json* current = view(id);
  if (current == nullptr) return {};
  const Shape shape = ServiceShape("service", t.stable_service, t.CandidateService());
  Reading reading = ReadObject(id, current, "backends", nullptr, shape);
  if (CreatedFor(*current, t.guard)) {
    reading.state = Reading::State::kSplit;
    reading.candidate = ReadList(current->At("spec", "backends"), shape).value_or(0);
  }
  return reading;
}

}  // namespace rollguard::routing
