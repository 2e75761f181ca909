// SPDX-License-Identifier: Apache-2.0
// kubectl 1.20 wants /openapi/v2 as protobuf and skips validation of kinds it does not find in it,
// so a document that holds only its version is enough. kubectl 1.32 reads /openapi/v3 and leaves
// validation to the server when the PATCH operation of a kind takes `fieldValidation`; strategic
// merges fall back to its own tables because no strategic-merge request body is described.
#include "agent/sim/api_discovery.h"

#include <algorithm>
#include <map>

#include "agent/base/text.h"

namespace rollguard::sim {
namespace {

constexpr std::string_view kProtobuf =
    "\x0a\x03"
    "2.0";  // Document{swagger: "2.0"}

ApiHttpResponse Answer(const Json& body) { return {200, "application/json", body.Dump(), false}; }

Json Verbs(std::initializer_list<const char*> verbs) {
  Json out = Json::Arr();
  for (const char* verb : verbs) out.Push(verb);
  return out;
}

Json Words(const std::vector<std::string>& words) {
  Json out = Json::Arr();
  for (const auto& word : words) out.Push(word);
  return out;
}

Json Resource(const TypeInfo& info) {
  Json r = Json::Obj({{"name", info.type.plural},
                      {"singularName", info.singular},
                      {"namespaced", info.type.namespaced},
                      {"kind", info.type.kind},
                      {"verbs", Verbs({"create", "delete", "deletecollection", "get", "list",
                                       "patch", "update", "watch"})}});
  if (!info.short_names.empty()) r.Set("shortNames", Words(info.short_names));
  if (!info.categories.empty()) r.Set("categories", Words(info.categories));
  return r;
}

Json Subresource(const TypeInfo& info, std::string_view name, std::string_view kind, Json verbs) {
  return Json::Obj({{"name", StrCat(info.type.plural, "/", name)},
                    {"singularName", ""},
                    {"namespaced", info.type.namespaced},
                    {"kind", kind},
                    {"verbs", std::move(verbs)}});
}

Json Review(std::string_view plural, std::string_view kind) {
  return Json::Obj({{"name", plural},
                    {"singularName", ToLower(kind)},
                    {"namespaced", false},
                    {"kind", kind},
                    {"verbs", Verbs({"create"})}});
}

Json ResourceList(const TypeRegistry& types, std::string_view group, std::string_view version) {
  Json list = Json::Arr();
  for (const TypeInfo* info : types.All()) {
    if (info->type.group != group || !info->Serves(version)) continue;
    list.Push(Resource(*info));
    if (info->has_status)
      list.Push(Subresource(*info, "status", info->type.kind, Verbs({"get", "patch", "update"})));
    if (!info->scale_spec.empty()) {
      Json scale = Subresource(*info, "scale", "Scale", Verbs({"get", "patch", "update"}));
      scale.Set("group", "autoscaling").Set("version", "v1");
      list.Push(std::move(scale));
    }
    if (info->graceful_delete) {
      Json eviction = Subresource(*info, "eviction", "Eviction", Verbs({"create"}));
      eviction.Set("group", "policy").Set("version", "v1");
      list.Push(std::move(eviction));
      list.Push(Subresource(*info, "log", "Pod", Verbs({"get"})));
    }
  }
  if (group == "authentication.k8s.io") list.Push(Review("tokenreviews", "TokenReview"));
  if (group == "authorization.k8s.io") {
    list.Push(Review("subjectaccessreviews", "SubjectAccessReview"))
        .Push(Review("selfsubjectaccessreviews", "SelfSubjectAccessReview"));
  }
  if (list.size() == 0) return {};
  std::string gv = group.empty() ? std::string(version) : StrCat(group, "/", version);
  return Json::Obj({{"kind", "APIResourceList"},
                    {"apiVersion", "v1"},
                    {"groupVersion", gv},
                    {"resources", std::move(list)}});
}

// Group name -> its versions, preferred first.
std::map<std::string, std::vector<std::string>> Groups(const TypeRegistry& types) {
  std::map<std::string, std::vector<std::string>> out = {{"authentication.k8s.io", {"v1"}},
                                                         {"authorization.k8s.io", {"v1"}}};
  for (const TypeInfo* info : types.All()) {
    if (info->type.group.empty()) continue;
    auto& versions = out[info->type.group];
    for (const auto& v : info->versions) {
      if (std::find(versions.begin(), versions.end(), v) == versions.end()) versions.push_back(v);
    }
  }
  return out;
}

Json GroupDocument(const std::string& name, const std::vector<std::string>& versions, bool alone) {
  Json list = Json::Arr();
  for (const auto& v : versions)
    list.Push(Json::Obj({{"groupVersion", StrCat(name, "/", v)}, {"version", v}}));
  Json preferred = list.At(size_t{0});
  Json group = Json::Obj();
  if (alone) group.Set("kind", "APIGroup").Set("apiVersion", "v1");
  group.Set("name", name)
      .Set("versions", std::move(list))
      .Set("preferredVersion", std::move(preferred));
  return group;
}

Json GroupList(const TypeRegistry& types) {
  Json groups = Json::Arr();
  for (const auto& [name, versions] : Groups(types))
    groups.Push(GroupDocument(name, versions, false));
  return Json::Obj({{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", std::move(groups)}});
}

Json Version() {
  return Json::Obj({{"major", "1"},
                    {"minor", "32"},
                    {"gitVersion", "v1.32.0-rollguard-sim"},
                    {"gitCommit", ""},
                    {"gitTreeState", "clean"},
                    {"buildDate", "1970-01-01T00:00:00Z"},
                    {"goVersion", ""},
                    {"compiler", ""},
                    {"platform", "linux/amd64"}});
}

Json OpenApiIndex(const TypeRegistry& types) {
  Json paths = Json::Obj();
  auto add = [&](const std::string& path) {
    paths.Set(path, Json::Obj({{"serverRelativeURL", StrCat("/openapi/v3/", path, "?hash=1")}}));
  };
  add("api/v1");
  for (const auto& [name, versions] : Groups(types)) {
    for (const auto& v : versions) add(StrCat("apis/", name, "/", v));
  }
  return Json::Obj({{"paths", std::move(paths)}});
}

Json Parameter(std::string_view name) {
  return Json::Obj({{"name", name},
                    {"in", "query"},
                    {"schema", Json::Obj({{"type", "string"}, {"uniqueItems", true}})}});
}

Json OpenApiV3(const TypeRegistry& types, std::string_view group, std::string_view version) {
  Json paths = Json::Obj(), schemas = Json::Obj();
  std::string root =
      group.empty() ? StrCat("/api/", version) : StrCat("/apis/", group, "/", version);
  for (const TypeInfo* info : types.All()) {
    if (info->type.group != group || !info->Serves(version)) continue;
    Json gvk = Json::Obj({{"group", group}, {"version", version}, {"kind", info->type.kind}});
    std::string path = StrCat(root, info->type.namespaced ? "/namespaces/{namespace}/" : "/",
                              info->type.plural, "/{name}");
    Json patch =
        Json::Obj({{"operationId", StrCat("patch", info->type.kind)},
                   {"parameters", Json::Arr({Parameter("dryRun"), Parameter("fieldManager"),
                                             Parameter("fieldValidation"), Parameter("force")})},
                   {"x-kubernetes-action", "patch"},
                   {"x-kubernetes-group-version-kind", gvk}});
    Json get = Json::Obj({{"operationId", StrCat("read", info->type.kind)},
                          {"x-kubernetes-action", "get"},
                          {"x-kubernetes-group-version-kind", gvk}});
    paths.Set(path, Json::Obj({{"get", std::move(get)}, {"patch", std::move(patch)}}));
    Json schema = info->schema.is_object()
                      ? info->schema
                      : Json::Obj({{"type", "object"},
                                   {"description", StrCat(info->type.kind, " (simulated)")}});
    Json& properties = schema["properties"];
    if (!properties.is_object()) properties = Json::Obj();
    properties.Set("apiVersion", Json::Obj({{"type", "string"}}))
        .Set("kind", Json::Obj({{"type", "string"}}));
    properties.Set("metadata", Json::Obj({{"type", "object"}}));
    schema.Set("x-kubernetes-group-version-kind", Json::Arr({gvk}));
    schemas.Set(StrCat(group.empty() ? "core" : group, ".", version, ".", info->type.kind),
                std::move(schema));
  }
  return Json::Obj({{"openapi", "3.0.0"},
                    {"info", Json::Obj({{"title", "Kubernetes"}, {"version", "v1.32.0"}})},
                    {"paths", std::move(paths)},
                    {"components", Json::Obj({{"schemas", std::move(schemas)}})}});
}

ApiHttpResponse OpenApiV2(const std::string& accept) {
  if (accept.find("protobuf") != std::string::npos) {
    return {200, "application/octet-stream", std::string(kProtobuf), false};
  }
  return Answer(Json::Obj({{"swagger", "2.0"},
                           {"info", Json::Obj({{"title", "Kubernetes"}, {"version", "v1.32.0"}})},
                           {"paths", Json::Obj()},
                           {"definitions", Json::Obj()}}));
}

// "group", "version" of ".../apis/G/V" or ".../api/V".
std::optional<std::pair<std::string, std::string>> GroupVersion(
    const std::vector<std::string_view>& parts) {
  if (parts.size() == 2 && parts[0] == "api") return std::pair("", std::string(parts[1]));
  if (parts.size() == 3 && parts[0] == "apis")
    return std::pair(std::string(parts[1]), std::string(parts[2]));
  return std::nullopt;
}

}  // namespace

std::optional<ApiHttpResponse> ServeDiscovery(const TypeRegistry& types, const std::string& path,
                                              const std::string& accept) {
  if (path == "/healthz" || path == "/readyz" || path == "/livez")
    return ApiHttpResponse{200, "text/plain", "ok", false};
  if (path == "/version") return Answer(Version());
  if (path == "/api")
    return Answer(Json::Obj({{"kind", "APIVersions"}, {"versions", Json::Arr({"v1"})}}));
  if (path == "/apis") return Answer(GroupList(types));
  if (path == "/openapi/v2") return OpenApiV2(accept);
  if (path == "/openapi/v3") return Answer(OpenApiIndex(types));
  bool openapi = path.starts_with("/openapi/v3/");
  std::string_view rest = std::string_view(path).substr(openapi ? 12 : 1);
  auto parts = Split(rest, '/');
  if (parts.size() == 2 && parts[0] == "apis" && !openapi) {
    auto groups = Groups(types);
    auto it = groups.find(std::string(parts[1]));
    if (it == groups.end()) return std::nullopt;
    return Answer(GroupDocument(it->first, it->second, true));
  }
  auto gv = GroupVersion(parts);
  if (!gv) return std::nullopt;
  if (openapi) return Answer(OpenApiV3(types, gv->first, gv->second));
  Json list = ResourceList(types, gv->first, gv->second);
  if (list.is_null()) return std::nullopt;
  return Answer(list);
}

}  // namespace rollguard::sim
