// SPDX-License-Identifier: Apache-2.0
// One write request on its way through the API server: patch -> system fields -> defaults ->
// validation -> field ownership -> admission -> commit. Lives for one request.
#pragma once

#include <string>

#include "agent/sim/api_server.h"
#include "agent/sim/lists.h"

namespace rollguard::sim {

class ApiWriter {
 public:
  ApiWriter(ApiServer& api, const TypeInfo& info, const ClusterRequest& request);

  ApiReply Create();
  ApiReply Replace();
  ApiReply Patch();
  // The `scale` subresource: reads, replaces and patches.
  ApiReply Scale();
  static Json ScaleOf(const TypeInfo& info, const Json& object);

 private:
  std::optional<ApiFailure> CheckBody(const Json& body) const;
  std::optional<ApiFailure> CheckNamespace() const;
  ApiReply CreateFrom(Json object);
  ApiReply Commit(const ObjectPtr& before, Json after, bool applied);
  ApiReply Apply();
  std::optional<ApiFailure> PatchInto(Json& target) const;
  std::optional<ApiFailure> CheckImmutableMeta(const Json& before, const Json& after) const;
  void KeepSystemFields(const Json& before, Json& after) const;
  void Track(const Json& before, Json& after) const;
  SchemaPosition Root() const;
  ApiReply Reply(ObjectPtr object, bool created) const;
  ObjectKey Key(std::string name) const;

  ApiServer& api_;
  const TypeInfo& info_;
  const ClusterRequest& request_;
};

}  // namespace rollguard::sim
