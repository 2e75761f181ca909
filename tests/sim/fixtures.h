// SPDX-License-Identifier: Apache-2.0
// Small objects and requests for the simulation's tests.
#pragma once

#include <string>

#include "agent/base/text.h"
#include "agent/sim/api_server.h"
#include "tests/support/catch.h"

namespace rollguard::sim {

inline Json MustParse(std::string_view text) {
  auto json = ParseJson(text);
  INFO(text);
  if (!json) INFO(json.error().message);
  REQUIRE(json.ok());
  return *json;
}

inline Json MakeDeployment(const std::string& name, int replicas, const std::string& image,
                           const std::string& ns = "default") {
  return MustParse(StrCat(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":")",
                          name, R"(","namespace":")", ns, R"("},"spec":{"replicas":)", replicas,
                          R"(,"selector":{"matchLabels":{"app":")", name,
                          R"("}},"template":{"metadata":{"labels":{"app":")", name,
                          R"("}},"spec":{"containers":[{"name":"app","image":")", image,
                          R"(","ports":[{"containerPort":8080}]}]}}}})"));
}

inline Json MakeConfigMap(const std::string& name, const std::string& value) {
  return Json::Obj({{"apiVersion", "v1"},
                    {"kind", "ConfigMap"},
                    {"metadata", Json::Obj({{"name", name}})},
                    {"data", Json::Obj({{"key", value}})}});
}

inline ClusterRequest Request(Verb verb, const ResourceType& type, const std::string& name = "",
                              Json body = {}) {
  ClusterRequest r;
  r.verb = verb;
  r.type = type;
  r.ns = type.namespaced ? "default" : "";
  r.name = name;
  r.body = std::move(body);
  r.field_manager = "test";
  return r;
}

inline ClusterRequest PatchRequest(const ResourceType& type, const std::string& name,
                                   PatchKind kind, std::string_view body) {
  ClusterRequest r = Request(Verb::kPatch, type, name, MustParse(body));
  r.patch = kind;
  return r;
}

inline Json MustCall(ApiServer& api, const ClusterRequest& request) {
  auto result = api.Call(request);
  if (!result) FAIL(result.error().message);
  return *result;
}

inline Error MustFail(ApiServer& api, const ClusterRequest& request) {
  auto result = api.Call(request);
  if (result.ok()) FAIL("succeeded: " << result->Dump());
  return result.error();
}

}  // namespace rollguard::sim
