// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/api.h"

#include <algorithm>
#include <utility>

#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::conformance {
namespace {

constexpr Duration kCallLimit = std::chrono::seconds(30);
constexpr Duration kLimit = std::chrono::seconds(90);

const char* Word(WatchEvent::Type type) {
  switch (type) {
    case WatchEvent::Type::kAdded: return "ADDED";
    case WatchEvent::Type::kModified: return "MODIFIED";
    case WatchEvent::Type::kDeleted: return "DELETED";
    case WatchEvent::Type::kBookmark: return "BOOKMARK";
  }
  return "";
}

Json Must(const Expected<Json>& result) {
  if (!result.ok()) FAIL(result.error().message);
  return result.value();
}

}  // namespace

Expected<Json> Call(ClusterRequest request) {
  struct Answer {
    std::mutex mutex;
    std::optional<Expected<Json>> result;
  };
  auto answer = std::make_shared<Answer>();
  TheApi().cluster().Call(std::move(request), [answer](Expected<Json> result) {
    const std::lock_guard<std::mutex> lock(answer->mutex);
    answer->result.emplace(std::move(result));
  });
  TheApi().Until(
      [&] {
        const std::lock_guard<std::mutex> lock(answer->mutex);
        return answer->result.has_value();
      },
      kCallLimit);
  const std::lock_guard<std::mutex> lock(answer->mutex);
  if (!answer->result) return Error(ErrorCode::kTimeout, "the call was never answered");
  return *answer->result;
}

Json J(std::string_view text) {
  std::string quoted(text);
  std::replace(quoted.begin(), quoted.end(), '\'', '"');
  Expected<Json> parsed = ParseJson(quoted);
  if (!parsed.ok()) FAIL(StrCat(parsed.error().message, " in ", quoted));
  return parsed.value();
}

Space::Space() {
  ClusterRequest request;
  request.verb = Verb::kCreate;
  request.type = Namespaces();
  request.body = J("{'metadata': {'generateName': 'conf-'}}");
  name_ = Must(Call(request)).At("metadata", "name").Str();
}

Space::~Space() {
  ClusterRequest request;
  request.verb = Verb::kDelete;
  request.type = Namespaces();
  request.name = name_;
  (void)Call(request);
}

ClusterRequest Space::Request(Verb verb, const ResourceType& type, std::string name) const {
  ClusterRequest request;
  request.verb = verb;
  request.type = type;
  if (type.namespaced) request.ns = name_;
  request.name = std::move(name);
  return request;
}

Expected<Json> Space::Get(const ResourceType& type, const std::string& name) const {
  return Call(Request(Verb::kGet, type, name));
}

Expected<Json> Space::List(const ResourceType& type, const std::string& labels) const {
  ClusterRequest request = Request(Verb::kList, type);
  request.label_selector = labels;
  return Call(request);
}

Expected<Json> Space::Create(const ResourceType& type, Json body) const {
  ClusterRequest request = Request(Verb::kCreate, type);
  request.body = std::move(body);
  request.body.Set("apiVersion", type.ApiVersion()).Set("kind", type.kind);
  return Call(request);
}

Expected<Json> Space::Replace(const ResourceType& type, Json body, const std::string& sub) const {
  ClusterRequest request = Request(Verb::kReplace, type, body.At("metadata", "name").Str());
  request.subresource = sub;
  request.body = std::move(body);
  if (sub != "scale") request.body.Set("apiVersion", type.ApiVersion()).Set("kind", type.kind);
  return Call(request);
}

Expected<Json> Space::Patch(const ResourceType& type, const std::string& name, PatchKind kind,
                            Json patch, const std::string& sub) const {
  ClusterRequest request = Request(Verb::kPatch, type, name);
  request.patch = kind;
  request.body = std::move(patch);
  request.subresource = sub;
  return Call(request);
}

Expected<Json> Space::Apply(const ResourceType& type, Json body, const std::string& manager,
                            bool force) const {
  ClusterRequest request = Request(Verb::kPatch, type, body.At("metadata", "name").Str());
  request.patch = PatchKind::kApply;
  request.field_manager = manager;
  request.force = force;
  request.body = std::move(body);
  request.body.Set("apiVersion", type.ApiVersion()).Set("kind", type.kind);
  return Call(request);
}

Expected<Json> Space::Delete(const ResourceType& type, const std::string& name,
                             const std::string& propagation) const {
  ClusterRequest request = Request(Verb::kDelete, type, name);
  request.propagation = propagation;
  return Call(request);
}

Json Space::MustGet(const ResourceType& type, const std::string& name) const {
  return Must(Get(type, name));
}

Json Space::MustCreate(const ResourceType& type, Json body) const {
  return Must(Create(type, std::move(body)));
}

Json Space::MustPatch(const ResourceType& type, const std::string& name, PatchKind kind, Json patch,
                      const std::string& sub) const {
  return Must(Patch(type, name, kind, std::move(patch), sub));
}

