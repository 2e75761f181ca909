// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/api_reviews.h"

#include <algorithm>

#include "agent/sim/api_failure.h"

namespace rollguard::sim {
namespace {

Json TokenStatus(const ApiOptions& options, const Json& spec) {
  auto it = options.users.find(spec.At("token").Str());
  if (it == options.users.end())
    return Json::Obj({{"user", Json::Obj()}, {"error", "invalid bearer token"}});
  Json groups = Json::Arr();
  for (const auto& group : it->second.groups) groups.Push(group);
  groups.Push("system:authenticated");
  return Json::Obj(
      {{"authenticated", true},
       {"user", Json::Obj({{"username", it->second.name}, {"groups", std::move(groups)}})}});
}

Json AccessStatus(const ApiOptions& options, const Json& spec) {
  const Json& what = spec.At("resourceAttributes");
  bool allowed = !options.allow || options.allow(spec.At("user").Str(), what);
  Json status = Json::Obj({{"allowed", allowed}});
  if (!allowed) status.Set("reason", "no rule allows it");
  return status;
}

}  // namespace

std::optional<ApiReply> ServeReview(const ApiOptions& options, const ClusterRequest& request) {
  const ResourceType& type = request.type;
  bool token = type.group == "authentication.k8s.io" && type.plural == "tokenreviews";
  bool access = type.group == "authorization.k8s.io" && (type.plural == "subjectaccessreviews" ||
                                                         type.plural == "selfsubjectaccessreviews");
  if (!token && !access) return std::nullopt;
  if (request.verb != Verb::kCreate)
    return Fail(
        MethodNotAllowed("the server does not allow this method on the requested resource"));
  Json review = request.body;
  review.Set("apiVersion", type.ApiVersion())
      .Set("kind", token                                   ? "TokenReview"
                   : type.plural == "subjectaccessreviews" ? "SubjectAccessReview"
                                                           : "SelfSubjectAccessReview");
  review.Set("status", token ? TokenStatus(options, review.At("spec"))
                             : AccessStatus(options, review.At("spec")));
  return ApiReply{std::make_shared<const Json>(std::move(review)), std::nullopt, true};
}

}  // namespace rollguard::sim
