// SPDX-License-Identifier: Apache-2.0
// Ingress controllers. NGINX: a second Ingress beside the owner's, which is not touched: it always
// leads to the second Service, whose share it is when that one holds production. ALB: one
// annotation of the owner's Ingress holds the forward action as JSON text.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/routing/provider.h"

namespace rollguard::routing {
namespace {

ObjectId IngressId(const std::string& name, const Tracks& t) {
  return {"networking.k8s.io/v1", "Ingress", t.ns, name};
}

ObjectId CanaryId(const std::string& name, const Tracks& t) {
  return IngressId(name + "-candidate", t);
}

// Points every backend of the first Service at the second; paths of other Services go.
bool RetargetPaths(Json& rule, const Tracks& t) {
  Json* http = rule.Find("http");
  Json* paths = http != nullptr ? http->Find("paths") : nullptr;
  if (paths == nullptr || !paths->is_array()) return false;
  std::erase_if(paths->items(), [&](const Json& path) {
    return path.At("backend", "service", "name").Str() != t.FirstService();
  });
  for (Json& path : paths->items()) path["backend"]["service"].Set("name", t.SecondService());
  return paths->size() > 0;
}

Json CanarySpec(const Json& owner, const Tracks& t) {
  Json spec = owner.At("spec");
  spec.Erase("defaultBackend");
  Json rules = Json::Arr();
  for (Json rule : owner.At("spec", "rules").items()) {
    if (RetargetPaths(rule, t)) rules.Push(std::move(rule));
  }
  spec.Set("rules", std::move(rules));
  return spec;
}

int64_t SecondShare(const Tracks& t, int64_t candidate) {
  return t.swapped ? 100 - candidate : candidate;
}

// The canary annotations of a wish; the keys that are absent must be absent in the object.
Json CanaryAnnotations(const spec::NginxRouting& s, const Tracks& t, const Split& split) {
  const std::string& prefix = s.annotation_prefix;
  Json out =
      Json::Obj({{prefix + "/canary", "true"},
                 {prefix + "/canary-weight", std::to_string(SecondShare(t, split.candidate))}});
  for (const HeaderRoute& route : split.headers) {
    for (const auto& match : route.match) {
      for (const auto& header : match.headers) {
        out.Set(prefix + "/canary-by-header", header.name);
        const bool exact = header.value.kind == spec::StringMatch::Kind::kExact;
        std::string value = header.value.value;
        if (header.value.kind == spec::StringMatch::Kind::kPrefix) {
          value = StrCat("^", EscapeRegex(value));
        }
        out.Set(prefix + (exact ? "/canary-by-header-value" : "/canary-by-header-pattern"), value);
      }
      for (const auto& cookie : match.cookies) {
        out.Set(prefix + "/canary-by-cookie", cookie.name);
      }
    }
  }
  for (const auto& [key, value] : s.annotations) out.Set(key, value);
  return out;
}

bool IsCanaryKey(const spec::NginxRouting& s, const std::string& key) {
  const std::string start = s.annotation_prefix + "/canary";
  return key.compare(0, start.size(), start) == 0;
}

Json NewCanary(const spec::NginxRouting& s, const Tracks& t, const ObjectId& id, const Json& owner,
               const Split& split) {
  Json metadata = NewMetadata(id, t);
  Json annotations = Json::Obj();
  for (const auto& [key, value] : owner.At("metadata", "annotations").members()) {
    if (key.find("last-applied-configuration") == std::string::npos && !IsCanaryKey(s, key)) {
      annotations.Set(key, value);
    }
  }
  const Json ours = CanaryAnnotations(s, t, split);
  for (const auto& [key, value] : ours.members()) annotations.Set(key, value);
  metadata.Set("annotations", std::move(annotations));
  return Json::Obj({{"apiVersion", id.api_version},
                    {"kind", id.kind},
                    {"metadata", std::move(metadata)},
                    {"spec", CanarySpec(owner, t)}});
}

Json AdjustCanary(const spec::NginxRouting& s, const Tracks& t, const Json& current,
                  const Json& owner, const Split& split) {
  Json desired = current;
  Json& annotations = desired["metadata"]["annotations"];
  if (annotations.is_null()) annotations = Json::Obj();
  const Json wanted = CanaryAnnotations(s, t, split);
  std::erase_if(annotations.members(), [&](const Json::Member& m) {
    return IsCanaryKey(s, m.first) && wanted.Find(m.first) == nullptr;
  });
  for (const auto& [key, value] : wanted.members()) annotations.Set(key, value);
  const Json spec = CanarySpec(owner, t);
  if (!Contains(current.At("spec"), spec)) desired.Set("spec", spec);
  return desired;
}

}  // namespace

void Objects(const spec::NginxRouting& s, const Tracks& t, std::vector<ObjectId>& out) {
  for (const auto& name : s.ingresses) {
    out.push_back(IngressId(name, t));
    out.push_back(CanaryId(name, t));
  }
}

Status PlanSplit(const spec::NginxRouting& s, const Tracks& t, const Split& split, const View& view,
                 Changes& out) {
  for (const auto& name : s.ingresses) {
    const ObjectId id = CanaryId(name, t);
    const Json* owner = view(IngressId(name, t));
    if (owner == nullptr) return NotThere(IngressId(name, t));
    if (CanarySpec(*owner, t).At("rules").size() == 0) {
      return Error(ErrorCode::kInvalid,
                   StrCat(IngressId(name, t).Text(), ": no path leads to Service ",
                          t.FirstService(), ": correct the guard's routing"));
    }
    if (t.swapped && !split.headers.empty()) {
      return Error(ErrorCode::kInvalid,
                   StrCat(id.Text(), ": NGINX can send matching requests to the second Deployment ",
                          "only, and that holds production now: release without header routes"));
    }
    const Json* current = view(id);
    if (current == nullptr) {
      AppendCreate(id, NewCanary(s, t, id, *owner, split), out);
    } else if (!CreatedFor(*current, t.guard)) {
      return Error(ErrorCode::kAlreadyExists,
                   StrCat(id.Text(), " exists and is not rollguard's: rename it"));
    } else {
      AppendPatch(id, *current, AdjustCanary(s, t, *current, *owner, split), out);
    }
  }
  return {};
}

Status PlanRest(const spec::NginxRouting& s, const Tracks& t, const View& view, Changes& out) {
  if (t.swapped) return {};  // production comes through it
  for (const auto& name : s.ingresses) {
    const ObjectId id = CanaryId(name, t);
    const Json* current = view(id);
    if (current != nullptr && CreatedFor(*current, t.guard)) AppendDelete(id, *current, out);
  }
  return {};
}

Reading Read(const spec::NginxRouting& s, const Tracks& t, const View& view) {
  Reading reading;
  for (const auto& name : s.ingresses) {
    if (view(IngressId(name, t)) == nullptr) {
      return {Reading::State::kInvalid, 0, false, IngressId(name, t).Text() + " is not there"};
    }
    const Json* canary = view(CanaryId(name, t));
    if (canary == nullptr || !CreatedFor(*canary, t.guard)) continue;
    reading.state = Reading::State::kSplit;
    const Json& annotations = canary->At("metadata", "annotations");
    auto weight = ParseInt(annotations.At(s.annotation_prefix + "/canary-weight").Str());
    reading.candidate = std::max(reading.candidate,
                                 SecondShare(t, std::clamp<int64_t>(weight.value_or(0), 0, 100)));
    reading.extra = reading.extra ||
                    annotations.Find(s.annotation_prefix + "/canary-by-header") != nullptr ||
                    annotations.Find(s.annotation_prefix + "/canary-by-cookie") != nullptr;
  }
  return reading;
}

namespace {

std::string AlbKey(const spec::AlbRouting& s, const Tracks& t) {
  return StrCat(s.annotation_prefix, "/actions.",
                s.root_service.empty() ? t.FirstService() : s.root_service);
}

std::string AlbAction(const spec::AlbRouting& s, const Tracks& t, int64_t candidate) {
  auto group = [&](const std::string& service, int64_t weight) {
    return Json::Obj({{"ServiceName", service},
                      {"ServicePort", std::to_string(s.service_port)},
                      {"Weight", weight}});
  };
  Json groups =
      Json::Arr({group(t.stable_service, 100 - candidate), group(t.CandidateService(), candidate)});
  return Json::Obj({{"Type", "forward"},
                    {"ForwardConfig", Json::Obj({{"TargetGroups", std::move(groups)}})}})
      .Dump();
}

Json AlbRested(const Json& current, const std::string& key) {
  Json rest = current;
  const Json memo = ReadMemo(current);
  if (!memo.is_object()) return rest;
  Json& annotations = rest["metadata"]["annotations"];
  if (memo.At("action").is_string()) {
    annotations.Set(key, memo.At("action"));
  } else {
    annotations.Erase(key);
  }
  DropMemo(rest);
  return rest;
}

}  // namespace

void Objects(const spec::AlbRouting& s, const Tracks& t, std::vector<ObjectId>& out) {
  out.push_back(IngressId(s.ingress, t));
}

Status PlanSplit(const spec::AlbRouting& s, const Tracks& t, const Split& split, const View& view,
                 Changes& out) {
  const ObjectId id = IngressId(s.ingress, t);
  const Json* current = view(id);
  if (current == nullptr) return NotThere(id);
  const std::string key = AlbKey(s, t);
  Json desired = AlbRested(*current, key);
  Json memo = Json::Obj({{"action", desired.At("metadata", "annotations").At(key)}});
  WriteMemo(desired, memo);
  desired["metadata"]["annotations"].Set(key, AlbAction(s, t, split.candidate));
  AppendPatch(id, *current, desired, out);
  return {};
}

Status PlanRest(const spec::AlbRouting& s, const Tracks& t, const View& view, Changes& out) {
  const ObjectId id = IngressId(s.ingress, t);
  if (const Json* current = view(id)) {
    Json rest = AlbRested(*current, AlbKey(s, t));
    if (t.swapped) {  // the owner's action leads to pods that are gone: ours stays
      rest = *current;
      DropMemo(rest);
    }
    AppendPatch(id, *current, rest, out);
  }
  return {};
}

Reading Read(const spec::AlbRouting& s, const Tracks& t, const View& view) {
  const ObjectId id = IngressId(s.ingress, t);
  const Json* current = view(id);
  if (current == nullptr) return {Reading::State::kInvalid, 0, false, id.Text() + " is not there"};
  if (!ReadMemo(*current).is_object()) return {};
  auto action = ParseJson(current->At("metadata", "annotations").At(AlbKey(s, t)).Str());
  if (!action) return {Reading::State::kInvalid, 0, false, id.Text() + ": its action is not JSON"};
  Reading reading{Reading::State::kSplit, 0, false, {}};
  for (const Json& group : action->At("ForwardConfig", "TargetGroups").items()) {
    if (group.At("ServiceName").Str() == t.CandidateService()) {
      reading.candidate = std::clamp<int64_t>(group.At("Weight").IntOr(0), 0, 100);
    }
  }
  return reading;
}

}  // namespace rollguard::routing
