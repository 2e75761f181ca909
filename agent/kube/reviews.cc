// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/reviews.h"

#include "agent/base/text.h"
#include "agent/kube/resources.h"

namespace rollguard::kube {
namespace {

ClusterRequest Review(ResourceType type, Json spec) {
  ClusterRequest request;
  request.verb = Verb::kCreate;
  request.body = Json::Obj(
      {{"apiVersion", type.ApiVersion()}, {"kind", type.kind}, {"spec", std::move(spec)}});
  request.type = std::move(type);
  return request;
}

Json Texts(const std::vector<std::string>& texts) {
  Json list = Json::Arr();
  for (const std::string& text : texts) list.Push(text);
  return list;
}

Expected<Identity> ReadIdentity(const Json& status) {
  if (!status.At("authenticated").BoolOr(false)) {
    std::string why = status.At("error").Str();
    return Error(ErrorCode::kUnauthenticated,
                 StrCat("the API server does not accept the token",
                        why.empty() ? "" : StrCat(": ", Abbreviate(why, 300))));
  }
  const Json& user = status.At("user");
  Identity who;
  who.username = user.At("username").Str();
  who.uid = user.At("uid").Str();
  for (const Json& group : user.At("groups").items()) who.groups.push_back(group.Str());
  who.extra = user.At("extra");
  if (who.username.empty()) {
    return Error(ErrorCode::kUnauthenticated, "the API server names no user for the token");
  }
  return who;
}

Json Attributes(const AccessQuestion& q) {
  Json attributes = Json::Obj({{"verb", q.verb}, {"group", q.group}, {"resource", q.resource}});
  if (!q.subresource.empty()) attributes.Set("subresource", q.subresource);
  if (!q.ns.empty()) attributes.Set("namespace", q.ns);
  if (!q.name.empty()) attributes.Set("name", q.name);
  return attributes;
}

std::string Wish(const AccessQuestion& q) {
  std::string what = StrCat(q.verb, " ", q.resource, q.group.empty() ? "" : ".", q.group);
  if (!q.subresource.empty()) what += StrCat("/", q.subresource);
  if (!q.name.empty()) what += StrCat(" ", Quote(q.name));
  if (!q.ns.empty()) what += StrCat(" in ", Quote(q.ns));
  return what;
}

Status ReadVerdict(const std::string& who, const AccessQuestion& question,
                   const Expected<Json>& answer) {
  if (!answer.ok()) return answer.error();
  const Json& status = answer->At("status");
  // `denied` outweighs `allowed` when authorizers disagree.
  if (status.At("allowed").BoolOr(false) && !status.At("denied").BoolOr(false)) return {};
  std::string why = status.At("reason").Str();
  if (why.empty()) why = status.At("evaluationError").Str();
  return Error(ErrorCode::kDenied, StrCat(who, " may not ", Wish(question),
                                          why.empty() ? "" : StrCat(": ", Abbreviate(why, 300))));
}

}  // namespace

void ReviewToken(Cluster& cluster, const std::string& token, std::vector<std::string> audiences,
                 std::function<void(Expected<Identity>)> done) {
  Json spec = Json::Obj({{"token", token}});
  if (!audiences.empty()) spec.Set("audiences", Texts(audiences));
  cluster.Call(Review(resources::TokenReviews(), std::move(spec)),
               [done = std::move(done)](Expected<Json> answer) {
                 if (answer.ok()) {
                   done(ReadIdentity(answer->At("status")));
                 } else {
                   done(answer.error());
                 }
               });
}

void ReviewAccess(Cluster& cluster, const Identity& who, const AccessQuestion& question,
                  std::function<void(Status)> done) {
  Json spec = Json::Obj({{"user", who.username}, {"resourceAttributes", Attributes(question)}});
  if (!who.uid.empty()) spec.Set("uid", who.uid);
  if (!who.groups.empty()) spec.Set("groups", Texts(who.groups));
  if (who.extra.is_object()) spec.Set("extra", who.extra);
  cluster.Call(Review(resources::SubjectAccessReviews(), std::move(spec)),
               [name = Quote(who.username), question, done = std::move(done)](
                   Expected<Json> answer) { done(ReadVerdict(name, question, answer)); });
}

void ReviewOwnAccess(Cluster& cluster, const AccessQuestion& question,
                     std::function<void(Status)> done) {
  Json spec = Json::Obj({{"resourceAttributes", Attributes(question)}});
  cluster.Call(Review(resources::SelfSubjectAccessReviews(), std::move(spec)),
               [question, done = std::move(done)](Expected<Json> answer) {
                 done(ReadVerdict("rollguard", question, answer));
               });
}

}  // namespace rollguard::kube
