// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/api_writer.h"

#include "agent/base/json_patch.h"
#include "agent/base/text.h"
#include "agent/sim/api_failure.h"
#include "agent/sim/apply.h"
#include "agent/sim/defaults.h"
#include "agent/sim/strategic_merge.h"

namespace rollguard::sim {
namespace {

std::string MakeUid(Random& random) {
  uint64_t a = random.Next(), b = random.Next();
  return Format("%08x-%04x-4%03x-%04x-%012llx", static_cast<unsigned>(a >> 32),
                static_cast<unsigned>((a >> 16) & 0xffff), static_cast<unsigned>(a & 0xfff),
                static_cast<unsigned>(0x8000 | (b >> 50)),
                static_cast<unsigned long long>(b & 0xffffffffffffULL));
}

std::string Suffix(Random& random) {
  static constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string out;
  for (int i = 0; i < 5; ++i) out += kAlphabet[random.Below(kAlphabet.size())];
  return out;
}

Json* Walk(Json& object, std::string_view path, bool make) {
  Json* at = &object;
  for (auto part : Split(path, '.')) {
    if (!at->is_object() && !(make && at->is_null())) return nullptr;
    if (make)
      at = &(*at)[part];
    else
      at = at->Find(part);
    if (at == nullptr) return nullptr;
  }
  return at;
}

const Json& Read(const Json& object, std::string_view path) {
  static const Json none;
  const Json* found = path.empty() ? nullptr : Walk(const_cast<Json&>(object), path, false);
  return found != nullptr ? *found : none;
}

// `a=b,c in (d,e)` of a selector object.
std::string SelectorText(const Json& selector) {
  if (selector.is_string()) return selector.Str();
  std::string out;
  for (const auto& [key, value] : selector.At("matchLabels").members()) {
    out += StrCat(out.empty() ? "" : ",", key, "=", Text(value));
  }
  return out;
}

std::string Stamp(Time now) { return FormatRfc3339(std::chrono::floor<std::chrono::seconds>(now)); }

}  // namespace

ApiWriter::ApiWriter(ApiServer& api, const TypeInfo& info, const ClusterRequest& request)
    : api_(api), info_(info), request_(request) {}

SchemaPosition ApiWriter::Root() const {
  return info_.custom ? SchemaPosition::Custom(info_.schema)
                      : SchemaPosition::BuiltIn(info_.type.kind);
}

ObjectKey ApiWriter::Key(std::string name) const {
  return {info_.id, info_.type.namespaced ? request_.ns : "", std::move(name)};
}

ApiReply ApiWriter::Reply(ObjectPtr object, bool created) const {
  return {api_.InVersion(info_, request_.type.version, std::move(object)), std::nullopt, created};
}

std::optional<ApiFailure> ApiWriter::CheckBody(const Json& body) const {
  if (!body.is_object()) return BadRequest("the body must be an object");
  std::string_view kind = Text(body.At("kind"));
  if (!kind.empty() && kind != info_.type.kind) {
    return BadRequest(
        StrCat(kind, " in the body does not match the kind of the URL (", info_.type.kind, ")"));
  }
  std::string_view version = Text(body.At("apiVersion"));
  if (!version.empty() && version != request_.type.ApiVersion()) {
    return BadRequest(StrCat("the API version in the data (", version,
                             ") does not match the expected API version (",
                             request_.type.ApiVersion(), ")"));
  }
  const Json& meta = Meta(body);
  if (!meta.is_null() && !meta.is_object()) return BadRequest("metadata must be an object");
  std::string_view ns = Text(meta.At("namespace"));
  if (!ns.empty() && info_.type.namespaced && ns != request_.ns) {
    return BadRequest(
        "the namespace of the provided object does not match the namespace sent on the request");
  }
  std::string_view name = Text(meta.At("name"));
  if (!request_.name.empty() && !name.empty() && name != request_.name) {
    return BadRequest(StrCat("the name of the object (", name,
                             ") does not match the name on the URL (", request_.name, ")"));
  }
  return std::nullopt;
}

std::optional<ApiFailure> ApiWriter::CheckNamespace() const {
  if (!info_.type.namespaced) return std::nullopt;
  const TypeInfo& spaces = *api_.types_.Find("", "namespaces");
  if (request_.ns.empty()) return BadRequest("an empty namespace may not be set during creation");
  ObjectPtr ns = api_.store_.Get({spaces.id, "", request_.ns});
  if (!ns) return NotFound(spaces, request_.ns);
  if (IsTerminating(*ns)) {
    return Forbidden(info_, NameOf(request_.body),
                     StrCat("unable to create new content in namespace ", request_.ns,
                            " because it is being terminated"));
  }
  return std::nullopt;
}

ApiReply ApiWriter::Create() {
  if (auto failure = CheckBody(request_.body)) return Fail(std::move(*failure));
  return CreateFrom(request_.body);
}

ApiReply ApiWriter::CreateFrom(Json object) {
  if (auto failure = CheckNamespace()) return Fail(std::move(*failure));
  if (!Text(Meta(object).At("resourceVersion")).empty()) {
    return Fail(BadRequest("resourceVersion should not be set on objects to be created"));
  }
  object.Set("apiVersion", info_.type.ApiVersion()).Set("kind", info_.type.kind);
  Json& meta = object["metadata"];
  if (meta.is_null()) meta = Json::Obj();
  if (NameOf(object).empty() && !Text(meta.At("generateName")).empty()) {
    meta.Set("name", StrCat(Text(meta.At("generateName")), Suffix(api_.random_)));
  }
  if (info_.type.namespaced) meta.Set("namespace", request_.ns);
  for (auto key :
       {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"})
    meta.Erase(key);
  meta.Set("uid", MakeUid(api_.random_)).Set("creationTimestamp", Stamp(api_.scheduler_.Now()));
  if (info_.has_generation) meta.Set("generation", 1);
  if (info_.has_status && info_.type.kind != "Pod") object.Erase("status");
  ObjectKey key = Key(std::string(NameOf(object)));
  if (!key.name.empty() && api_.store_.Get(key)) return Fail(AlreadyExists(info_, key.name));
  return Commit(nullptr, std::move(object),
                request_.patch == PatchKind::kApply && request_.verb == Verb::kPatch);
}

ApiReply ApiWriter::Replace() {
  if (auto failure = CheckBody(request_.body)) return Fail(std::move(*failure));
  ObjectPtr before = api_.store_.Get(Key(request_.name));
  if (!before) return Fail(NotFound(info_, request_.name));
  bool needs_version =
      info_.custom || info_.type.kind == "Lease" || info_.type.kind == "CustomResourceDefinition";
  if (needs_version && Text(Meta(request_.body).At("resourceVersion")).empty() &&
      request_.subresource.empty()) {
    return Fail(Invalid(
        info_, request_.name,
        {InvalidField("metadata.resourceVersion", Json(0), "must be specified for an update")}));
  }
  return Commit(before, request_.body, false);
}

ApiReply ApiWriter::Patch() {
  if (request_.patch == PatchKind::kApply) return Apply();
  ObjectPtr before = api_.store_.Get(Key(request_.name));
  if (!before) return Fail(NotFound(info_, request_.name));
  Json after = *api_.InVersion(info_, request_.type.version, before);
  if (request_.patch != PatchKind::kJson && !request_.body.is_object())
    return Fail(BadRequest("the patch must be an object"));
  // A version in the patch is a precondition; absent, the patch applies to whatever is there.
  if (auto failure = PatchInto(after)) return Fail(std::move(*failure));
  return Commit(before, std::move(after), false);
}

std::optional<ApiFailure> ApiWriter::PatchInto(Json& target) const {
  switch (request_.patch) {
    case PatchKind::kJson:
      if (Status s = ApplyJsonPatch(target, request_.body); !s) {
        bool test = s.error().message.find("test failed") != std::string::npos;
        return ApiFailure{422,
                          "Invalid",
                          test
                              ? "the server rejected our request due to an error in our request: " +
                                    s.error().message
                              : s.error().message,
                          {}};
      }
      break;
    case PatchKind::kMerge: ApplyMergePatch(target, request_.body); break;
    case PatchKind::kStrategic:
      if (info_.custom) {
        return ApiFailure{
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, application/merge-patch+json, "
            "application/apply-patch+yaml",
            {}};
      }
      if (Status s = ApplyStrategicMerge(target, request_.body, Root()); !s)
        return BadRequest(s.error().message);
      break;
    case PatchKind::kApply: break;
  }
  if (!target.is_object() || !Meta(target).is_object())
    return BadRequest("the patched object is no object any more");
  return std::nullopt;
}

ApiReply ApiWriter::Apply() {
  if (request_.field_manager.empty())
    return Fail(BadRequest("fieldManager is required for apply patch"));
  if (auto failure = CheckBody(request_.body)) return Fail(std::move(*failure));
  if (Text(request_.body.At("kind")).empty() || Text(request_.body.At("apiVersion")).empty()) {
    return Fail(BadRequest("an apply patch must set apiVersion and kind"));
  }
  if (Meta(request_.body).Find("managedFields") != nullptr &&
      Meta(request_.body).At("managedFields").size() > 0) {
    return Fail(BadRequest("metadata.managedFields must be nil"));
  }
  ObjectPtr before = api_.store_.Get(Key(request_.name));
  std::string_view version = Text(Meta(request_.body).At("resourceVersion"));
  if (before && !version.empty() && version != Text(Meta(*before).At("resourceVersion"))) {
    return Fail(StaleVersion(info_, request_.name));
  }
  if (!before && !request_.subresource.empty()) return Fail(NotFound(info_, request_.name));
  FieldWriter writer{request_.field_manager, request_.type.ApiVersion(), request_.subresource,
                     api_.scheduler_.Now()};
  ApplyResult result =
      ServerSideApply(before ? *before : Json(), request_.body, writer, request_.force, Root());
  if (!result.conflicts.empty()) {
    std::string list;
    Json causes = Json::Arr();
    for (const auto& c : result.conflicts) {
      list += StrCat("\n- ", c.field, " (", Quote(c.manager), ")");
      causes.Push(Json::Obj({{"reason", "FieldManagerConflict"},
                             {"message", StrCat("conflict with ", Quote(c.manager))},
                             {"field", c.field}}));
    }
    return Fail({409, "Conflict",
                 StrCat("Apply failed with ", result.conflicts.size(), " conflict",
                        result.conflicts.size() > 1 ? "s:" : ":", list),
                 Json::Obj({{"causes", causes}})});
  }
  if (!before) {
    result.object["metadata"].Set("name", request_.name);
    return CreateFrom(std::move(result.object));
  }
  return Commit(before, std::move(result.object), true);
}

std::optional<ApiFailure> ApiWriter::CheckImmutableMeta(const Json& before,
                                                        const Json& after) const {
  std::string_view version = Text(Meta(after).At("resourceVersion"));
  if (!version.empty() && version != Text(Meta(before).At("resourceVersion")))
    return StaleVersion(info_, NameOf(before));
  std::string_view uid = Text(Meta(after).At("uid"));
  if (!uid.empty() && uid != UidOf(before)) {
    return Conflict(info_, NameOf(before),
                    StrCat("Precondition failed: UID in precondition: ", uid,
                           ", UID in object meta: ", UidOf(before)));
  }
  return std::nullopt;
}

// What a client cannot change: identity, times, the other half (spec or status).
void ApiWriter::KeepSystemFields(const Json& before, Json& after) const {
  after.Set("apiVersion", before.At("apiVersion")).Set("kind", before.At("kind"));
  Json& meta = after["metadata"];
  for (auto key :
       {"name", "namespace", "uid", "creationTimestamp", "generation", "deletionTimestamp",
        "deletionGracePeriodSeconds", "generateName", "resourceVersion"}) {
    const Json* old = Meta(before).Find(key);
    if (old != nullptr)
      meta.Set(key, *old);
    else
      meta.Erase(key);
  }
  bool applied = request_.verb == Verb::kPatch && request_.patch == PatchKind::kApply;
  if (!applied) {
    const Json* fields = Meta(before).Find("managedFields");
    if (fields != nullptr)
      meta.Set("managedFields", *fields);
    else
      meta.Erase("managedFields");
  }
  if (request_.subresource == "status") {
    Json status = after.At("status");
    Json fields = meta.At("managedFields");
    Json annotations = meta.At("annotations");
    after = before;
    if (!status.is_null())
      after.Set("status", std::move(status));
    else
      after.Erase("status");
    if (!fields.is_null()) after["metadata"].Set("managedFields", std::move(fields));
    if (!info_.custom && !annotations.is_null())
      after["metadata"].Set("annotations", std::move(annotations));
  } else if (info_.has_status) {
    const Json* old = before.Find("status");
    if (old != nullptr)
      after.Set("status", *old);
    else
      after.Erase("status");
  }
}

void ApiWriter::Track(const Json& before, Json& after) const {
  if (!api_.options_.track_all_fields && !HasAppliers(after)) return;
  std::string manager = request_.field_manager.empty() ? "rollguard" : request_.field_manager;
  TrackUpdate(before, after,
              {manager, request_.type.ApiVersion(), request_.subresource, api_.scheduler_.Now()},
              Root());
}

ApiReply ApiWriter::Commit(const ObjectPtr& before, Json after, bool applied) {
  const Json none;
  const Json& old = before ? *before : none;
  if (before) {
    if (!Meta(after).is_object()) after.Set("metadata", Json::Obj());
    if (auto failure = CheckImmutableMeta(old, after)) return Fail(std::move(*failure));
    KeepSystemFields(old, after);
  }
  if (request_.subresource.empty() || info_.custom) ApplyDefaults(info_, after);
  if (request_.subresource != "status" || info_.custom) {
    auto problems = Validate(info_, old, after);
    if (!problems.empty()) return Fail(Invalid(info_, NameOf(after), problems));
  }
  if (api_.options_.admission) {
    if (auto refused = api_.options_.admission(request_, before ? &old : nullptr, after))
      return Fail(std::move(*refused));
  }
  if (!applied) Track(old, after);
  if (before && *before == after) return Reply(before, false);
  bool annotations = info_.type.plural == "deployments" && request_.subresource.empty() &&
                     !(Meta(old).At("annotations") == Meta(after).At("annotations"));
  if (before && annotations && old.At("spec") == after.At("spec")) {
    after["metadata"].Set("generation", Meta(old).At("generation").IntOr(0) + 1);
  }
  if (request_.dry_run) {
    after["metadata"].Set("resourceVersion", before ? Meta(old).At("resourceVersion") : Json("0"));
    return Reply(std::make_shared<const Json>(std::move(after)), !before);
  }
  ObjectKey key = Key(std::string(NameOf(after)));
  ObjectPtr stored = before ? api_.CommitUpdate(key, before, std::move(after))
                            : api_.store_.Put(key, std::move(after));
  return Reply(std::move(stored), !before);
}

Json ApiWriter::ScaleOf(const TypeInfo& info, const Json& object) {
  Json meta = Json::Obj();
  for (auto key : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (const Json* value = Meta(object).Find(key)) meta.Set(key, *value);
  }
  Json status = Json::Obj({{"replicas", Read(object, info.scale_status).IntOr(0)}});
  std::string selector = SelectorText(Read(object, info.scale_selector));
  if (!selector.empty()) status.Set("selector", selector);
  return Json::Obj({{"kind", "Scale"},
                    {"apiVersion", "autoscaling/v1"},
                    {"metadata", std::move(meta)},
                    {"spec", Json::Obj({{"replicas", Read(object, info.scale_spec).IntOr(0)}})},
                    {"status", std::move(status)}});
}

ApiReply ApiWriter::Scale() {
  ObjectPtr before = api_.store_.Get(Key(request_.name));
  if (!before) return Fail(NotFound(info_, request_.name));
  if (info_.scale_spec.empty()) return Fail(NoSuchPath());
  Json scale = ScaleOf(info_, *before);
  if (request_.verb == Verb::kGet)
    return {std::make_shared<const Json>(std::move(scale)), std::nullopt, false};
  if (request_.verb == Verb::kReplace)
    scale = request_.body;
  else if (auto failure = PatchInto(scale))
    return Fail(std::move(*failure));
  const Json& replicas = scale.At("spec", "replicas");
  if (!replicas.is_null() && (!replicas.is_int() || replicas.IntOr(0) < 0)) {
    return Fail(
        Invalid(info_, request_.name,
                {InvalidField("spec.replicas", replicas, "must be greater than or equal to 0")}));
  }
  Json after = *before;
  std::string_view version = Text(Meta(scale).At("resourceVersion"));
  if (!version.empty()) after["metadata"].Set("resourceVersion", version);
  if (Json* slot = Walk(after, info_.scale_spec, true)) *slot = replicas.IntOr(0);
  ClusterRequest main = request_;
  main.subresource.clear();
  ApiReply reply = ApiWriter(api_, info_, main).Commit(before, std::move(after), false);
  if (!reply.ok()) return reply;
  return {std::make_shared<const Json>(ScaleOf(info_, *reply.object)), std::nullopt, false};
}

}  // namespace rollguard::sim
