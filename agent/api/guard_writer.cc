// SPDX-License-Identifier: Apache-2.0
#include "agent/api/guard_writer.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/spec/load.h"

namespace rollguard::api {
namespace {

Json NewGuard(const Json& body) {
  return Json::Obj(
      {{"apiVersion", spec::kApiVersion},
       {"kind", "Guard"},
       {"metadata", Json::Obj({{"name", body.At("name")}, {"namespace", body.At("namespace")}})},
       {"spec", Json::Obj({{"target", Json::Obj({{"apiVersion", "apps/v1"},
                                                 {"kind", "Deployment"},
                                                 {"name", body.At("name")}})},
                           {"strategy", Json::Obj({{"rolling", Json::Obj()}})}})}});
}

void PutStrategy(const Json& wanted, Json& spec) {
  std::string type = wanted.At("type").Str();
  // Routing, services and analysis of the same strategy stay.
  Json inner = spec.At("strategy", type);
  if (!inner.is_object()) inner = Json::Obj();
  if (type == "canary" && wanted.At("phases").size() > 0) {
    for (const char* other : {"steps", "stepWeight", "stepWeights", "maxWeight", "interval"})
      inner.Erase(other);
    inner.Set("phases", wanted.At("phases"));
  }
  spec.Set("strategy", Json::Obj({{type, std::move(inner)}}));
  if (const Json* threshold = wanted.Find("rollbackThreshold"))
    spec["confidence"].Set("threshold", *threshold);
  if (const Json* window = wanted.Find("validationWindow")) spec.Set("bake", *window);
}

void PutCheck(const Json& check, Json& spec) {
  Json& checks = spec["health"]["checks"];
  if (!checks.is_array()) checks = Json::Arr();
  auto& items = checks.items();
  auto same = std::find_if(items.begin(), items.end(), [&](const Json& c) {
    return c.At("name").Str() == check.At("name").Str();
  });
  if (same != items.end()) {
    *same = check;
  } else {
    checks.Push(check);
  }
}

}  // namespace

Expected<Json> WriteGuard(const Json& body, const Json& present) {
  Json guard = present.is_object() ? present : NewGuard(body);
  guard.Erase("status");
  Json& spec = guard["spec"];
  if (spec.At("target", "kind").Str() != "Deployment" ||
      spec.At("target", "name").Str() != body.At("name").Str()) {
    return Error(
        ErrorCode::kConflict,
        StrCat("the guard ", body.At("name").Str(), " watches ", spec.At("target", "kind").Str(),
               " ", spec.At("target", "name").Str(), "; use POST /api/v1/releases for it"));
  }
  if (const Json* strategy = body.Find("strategy")) PutStrategy(*strategy, spec);
  if (const Json* check = body.Find("healthCheck")) PutCheck(*check, spec);
  if (const Json* channels = body.Find("notifications")) {
    Json list = Json::Arr();
    for (const Json& channel : channels->items()) list.Push(Json::Obj({{"channel", channel}}));
    spec.Set("notifications", std::move(list));
  }
  auto checked = spec::ParseGuard(guard);
  if (!checked)
    return Error(ErrorCode::kInvalid,
                 StrCat("that makes no usable guard: ", checked.error().message));
  return guard;
}

}  // namespace rollguard::api
