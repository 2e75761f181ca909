// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/api_server.h"

#include "agent/base/text.h"
#include "agent/sim/api_failure.h"
#include "agent/sim/api_reviews.h"
#include "agent/sim/api_writer.h"

namespace rollguard::sim {
namespace {

ApiReply Value(Json object) {
  return {std::make_shared<const Json>(std::move(object)), std::nullopt, false};
}

Json Success(const TypeInfo& info, const Json& object) {
  Json details = Json::Obj({{"name", NameOf(object)}});
  if (!info.type.group.empty()) details.Set("group", info.type.group);
  details.Set("kind", info.type.plural).Set("uid", UidOf(object));
  return Json::Obj({{"kind", "Status"},
                    {"apiVersion", "v1"},
                    {"metadata", Json::Obj()},
                    {"status", "Success"},
                    {"details", std::move(details)}});
}

bool AddFinalizer(Json& meta, std::string_view finalizer) {
  Json& list = meta["finalizers"];
  for (const Json& f : list.items()) {
    if (Text(f) == finalizer) return false;
  }
  list.Push(finalizer);
  return true;
}

}  // namespace

ApiServer::ApiServer(Scheduler& scheduler, ApiOptions options)
    : scheduler_(scheduler),
      options_(std::move(options)),
      random_(options_.seed),
      store_(options_.history) {
  store_.OnChange([this](const Change& change) {
    OnCrdChange(change);
    Deliver(change);
  });
  for (auto name : {"default", "kube-system", "kube-public", "kube-node-lease"}) {
    ClusterRequest request;
    request.verb = Verb::kCreate;
    request.type = NamespaceType();
    request.body = Json::Obj({{"metadata", Json::Obj({{"name", name}})}});
    Serve(request);
  }
}

ObjectPtr ApiServer::InVersion(const TypeInfo& info, const std::string& version,
                               ObjectPtr object) const {
  if (!object || version == info.type.version) return object;
  Json copy = *object;
  copy.Set("apiVersion", info.type.group.empty() ? version : info.type.group + "/" + version);
  return std::make_shared<const Json>(std::move(copy));
}

ApiReply ApiServer::Serve(const ClusterRequest& request) {
  if (auto review = ServeReview(options_, request)) return std::move(*review);
  const TypeInfo* info = types_.Find(request.type.group, request.type.plural);
  if (info == nullptr || !info->Serves(request.type.version)) return Fail(NoSuchPath());
  ClusterRequest local;
  const ClusterRequest* r = &request;
  if (request.verb == Verb::kCreate && request.type.namespaced && request.ns.empty()) {
    local = request;
    local.ns = NamespaceOf(request.body);
    r = &local;
  }
  const std::string& sub = r->subresource;
  ApiWriter writer(*this, *info, *r);
  if (sub == "scale") return writer.Scale();
  if (sub == "eviction" && r->verb == Verb::kCreate && info->graceful_delete) {
    ClusterRequest evict = *r;
    evict.verb = Verb::kDelete;
    evict.body = r->body.At("deleteOptions");
    return ServeDelete(*info, evict);
  }
  if (!sub.empty() && !(sub == "status" && info->has_status)) return Fail(NoSuchPath());
  switch (r->verb) {
    case Verb::kGet: return ServeGet(*info, *r);
    case Verb::kList: return ServeList(*info, *r);
    case Verb::kCreate: return writer.Create();
    case Verb::kReplace: return writer.Replace();
    case Verb::kPatch: return writer.Patch();
    case Verb::kDelete: return ServeDelete(*info, *r);
  }
  return Fail(NoSuchPath());
}

Expected<Json> ApiServer::Call(const ClusterRequest& request) {
  ApiReply reply = Serve(request);
  if (!reply.ok()) return reply.failure->ToError(request);
  return *reply.object;
}

ApiReply ApiServer::ServeGet(const TypeInfo& info, const ClusterRequest& request) {
  ObjectPtr object = store_.Get({info.id, info.type.namespaced ? request.ns : "", request.name});
  if (!object) return Fail(NotFound(info, request.name));
  return {InVersion(info, request.type.version, object), std::nullopt, false};
}

ApiReply ApiServer::ServeDelete(const TypeInfo& info, const ClusterRequest& request) {
  if (request.name.empty()) {
    ClusterRequest list = request;
    list.verb = Verb::kList;
    ApiReply found = ServeList(info, list);
    if (!found.ok()) return found;
    for (const Json& item : found.object->At("items").items()) {
      ClusterRequest one = request;
      one.name = NameOf(item);
      one.ns = NamespaceOf(item);
      ServeDelete(info, one);
    }
    return found;
  }
  ObjectKey key{info.id, info.type.namespaced ? request.ns : "", request.name};
  ObjectPtr before = store_.Get(key);
  if (!before) return Fail(NotFound(info, request.name));
  if (!request.precondition_uid.empty() && request.precondition_uid != UidOf(*before)) {
    return Fail(
        Conflict(info, request.name,
                 StrCat("Precondition failed: UID in precondition: ", request.precondition_uid,
                        ", UID in object meta: ", UidOf(*before))));
  }
  if (!request.precondition_version.empty() &&
      request.precondition_version != Text(Meta(*before).At("resourceVersion"))) {
    return Fail(Conflict(
        info, request.name,
        StrCat(
            "Precondition failed: ResourceVersion in precondition: ", request.precondition_version,
            ", ResourceVersion in object meta: ", Text(Meta(*before).At("resourceVersion")))));
  }
  if (options_.admission) {
    Json probe = *before;
    if (auto refused = options_.admission(request, before.get(), probe))
      return Fail(std::move(*refused));
  }
  Json after = *before;
  Json& meta = after["metadata"];
  if (request.propagation == "Foreground") AddFinalizer(meta, "foregroundDeletion");
  if (request.propagation == "Orphan") AddFinalizer(meta, "orphan");
  int64_t grace = 0;
  std::string_view phase = Text(before->At("status", "phase"));
  if (info.graceful_delete && !Text(before->At("spec", "nodeName")).empty() &&
      phase != "Succeeded" && phase != "Failed") {
    grace = request.body.At("gracePeriodSeconds")
                .IntOr(before->At("spec", "terminationGracePeriodSeconds").IntOr(30));
  }
  bool held = meta.At("finalizers").size() > 0 || grace > 0 || info.type.kind == "Namespace";
  if (request.dry_run) return held ? Value(std::move(after)) : Value(Success(info, *before));
  if (!held) {
    store_.Remove(key);
    return Value(Success(info, *before));
  }
  if (!IsTerminating(*before) || grace < meta.At("deletionGracePeriodSeconds").IntOr(0)) {
    Time end = scheduler_.Now() + std::chrono::seconds(grace);
    meta.Set("deletionTimestamp", FormatRfc3339(std::chrono::floor<std::chrono::seconds>(end)));
    meta.Set("deletionGracePeriodSeconds", grace);
    if (info.has_generation && !IsTerminating(*before))
      meta.Set("generation", meta.At("generation").IntOr(0) + 1);
  }
  if (info.type.kind == "Namespace") after["status"].Set("phase", "Terminating");
  if (*before == after) return {before, std::nullopt, false};
  return {CommitUpdate(key, before, std::move(after)), std::nullopt, false};
}

}  // namespace rollguard::sim
