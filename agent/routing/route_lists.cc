// SPDX-License-Identifier: Apache-2.0
// The common part of Istio, Gateway API, Contour, APISIX, Traefik and SMI: first the object is
// given back in memory, then the whole wish is laid on top. So the result depends on the owner's
// content and the wish alone, never on what the last step left behind, and planning twice changes
// nothing.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/routing/provider.h"

namespace rollguard::routing {
namespace {

Json* Walk(Json& object, std::string_view dotted) {
  Json* at = &object;
  for (std::string_view part : rollguard::Split(dotted, '.')) {
    at = at->Find(part);
    if (at == nullptr) return nullptr;
  }
  return at;
}

const Json* Walk(const Json& object, std::string_view dotted) {
  return Walk(const_cast<Json&>(object), dotted);
}

bool Selected(const Json& route, const RouteLists& lists) {
  if (lists.is_extra && lists.is_extra(route)) return false;
  return HasStable(route.At(lists.destinations), lists.shape) &&
         (!lists.selected || lists.selected(route));
}

// The memo of a selected route: by its name when it has one, else by its order among the unnamed.
const Json* MemoOf(const Json& memos, const Json& route, size_t& unnamed) {
  const std::string name = route.At("name").Str();
  size_t seen = 0;
  for (const Json& memo : memos.items()) {
    const std::string theirs = memo.At("name").Str();
    if (!name.empty() && theirs == name) return &memo;
    if (name.empty() && theirs.empty() && seen++ == unnamed) {
      ++unnamed;
      return &memo;
    }
  }
  return nullptr;
}

// Only a route that was mirrored has members put away; otherwise they are the owner's to change.
void RestMembers(Json& route, const RouteLists& lists, const Json& memo) {
  if (memo.Find("members") == nullptr) return;
  for (const std::string& member : lists.mirror_members) {
    const Json* was = memo.At("members").Find(member);
    if (was != nullptr) {
      route.Set(member, *was);
    } else {
      route.Erase(member);
    }
  }
}

Json SaveMembers(const Json& route, const RouteLists& lists) {
  Json saved = Json::Obj();
  for (const std::string& member : lists.mirror_members) {
    if (const Json* value = route.Find(member)) saved.Set(member, *value);
  }
  return saved;
}

bool Mirrored(const RouteLists& lists, const Split& split) {
  return lists.mirror && std::any_of(split.mirrors.begin(), split.mirrors.end(), [](const auto& m) {
           return m.match.empty() && m.percent > 0;
         });
}

// The routes that go before one owner's route.
Json::Array ExtraRoutes(const Json& owner, const RouteLists& lists, const Split& split,
                        const Json& destination) {
  Json::Array extra;
  for (const HeaderRoute& header : split.headers) {
    if (lists.header_route && !header.match.empty()) {
      extra.push_back(lists.header_route(owner, header, destination));
    }
  }
  for (const MirrorRoute& mirror : split.mirrors) {
    if (lists.mirror_route && !mirror.match.empty()) {
      extra.push_back(lists.mirror_route(owner, mirror, destination));
    }
  }
  return extra;
}

}  // namespace

void RestRoutes(Json& object, const RouteLists& lists) {
  Json memo = ReadMemo(object);
  Json* routes = Walk(object, lists.routes);
  if (routes != nullptr && routes->is_array()) {
    const Json& memos = memo.At("routes").At(lists.routes);
    if (lists.is_extra && memo.is_object()) std::erase_if(routes->items(), lists.is_extra);
    size_t unnamed = 0;
    for (Json& route : routes->items()) {
      const Json* split = route.Find(lists.destinations);
      if (split == nullptr || !HasCandidate(*split, lists.shape)) continue;
      const Json* was = MemoOf(memos, route, unnamed);
      if (was == nullptr) continue;
      RestMembers(route, lists, *was);
      // Looked up again: what was erased may have stood before it.
      RestList(*route.Find(lists.destinations), lists.shape, was->At("list"));
    }
  }
}

Status SplitRoutes(Json& object, const RouteLists& lists, const Split& split) {
  Json* routes = Walk(object, lists.routes);
  if (routes == nullptr || !routes->is_array()) {
    return Error(ErrorCode::kInvalid, StrCat(lists.routes, " is not a list of routes"));
  }
  Json memo = ReadMemo(object);
  if (!memo.is_object()) memo = Json::Obj();
  Json memos = Json::Arr();
  Json::Array result;
  for (Json& route : routes->items()) {
    if (!Selected(route, lists)) {
      result.push_back(std::move(route));
      continue;
    }
    const Json owner = route;
    Json& list = *route.Find(lists.destinations);
    auto kept = SplitList(list, lists.shape, split.candidate);
    if (!kept) return kept.error();
    Json remembered = Json::Obj({{"name", owner.At("name").Str()}, {"list", std::move(*kept)}});
    if (Mirrored(lists, split)) remembered.Set("members", SaveMembers(owner, lists));
    memos.Push(std::move(remembered));
    Json destination;
    for (const Json& entry : owner.At(lists.destinations).items()) {
      if (lists.shape.is_stable(entry)) destination = lists.shape.to_candidate(entry);
    }
    for (const MirrorRoute& mirror : split.mirrors) {
      if (lists.mirror && mirror.match.empty() && mirror.percent > 0) {
        lists.mirror(route, mirror, destination);
      }
    }
    for (Json& extra : ExtraRoutes(owner, lists, split, destination)) {
      result.push_back(std::move(extra));
    }
    result.push_back(std::move(route));
  }
  if (memos.size() == 0) {
    return Error(ErrorCode::kInvalid,
                 StrCat("no route of ", lists.routes,
                        " leads to the guarded stable service: correct the guard's routing"));
  }
  routes->items() = std::move(result);
  memo["routes"].Set(lists.routes, std::move(memos));
  WriteMemo(object, memo);
  return {};
}

Reading ReadRoutes(const Json& object, const RouteLists& lists) {
  Reading reading;
  if (!ReadMemo(object).is_object()) return reading;
  reading.state = Reading::State::kSplit;
  const Json* routes = Walk(object, lists.routes);
  if (routes == nullptr) return reading;
  for (const Json& route : routes->items()) {
    if (lists.is_extra && lists.is_extra(route)) {
      reading.extra = true;
      continue;
    }
    for (const std::string& member : lists.mirror_members) {
      if (route.Find(member) != nullptr) reading.extra = true;
    }
    if (auto share = ReadList(route.At(lists.destinations), lists.shape)) {
      reading.candidate = std::max(reading.candidate, *share);
    }
  }
  return reading;
}

Json CrossMatches(const Json& owner, const std::vector<Json>& ours,
                  const std::function<void(Json& match, const Json& add)>& merge) {
  Json result = Json::Arr();
  Json::Array base = owner.items();
  if (base.empty()) base.push_back(Json::Obj());
  for (const Json& theirs : base) {
    for (const Json& add : ours) {
      Json match = theirs;
      merge(match, add);
      result.Push(std::move(match));
    }
  }
  return result;
}

std::string EscapeRegex(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (std::string_view("\\.+*?()|[]{}^$").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string CookieRegex(const spec::HeaderMatch& cookie) {
  std::string value = cookie.value.kind == spec::StringMatch::Kind::kRegex
                          ? StrCat("(", cookie.value.value, ")")
                          : EscapeRegex(cookie.value.value);
  if (cookie.value.kind == spec::StringMatch::Kind::kPrefix) value += "[^;]*";
  return StrCat("^(.*;\\s*)?", EscapeRegex(cookie.name), "=", value, "(;.*)?$");
}

}  // namespace rollguard::routing
