// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/events.h"

#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"

namespace rollguard::kube {
namespace {

constexpr size_t kMaxNote = 1024;
constexpr size_t kMaxNameStem = 200;

std::string NamespaceOf(const EventNote& note) {
  std::string ns = note.regarding.At("namespace").Str();
  return ns.empty() ? "default" : ns;  // where Kubernetes keeps events about cluster-wide objects
}

}  // namespace

Json ReferenceTo(const Json& object) {
  const Json& metadata = object.At("metadata");
  Json reference =
      Json::Obj({{"apiVersion", object.At("apiVersion")}, {"kind", object.At("kind")}});
  for (const char* key : {"namespace", "name", "uid"}) {
    if (const Json* value = metadata.Find(key)) reference.Set(key, *value);
  }
  return reference;
}

Json MakeEvent(const EventNote& note) {
  std::string name = note.regarding.At("name").Str();
  std::string time = FormatMicroTime(note.time);
  std::string hash = ShortHash(
      StrCat(note.regarding.At("uid").Str(), "|", note.reason, "|", note.note, "|", time), 12);
  return Json::Obj(
      {{"apiVersion", "events.k8s.io/v1"},
       {"kind", "Event"},
       {"metadata", Json::Obj({{"name", StrCat(name.substr(0, kMaxNameStem), ".", hash)},
                               {"namespace", NamespaceOf(note)}})},
       {"eventTime", time},
       {"type", note.type},
       {"reason", note.reason.substr(0, 128)},
       {"action", note.action.substr(0, 128)},
       {"note", Abbreviate(note.note, kMaxNote - 3)},
       {"reportingController", note.controller},
       {"reportingInstance", note.instance.empty() ? "rollguard" : note.instance.substr(0, 128)},
       {"regarding", note.regarding}});
}

void SendEvent(Cluster& cluster, const EventNote& note, std::function<void(Status)> done) {
  ClusterRequest request;
  request.verb = Verb::kCreate;
  request.type = resources::Events();
  request.ns = NamespaceOf(note);
  request.body = MakeEvent(note);
  cluster.Call(std::move(request), [done = std::move(done)](Expected<Json> answer) {
    bool sent = answer.ok() || answer.error().code == ErrorCode::kAlreadyExists;
    if (done) done(sent ? Status() : Status(answer.error()));
  });
}

}  // namespace rollguard::kube
