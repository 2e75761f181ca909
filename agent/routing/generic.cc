// SPDX-License-Identifier: Apache-2.0
// Any object with two numbers in it: where they stand is told by the guard.
#include <algorithm>

#include "agent/base/json_patch.h"
#include "agent/base/text.h"
#include "agent/routing/provider.h"
#include "agent/routing/weighted.h"

namespace rollguard::routing {
namespace {

ObjectId GenericId(const spec::GenericRouting& s, const Tracks& t) {
  return {s.api_version, s.kind, s.object.ns.empty() ? t.ns : s.object.ns, s.object.name};
}

// "/spec/a/0" stays; "spec.a[0].weight" becomes "/spec/a/0/weight".
std::string PointerOf(std::string_view path) {
  if (!path.empty() && path[0] == '/') return std::string(path);
  std::string out;
  for (std::string_view part : rollguard::Split(path, '.')) {
    size_t bracket = part.find('[');
    std::string_view name = part.substr(0, bracket);
    if (!name.empty() && name != "$") out += "/" + EscapePointerToken(name);
    while (bracket != std::string_view::npos) {
      size_t end = part.find(']', bracket);
      if (end == std::string_view::npos) break;
      out += StrCat("/", part.substr(bracket + 1, end - bracket - 1));
      bracket = part.find('[', end);
    }
  }
  return out;
}

Json* Place(Json& object, std::string_view path) {
  return const_cast<Json*>(ResolvePointer(object, PointerOf(path)));
}

// A weight that was text stays text.
void Put(Json& place, int64_t value) {
  if (place.is_string()) {
    place = Json(std::to_string(value));
  } else {
    place = Json(value);
  }
}

int64_t Number(const Json& value) {
  return WeightFrom(value.is_string() ? Json(ParseInt(value.Str()).value_or(0)) : value);
}

Json Rested(const Json& current, const spec::GenericRouting& s) {
  Json rest = current;
  const Json memo = ReadMemo(current);
  if (!memo.is_object()) return rest;
  Json* stable = Place(rest, s.stable_path);
  Json* candidate = Place(rest, s.candidate_path);
  if (stable != nullptr) *stable = memo.At("stable");
  if (candidate != nullptr) *candidate = memo.At("candidate");
  DropMemo(rest);
  return rest;
}

}  // namespace

void Objects(const spec::GenericRouting& s, const Tracks& t, std::vector<ObjectId>& out) {
  out.push_back(GenericId(s, t));
}

Status PlanSplit(const spec::GenericRouting& s, const Tracks& t, const Split& split,
                 const View& view, Changes& out) {
  const ObjectId id = GenericId(s, t);
  const Json* current = view(id);
  if (current == nullptr) return NotThere(id);
  Json desired = Rested(*current, s);
  Json* stable = Place(desired, s.stable_path);
  Json* candidate = Place(desired, s.candidate_path);
  if (stable == nullptr || candidate == nullptr) {
    return Error(ErrorCode::kInvalid, StrCat(id.Text(), ": nothing at ",
                                             stable == nullptr ? s.stable_path : s.candidate_path,
                                             ": write a weight there or correct the path"));
  }
  Json memo = Json::Obj({{"stable", *stable}, {"candidate", *candidate}});
  int64_t share = (s.total * split.candidate + 50) / 100;
  Put(*stable, s.total - share);
  Put(*candidate, share);
  WriteMemo(desired, memo);
  AppendPatch(id, *current, desired, out);
  return {};
}

Status PlanRest(const spec::GenericRouting& s, const Tracks& t, const View& view, Changes& out) {
  const ObjectId id = GenericId(s, t);
  if (const Json* current = view(id)) AppendPatch(id, *current, Rested(*current, s), out);
  return {};
}

Reading Read(const spec::GenericRouting& s, const Tracks& t, const View& view) {
  const ObjectId id = GenericId(s, t);
  const Json* current = view(id);
  if (current == nullptr) return {Reading::State::kInvalid, 0, false, id.Text() + " is not there"};
  if (!ReadMemo(*current).is_object()) return {};
  const Json* stable = ResolvePointer(*current, PointerOf(s.stable_path));
  const Json* candidate = ResolvePointer(*current, PointerOf(s.candidate_path));
  if (stable == nullptr || candidate == nullptr) {
    return {Reading::State::kInvalid, 0, false, id.Text() + ": a weight is missing"};
  }
  const int64_t sum = Number(*stable) + Number(*candidate);
  return {Reading::State::kSplit, sum > 0 ? Number(*candidate) * 100 / sum : 0, false, {}};
}

}  // namespace rollguard::routing