std::vector<Json> Space::Items(const ResourceType& type, const std::string& labels) const {
  return Must(List(type, labels)).At("items").items();
}

bool Space::Becomes(const ResourceType& type, const std::string& name,
                    const std::function<bool(const Json&)>& holds) const {
  return TheApi().Until(
      [&] {
        const Expected<Json> object = Get(type, name);
        if (!object.ok() && object.error().code != ErrorCode::kNotFound) return false;
        return holds(object.ok() ? object.value() : Json());
      },
      kLimit);
}

bool Space::CountBecomes(const ResourceType& type, const std::string& labels, size_t count) const {
  return TheApi().Until([&] { return Items(type, labels).size() == count; }, kLimit);
}

bool Space::Settles(const std::string& deployment) const {
  return Becomes(Deployments(), deployment, [](const Json& d) {
    const Json& status = d.At("status");
    const int64_t want = d.At("spec", "replicas").IntOr(1);
    return status.At("observedGeneration").IntOr(0) == d.At("metadata", "generation").IntOr(-1) &&
           status.At("replicas").IntOr(0) == want &&
           status.At("updatedReplicas").IntOr(0) == want &&
           status.At("availableReplicas").IntOr(0) == want;
  });
}

void Space::Linger() const {
  TheApi().Until([] { return false; }, std::chrono::milliseconds(1500));
}

Recorder::Recorder(WatchRequest request) : state_(std::make_shared<State>()) {
  WatchHandler handler;
  handler.event = [state = state_](WatchEvent event) {
    const std::lock_guard<std::mutex> lock(state->mutex);
    if (event.type == WatchEvent::Type::kBookmark) {
      state->bookmark = true;
    } else {
      state->events.push_back({event.type, std::move(event.object)});
    }
  };
  handler.closed = [state = state_](const Status& status) {
    const std::lock_guard<std::mutex> lock(state->mutex);
    state->closed = status.ok() ? "ok" : ToString(status.error().code);
  };
  id_ = TheApi().cluster().Watch(std::move(request), std::move(handler));
}

Recorder::~Recorder() { TheApi().cluster().CancelWatch(id_); }

std::string Recorder::Event::Line() const {
  return StrCat(Word(type), " ", object.At("metadata", "name").Str());
}

std::vector<Recorder::Event> Recorder::Events() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->events;
}

std::vector<std::string> Recorder::Lines() const {
  std::vector<std::string> lines;
  for (const Event& event : Events()) lines.push_back(event.Line());
  return lines;
}

bool Recorder::SawBookmark() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->bookmark;
}

std::string Recorder::Closed() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->closed;
}

bool Recorder::WaitFor(size_t events) const {
  return TheApi().Until([&] { return Events().size() >= events; }, kCallLimit);
}

bool Recorder::WaitClosed() const {
  return TheApi().Until([&] { return !Closed().empty(); }, kCallLimit);
}

WatchRequest WatchFrom(const Space& space, const ResourceType& type, std::string version) {
  WatchRequest request;
  request.type = type;
  if (type.namespaced) request.ns = space.name();
  request.resource_version = std::move(version);
  return request;
}

std::string VersionOf(const Json& object_or_list) {
  return object_or_list.At("metadata", "resourceVersion").Str();
}

ResourceType Type(std::string_view group, std::string_view version, std::string_view plural,
                  std::string_view kind, bool namespaced) {
  return {std::string(group), std::string(version), std::string(plural), std::string(kind),
          namespaced};
}

Json ConfigMap(const std::string& name, const std::string& value) {
  return Json::Obj(
      {{"metadata", Json::Obj({{"name", name}})}, {"data", Json::Obj({{"key", value}})}});
}

Json Deployment(const std::string& name, const std::string& image, int replicas) {
  Json body = J(R"({
    'metadata': {'name': 'N', 'labels': {'app': 'N'}},
    'spec': {
      'selector': {'matchLabels': {'app': 'N'}},
      'strategy': {'type': 'RollingUpdate', 'rollingUpdate': {'maxSurge': 1, 'maxUnavailable': 0}},
      'template': {
        'metadata': {'labels': {'app': 'N'}},
        'spec': {'containers': [{'name': 'main', 'image': 'I'}]}}}})");
  body["metadata"]["name"] = name;
  body["metadata"]["labels"]["app"] = name;
  body["spec"]["selector"]["matchLabels"]["app"] = name;
  body["spec"]["template"]["metadata"]["labels"]["app"] = name;
  body["spec"]["template"]["spec"]["containers"].items()[0]["image"] = image;
  body["spec"]["replicas"] = replicas;
  return body;
}

Json ImagePatch(const std::string& image) {
  Json patch = J("{'spec': {'template': {'spec': {'containers': [{'name': 'main'}]}}}}");
  patch["spec"]["template"]["spec"]["containers"].items()[0]["image"] = image;
  return patch;
}

std::string Outcome(const Expected<Json>& result) {
  return result.ok() ? "ok" : ToString(result.error().code);
}

}  // namespace rollguard::conformance
