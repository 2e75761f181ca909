// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/api_http.h"

#include <optional>

#include "agent/base/text.h"
#include "agent/sim/api_discovery.h"
#include "agent/sim/api_failure.h"
#include "agent/sim/api_table.h"

namespace rollguard::sim {
namespace {

// What a path names.
struct Place {
  std::string group, version, ns, plural, name, subresource;
};

// /api/v1/..., /apis/G/V/..., [namespaces/NS/]PLURAL[/NAME[/SUB...]]
std::optional<Place> ParsePath(std::string_view path) {
  if (path.empty() || path[0] != '/') return std::nullopt;
  auto parts = Split(path.substr(1), '/');
  if (!parts.empty() && parts.back().empty()) parts.pop_back();
  Place place;
  size_t i = 0;
  if (parts.size() > 2 && parts[0] == "api") {
    place.version = parts[1];
    i = 2;
  } else if (parts.size() > 3 && parts[0] == "apis") {
    place.group = parts[1];
    place.version = parts[2];
    i = 3;
  } else {
    return std::nullopt;
  }
  bool inside = parts[i] == "namespaces" && parts.size() > i + 2 && parts[i + 2] != "status" &&
                parts[i + 2] != "finalize";
  if (inside) {
    place.ns = parts[i + 1];
    i += 2;
  }
  place.plural = parts[i];
  if (parts.size() > i + 1) place.name = parts[i + 1];
  for (size_t s = i + 2; s < parts.size(); ++s)
    place.subresource += StrCat(place.subresource.empty() ? "" : "/", parts[s]);
  return place;
}

const std::string& Query(const ApiHttpRequest& r, const std::string& key) {
  static const std::string none;
  auto it = r.query.find(key);
  return it != r.query.end() ? it->second : none;
}

bool IsTrue(const std::string& value) { return value == "true" || value == "1"; }

bool WantsTable(const ApiHttpRequest& r) { return r.accept.find("as=Table") != std::string::npos; }

ApiHttpResponse FailWith(const ApiFailure& failure) {
  return {failure.code, "application/json", failure.ToStatus().Dump(), false};
}

std::optional<PatchKind> PatchOf(std::string_view content_type) {
  std::string_view type = Trim(content_type.substr(0, content_type.find(';')));
  if (type == "application/json-patch+json") return PatchKind::kJson;
  if (type == "application/merge-patch+json") return PatchKind::kMerge;
  if (type == "application/strategic-merge-patch+json") return PatchKind::kStrategic;
  if (type == "application/apply-patch+yaml" || type == "application/apply-patch+cbor")
    return PatchKind::kApply;
  return std::nullopt;
}

// "kubectl/v1.32 (...)" -> "kubectl": who writes when nobody says.
std::string ManagerOf(const ApiHttpRequest& r) {
  const std::string& named = Query(r, "fieldManager");
  if (!named.empty()) return named;
  return r.user_agent.empty() ? "unknown" : r.user_agent.substr(0, r.user_agent.find('/'));
}

void ReadDeleteOptions(const Json& body, ClusterRequest& request) {
  request.propagation = body.At("propagationPolicy").Str();
  request.precondition_uid = body.At("preconditions", "uid").Str();
  request.precondition_version = body.At("preconditions", "resourceVersion").Str();
  if (body.At("dryRun").size() > 0) request.dry_run = true;
}

std::optional<ApiFailure> ReadMethod(const ApiHttpRequest& http, const Place& place,
                                     ClusterRequest& request) {
  if (http.method == "GET") {
    request.verb = place.name.empty() ? Verb::kList : Verb::kGet;
  } else if (http.method == "POST") {
    request.verb = Verb::kCreate;
  } else if (http.method == "PUT") {
    request.verb = Verb::kReplace;
  } else if (http.method == "DELETE") {
    request.verb = Verb::kDelete;
  } else if (http.method == "PATCH") {
    request.verb = Verb::kPatch;
    auto kind = PatchOf(http.content_type);
    if (!kind) {
      return ApiFailure{
          415,
          "UnsupportedMediaType",
          StrCat("the body of the request was in an unknown format: ", Quote(http.content_type)),
          {}};
    }
    request.patch = *kind;
    // An apply patch names its manager; nobody is guessed.
    if (*kind == PatchKind::kApply) request.field_manager = Query(http, "fieldManager");
  } else {
    return MethodNotAllowed(StrCat("the server does not allow the method ", http.method));
  }
  return std::nullopt;
}

std::optional<ApiFailure> ReadRequest(const ApiHttpRequest& http, const Place& place,
                                      const TypeRegistry& types, ClusterRequest& request) {
  const TypeInfo* info = types.Find(place.group, place.plural);
  request.type = info != nullptr ? info->type
                                 : ResourceType{place.group, place.version, place.plural, "",
                                                !place.ns.empty()};
  request.type.version = place.version;
  request.ns = place.ns;
  request.name = place.name;
  request.subresource = place.subresource;
  request.field_manager = ManagerOf(http);
  if (auto failure = ReadMethod(http, place, request)) return failure;
  request.force = IsTrue(Query(http, "force"));
  request.dry_run = Query(http, "dryRun") == "All";
  request.label_selector = Query(http, "labelSelector");
  request.field_selector = Query(http, "fieldSelector");
  request.resource_version = Query(http, "resourceVersion");
  request.continue_token = Query(http, "continue");
  request.limit = ParseInt(Query(http, "limit")).value_or(0);
  if (http.method == "DELETE") request.propagation = Query(http, "propagationPolicy");
  if (http.body.empty()) return std::nullopt;
  if (http.content_type.find("protobuf") != std::string::npos) {
    return ApiFailure{
        415,
        "UnsupportedMediaType",
        "protobuf bodies are not understood here: send JSON (kubectl create -f or apply -f do)",
        {}};
  }
  auto body = ParseJson(http.body);
  if (!body) return BadRequest(StrCat("the body is no JSON: ", body.error().message));
  if (http.method == "DELETE") {
    std::string from_query = request.propagation;
    ReadDeleteOptions(*body, request);
    if (request.propagation.empty()) request.propagation = from_query;
  }
  request.body = std::move(*body);
  return std::nullopt;
}

std::string LogOf(ApiServer& api, const Place& place) {
  ObjectPtr pod = api.Get("", "pods", place.ns, place.name);
  if (!pod) return {};
  const Json& container = pod->At("spec", "containers").At(size_t{0});
  return StrCat("simulated container ", Text(container.At("name")), " of image ",
                Text(container.At("image")), "\n");
}

}  // namespace

ApiHttpResponse ApiHttp::Handle(const ApiHttpRequest& http) {
  if (http.method == "GET") {
    if (auto answer = ServeDiscovery(api_.types(), http.path, http.accept))
      return std::move(*answer);
  }
  auto place = ParsePath(http.path);
  if (!place) return FailWith(NoSuchPath());
  if (http.method == "GET" && place->subresource == "log") {
    std::string log = LogOf(api_, *place);
    if (!log.empty()) return {200, "text/plain", log, false};
  }
  ClusterRequest request;
  if (auto failure = ReadRequest(http, *place, api_.types(), request)) return FailWith(*failure);
  if (request.verb == Verb::kList && IsTrue(Query(http, "watch")))
    return {200, "application/json", "", true};
  ApiReply reply = api_.Serve(request);
  if (!reply.ok()) return FailWith(*reply.failure);
  int status = reply.created ? 201 : 200;
  const TypeInfo* info = api_.types().Find(place->group, place->plural);
  bool reading = request.verb == Verb::kGet || request.verb == Verb::kList;
  if (!reading || !WantsTable(http) || info == nullptr || !request.subresource.empty()) {
    return {status, "application/json", reply.object->Dump(), false};
  }
  std::vector<const Json*> objects;
  if (request.verb == Verb::kGet)
    objects.push_back(reply.object.get());
  else
    for (const Json& item : reply.object->At("items").items()) objects.push_back(&item);
  Json meta = request.verb == Verb::kList
                  ? Meta(*reply.object)
                  : Json::Obj({{"resourceVersion", Meta(*reply.object).At("resourceVersion")}});
  Json table =
      MakeTable(*info, objects, meta, Query(http, "includeObject"), true, api_.scheduler().Now());
  return {status, "application/json", table.Dump(), false};
}

namespace {

std::string Line(std::string_view type, const Json& object) {
  return StrCat("{\"type\":\"", type, "\",\"object\":", object.Dump(), "}\n");
}

std::string_view EventName(WatchEvent::Type type) {
  switch (type) {
    case WatchEvent::Type::kAdded: return "ADDED";
    case WatchEvent::Type::kModified: return "MODIFIED";
    case WatchEvent::Type::kDeleted: return "DELETED";
    case WatchEvent::Type::kBookmark: return "BOOKMARK";
  }
  return "";
}

Json InitialEventsEnd(const ResourceType& type, uint64_t version) {
  return Json::Obj(
      {{"kind", type.kind},
       {"apiVersion", type.ApiVersion()},
       {"metadata",
        Json::Obj({{"resourceVersion", std::to_string(version)},
                   {"annotations", Json::Obj({{"k8s.io/initial-events-end", "true"}})}})}});
}

}  // namespace

WatchId ApiHttp::OpenStream(const ApiHttpRequest& http, std::function<void(std::string)> line) {
  auto place = ParsePath(http.path);
  const TypeInfo* info = place ? api_.types().Find(place->group, place->plural) : nullptr;
  if (info == nullptr) {
    line(Line("ERROR", NoSuchPath().ToStatus()));
    return 0;
  }
  bool initial = IsTrue(Query(http, "sendInitialEvents"));
  WatchRequest watch;
  watch.type = info->type;
  watch.type.version = place->version;
  watch.ns = place->ns;
  watch.label_selector = Query(http, "labelSelector");
  watch.field_selector = Query(http, "fieldSelector");
  watch.resource_version = initial ? "" : Query(http, "resourceVersion");
  watch.bookmarks = IsTrue(Query(http, "allowWatchBookmarks"));
  bool table = WantsTable(http);
  auto first = std::make_shared<bool>(true);
  auto opened = api_.OpenWatch(
      watch, [this, info, table, first, line, include = Query(http, "includeObject")](
                 WatchEvent::Type type, const ObjectPtr& object) {
        if (!table || type == WatchEvent::Type::kBookmark)
          return line(Line(EventName(type), *object));
        Json meta = Json::Obj({{"resourceVersion", Meta(*object).At("resourceVersion")}});
        bool columns = std::exchange(*first, false);
        line(Line(EventName(type), MakeTable(*info, {object.get()}, meta, include, columns,
                                             api_.scheduler().Now())));
      });
  if (!opened) {
    bool gone = opened.error().code == ErrorCode::kGone;
    line(Line(
        "ERROR",
        (gone ? Expired(opened.error().message) : BadRequest(opened.error().message)).ToStatus()));
    return 0;
  }
  if (initial) line(Line("BOOKMARK", InitialEventsEnd(watch.type, api_.store().version())));
  return *opened;
}

}  // namespace rollguard::sim
